/** Where the arena of a log lies. */

import fs from 'node:fs'
import path from 'node:path'
import { ShardlogError } from '../errors'
import { ARENA_HEADER_BYTES, ARENA_MAGIC, ArenaFile, HEADER } from './arena-file'

const SUFFIX = '.arena'
/**
 * What a name has to leave of the 255 bytes that file systems allow, for the marks that are added
 * to it.
 */
const MAX_STEM_BYTES = 200
const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

/** FNV-1a, 64 bits, in hexadecimal. */
function hash(text: string): string {
  let hash = FNV_OFFSET
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME)
  return hash.toString(16).padStart(16, '0')
}

/** A file name for `stem`, or for a hash of it if it is too long for one. */
const hiddenName = (stem: string): string =>
  `.${Buffer.byteLength(stem) <= MAX_STEM_BYTES ? stem : `shardlog-${hash(stem)}`}${SUFFIX}`

/** A path as a file name, one to one. */
const escaped = (file: string): string => file.replaceAll('%', '%25').replaceAll('/', '%2F')

/**
 * Where the file of a log's arena lies, or would: `dir/.app.log.arena` for `dir/app.log`; in
 * `arenaDir`, if one is given, under a name that tells the log's whole path.
 */
export function fileArenaPath(logPath: string, arenaDir?: string): string {
  const { dir, base } = path.parse(logPath)
  return arenaDir === undefined
    ? path.join(dir, hiddenName(base))
    : path.join(arenaDir, hiddenName(escaped(path.resolve(logPath))))
}

/** Where it lay before: `dir/app.log.arena`. */
export const oldArenaPath = (logPath: string): string => `${logPath}${SUFFIX}`

const SHM = '/dev/shm'
const SHM_NAME = /^shardlog-\d+-\d+(-\d+)?\.arena$/

/** A log as readers are given it: where it is, and where else its arena may be. */
export interface LogPlace {
  /** The path of the log. */
  readonly path: string
  /** The directory that the log was opened with as `arenaDir`, if it was. */
  readonly arenaDir?: string | undefined
}

interface LogFile {
  dev: bigint
  ino: bigint
  /** User that it belongs to. */
  uid: bigint
  birthtimeNs: bigint
}

/** As WhyDistrusted in native/engine/arena_file.h. */
function isBelievable(stat: fs.Stats, log: LogFile): boolean {
  const owners = [process.geteuid?.(), Number(log.uid), 0]
  return stat.isFile() && owners.includes(stat.uid) && (stat.mode & 0o022) === 0 && stat.nlink <= 1
}

/**
 * Opens a file, if only the user of this process, the log's owner or root can have put it there;
 * null otherwise, or if it cannot be read.
 */
function openTrusted(file: string, log: LogFile): number | null {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  let fd: number
  try {
    fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return null // Gone since it was listed, or somebody else's.
  }
  if (isBelievable(fs.fstatSync(fd), log)) return fd
  fs.closeSync(fd)
  return null
}

/**
 * What the header of a trusted file in /dev/shm says of its log; null if the file is no arena, or
 * not to be trusted.
 */
function readLogOf(file: string, log: LogFile): { path: Buffer; dev: bigint; ino: bigint; created: bigint } | null {
  const fd = openTrusted(file, log)
  if (fd === null) return null
  try {
    const header = Buffer.alloc(ARENA_HEADER_BYTES)
    if (fs.readSync(fd, header, 0, header.length, 0) !== header.length) return null
    if (header.toString('latin1', 0, ARENA_MAGIC.length) !== ARENA_MAGIC) return null
    return {
      path: header.subarray(HEADER.path, HEADER.path + header.readUInt32LE(HEADER.pathBytes)),
      dev: header.readBigUInt64LE(HEADER.logDevice),
      ino: header.readBigUInt64LE(HEADER.logInode),
      created: header.readBigUInt64LE(HEADER.createdTime)
    }
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * Whether `file` in /dev/shm is an arena whose log was opened as `name` on the device of `log`. Its
 * own name tells the inode that the log had when it was opened; this finds it after the log was
 * deleted or rotated.
 */
function isArenaOf(file: string, name: string, log: LogFile): boolean {
  const of = readLogOf(file, log)
  return of !== null && of.dev === log.dev && of.path.equals(Buffer.from(name))
}

/**
 * Whether an arena that is named after the inode of `log`, and names another path, is that of
 * another log: one which was rotated and writes to another file by now, or one which has gone,
 * whose inode the file system gave to this one, so that the arena is older. A log that was moved is
 * older than its arena.
 */
function isOfAnotherLog(file: string, name: string, log: LogFile): boolean {
  const of = readLogOf(file, log)
  if (of === null || of.path.equals(Buffer.from(name))) return false
  return of.dev !== log.dev || of.ino !== log.ino || log.birthtimeNs > of.created
}

function isTrusted(file: string, log: LogFile): boolean {
  const fd = openTrusted(file, log)
  if (fd !== null) fs.closeSync(fd)
  return fd !== null
}

function shmArenas(logPath: string, log: LogFile): string[] {
  const name = path.resolve(logPath)
  const own = `${SHM}/shardlog-${log.dev}-${log.ino}.arena`
  const names = fs.existsSync(SHM) ? fs.readdirSync(SHM).filter(file => SHM_NAME.test(file)) : []
  const others = names.map(file => path.join(SHM, file)).filter(file => isArenaOf(file, name, log))
  return isTrusted(own, log) && !isOfAnotherLog(own, name, log) ? [own, ...others] : others
}

/**
 * The old name of `.app.log`'s arena is the new name of `app.log`'s: such a file is the former's
 * only if it says so itself.
 */
function hasOldArena(logPath: string, log: LogFile | null): boolean {
  if (!path.basename(logPath).startsWith('.')) return true
  return log !== null && isArenaOf(oldArenaPath(logPath), path.resolve(logPath), log)
}

function besides(logPath: string, log: LogFile | null): string[] {
  return hasOldArena(logPath, log) ? [fileArenaPath(logPath), oldArenaPath(logPath)] : [fileArenaPath(logPath)]
}

/**
 * Where the arena of a log may lie: in `arenaDir`, if one is given; beside it, also under the old
 * name; in /dev/shm under the log's device and inode, and under those that the log had before it
 * was deleted or replaced. In /dev/shm, what belongs neither to our user nor to the log's owner is
 * none.
 */
export function arenaPaths(logPath: string, arenaDir?: string): string[] {
  const paths = arenaDir === undefined ? [] : [fileArenaPath(logPath, arenaDir)]
  try {
    const log = fs.statSync(logPath, { bigint: true })
    const real = fs.realpathSync(logPath)
    if (arenaDir !== undefined) paths.push(fileArenaPath(real, arenaDir))
    paths.push(...besides(logPath, log), ...besides(real, log), ...shmArenas(logPath, log))
  } catch {
    // No log (yet): its arena can only lie beside it.
    paths.push(...besides(logPath, null))
  }
  return [...new Set(paths)]
}

/** Refuses to open what others may have put at `place`. */
function checkPlace(place: string, log: LogFile | undefined): void {
  const stat = fs.lstatSync(place, { throwIfNoEntry: false })
  if (stat === undefined || log === undefined || isBelievable(stat, log)) return
  const message = `${place} may be what another user put there: an arena is a regular file with one name, of our user, the log's owner or root, which nobody else may write`
  throw new ShardlogError('ERR_SHARDLOG_ARENA_OWNER', message, { path: place })
}

/**
 * Opens the arena of a log; null if there is none.
 * @throws ShardlogError if there is one that cannot be read, or must not be believed.
 */
export function openArenaOf({ path: logPath, arenaDir }: LogPlace): ArenaFile | null {
  const log = fs.statSync(logPath, { bigint: true, throwIfNoEntry: false })
  let failure: unknown
  for (const place of arenaPaths(logPath, arenaDir)) {
    try {
      checkPlace(place, log)
      const arena = ArenaFile.open(place)
      if (arena) return arena
    } catch (error) {
      // It does not keep the log's arena from being found elsewhere.
      failure ??= error
    }
  }
  if (failure !== undefined) throw failure
  return null
}

/** What the name of an arena is followed by when it is set aside; the time follows that. */
const ASIDE = '.aside-'

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder)
  } catch {
    return [] // A folder that is not there, or not to be read, has none for us.
  }
}

/** Arenas of a log that were set aside because they could not be trusted. */
export function asideArenas(log: LogPlace): string[] {
  const found = arenaPaths(log.path, log.arenaDir).flatMap(place => {
    const prefix = path.basename(place) + ASIDE
    const folder = path.dirname(place)
    return namesIn(folder).flatMap(name => (name.startsWith(prefix) ? [path.join(folder, name)] : []))
  })
  return [...new Set(found)].sort()
}
