/**
 * Where logs and their arenas lie: as callers give them, and as they are found; and how much waits
 * in an arena.
 */

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { ArenaFile, type ArenaState, isArenaHead, isOfThisBoot, isOwnerAlive } from '../arena/arena-file'
import { arenaPaths, asideArenas, type LogPlace, openArenaOf } from '../arena/locate'
import { nearestName, ShardlogError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { isUrl, pathOf } from '../path-like'
import { Shown, takeFromArena } from './arena-items'
import { FORMAT_CHOICES, type ScanItem } from './items'
import { readError } from './source'

/** The path of a log, as `fs` takes it. */
export type LogPath = string | URL

/** An argument or option that is wrong. */
export function configError(message: string): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message)
}

/** Refuses names outside `names`, with a proposal where one is near. */
export function checkNames(options: object, names: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null)
    throw configError(`${where} takes an object of options, not ${inspect(options)}`)
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    const near = nearestName(name, names)
    throw configError(
      `${where} has no option ${name}${near ? `; did you mean ${near}?` : ''}: it takes ${names.join(', ')}`
    )
  }
}

/**
 * A path as `fs` takes it: a non-empty string, or a `file:` URL.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function checkedPath(path: unknown, where: string): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  if (!isUrl(path)) throw configError(`${where} needs the path of a log, a string or a file: URL, not ${inspect(path)}`)
  try {
    return fileURLToPath(path.href)
  } catch (error) {
    throw configError(`${where}: ${(error as Error).message}, not ${path.href}`)
  }
}

/**
 * The directory that is given as option `arenaDir`, absolute.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function resolveArenaDir(arenaDir: unknown): string | undefined {
  if (arenaDir === undefined) return undefined
  const plain = pathOf(arenaDir, 'arenaDir')
  if (typeof plain === 'string' && plain !== '' && !plain.includes('\0')) return path.resolve(plain)
  throw configError(`option arenaDir must be a non-empty string, got ${inspect(arenaDir)}`)
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
export function checkFormat(format: unknown): void {
  if (format === undefined || FORMAT_CHOICES.some(choice => choice === format)) return
  throw configError(`format must be 'auto', 'shard' or 'ndjson', not ${String(format)}`)
}

const STICKY = 0o1000

function statOf(file: string): fs.Stats | null {
  return fs.statSync(file, { throwIfNoEntry: false }) ?? null
}

/**
 * Whether what lies at the place of a log's arena may be believed. In a folder like /tmp everybody
 * can put files beside others', but not in their place: an arena there is ours, the log's owner's
 * or the folder's. Elsewhere, who can make files can replace the log too.
 */
function isTrusted(arena: ArenaFile, logPath: string): boolean {
  const folder = statOf(path.dirname(arena.path))
  if (!folder || (folder.mode & STICKY) === 0) return true
  return [process.geteuid?.(), statOf(logPath)?.uid, folder.uid].includes(arena.uid)
}

/**
 * Opens the arena of a log; null if there is none.
 * @throws ShardlogError if there is one that cannot be read, or `ERR_SHARDLOG_ARENA_OWNER` if it is
 *   not to be believed
 */
export function arenaOfLog(log: LogPlace): ArenaFile | null {
  const arena = openArenaOf(log)
  if (!arena || isTrusted(arena, log.path)) return arena
  arena.close()
  const message = `${arena.path} belongs to user ${arena.uid}, who has nothing to do with the log, in a folder where everybody can make files`
  throw new ShardlogError('ERR_SHARDLOG_ARENA_OWNER', message, { path: arena.path })
}

/** That others may not read an arena is as it should be. */
export function isForbidden(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EACCES' || error.code === 'EPERM'
}

/** Whether there is an arena for a log, sound or not, that may be read. */
export function hasArena(log: LogPlace): boolean {
  try {
    const arena = arenaOfLog(log)
    arena?.close()
    return arena !== null
  } catch (error) {
    return !isForbidden(error as Error) // Whoever reads it is told what is wrong with it.
  }
}

/** Whether there is a regular file with the beginning of an arena. */
export function beginsAsArena(path: string): boolean {
  let fd: number
  try {
    fd = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0))
  } catch {
    return false // Not there, or not to be read.
  }
  try {
    const head = Buffer.alloc(16)
    return fs.fstatSync(fd).isFile() && fs.readSync(fd, head, 0, head.length, 0) === head.length && isArenaHead(head)
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * Opens an arena that somebody has named.
 * @throws ShardlogError
 */
export function openArena(path: string): ArenaFile {
  try {
    const arena = ArenaFile.open(fs.realpathSync(path))
    if (arena) return arena
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  } catch (error) {
    throw readError(path, error)
  }
}

/** Batches of what waits in an arena, whatever of it stands in its log meanwhile. */
export async function* scanArena(path: string): AsyncGenerator<ScanItem[], void> {
  const arena = openArena(path)
  try {
    const shown = new Shown()
    const goal = arena.state().active
    // A process that goes on logging does not keep it going.
    for (let state = arena.state(); state.written <= goal; state = arena.state()) {
      const items = takeFromArena(arena, state, arena.logPath, shown)
      if (items?.length === 0) return
      if (items) yield items
    }
  } catch (error) {
    throw readError(path, error)
  } finally {
    arena.close()
  }
}

function realPath(file: string): string | null {
  try {
    return fs.realpathSync(file)
  } catch {
    return null // Not there.
  }
}

/**
 * The log to which an arena belongs, by its header and by where it lies, which may be somewhere
 * else by now, together with its log.
 * @param given the path of an arena, or of one that was set aside
 * @returns `log`: the log in whose arena's place the file lies, null if it lies elsewhere; `named`:
 *   the log that its header names
 * @throws ShardlogError if it is no arena that can be read
 */
export function logOfArena({ path: file, arenaDir }: LogPlace): { log: string | null; named: string } {
  const arena = openArena(file)
  const named = arena.logPath
  arena.close()
  const real = realPath(file)
  const beside = path.join(path.dirname(path.resolve(file)), path.basename(named))
  const log = [...new Set([named, beside])].find(candidate => {
    const places = [...arenaPaths(candidate, arenaDir), ...asideArenas({ path: candidate, arenaDir })]
    return places.some(place => realPath(place) === real)
  })
  return { log: log ?? null, named }
}

/** What lies in the arena beside a log. */
export interface WaitingReport {
  arenaPath: string
  /** The log that the arena names as its own. */
  logPath: string
  ownerPid: number
  ownerAlive: boolean
  /**
   * Whether the machine has been running since it was made. Otherwise its pages may be of different
   * times, and nothing of it is shown.
   */
  ofThisBoot: boolean
  stream: bigint
  /** Entries accepted and not in the log yet; of records, the lines that are made of them. */
  entries: number
  bytes: number
  /** Records of which no line can be made. */
  damagedRecords: number
  /** Size of the arena's file. */
  arenaBytes: number
  numShards: number
  segmentsPerShard: number
  segmentBytes: number
  activeGeneration: bigint
  writtenGeneration: bigint
}

/** Attempts to count while a busy process writes generations under us. */
const ATTEMPTS = 20

type Counts = Pick<WaitingReport, 'entries' | 'bytes' | 'damagedRecords'>

/** What waits as `state` has it; null if a generation was written meanwhile. */
function count(arena: ArenaFile, state: ArenaState): Counts | null {
  const shown = new Shown()
  const counts = { entries: 0, bytes: 0, damagedRecords: 0 }
  let items = takeFromArena(arena, state, arena.logPath, shown)
  for (; items && items.length > 0; items = takeFromArena(arena, state, arena.logPath, shown)) {
    for (const item of items) {
      if (item.kind === 'damage') counts.damagedRecords++
      if (item.kind !== 'block') continue
      counts.entries += item.info.entries
      counts.bytes += item.end - item.start - ENTRY_PREFIX_BYTES * item.info.entries
    }
  }
  return items && counts
}

/** What is known of an arena, as it is now, with these counts. */
function describeArena(arena: ArenaFile, state: ArenaState, counts: Counts): WaitingReport {
  const { numShards, segmentsPerShard, segmentBytes, totalBytes } = arena.geometry
  return {
    arenaPath: arena.path,
    logPath: arena.logPath,
    ownerPid: arena.owner.pid,
    ownerAlive: isOwnerAlive(arena.owner),
    ofThisBoot: isOfThisBoot(arena.owner),
    stream: arena.stream,
    ...counts,
    arenaBytes: totalBytes,
    numShards,
    segmentsPerShard,
    segmentBytes,
    activeGeneration: state.active,
    writtenGeneration: state.written
  }
}

/**
 * What is known of the arena of a log but what waits in it; null if there is none that can be read.
 */
export function arenaFacts(log: LogPlace): WaitingReport | null {
  try {
    const arena = arenaOfLog(log)
    if (!arena) return null
    try {
      return describeArena(arena, arena.state(), { entries: 0, bytes: 0, damagedRecords: 0 })
    } finally {
      arena.close()
    }
  } catch {
    return null // Whoever shows what waits in it tells what is wrong with it.
  }
}

/** Counts what waits in an open arena. */
export function countWaiting(arena: ArenaFile): WaitingReport {
  let state = arena.state()
  let counts: Counts | null = null
  for (let attempt = 0; attempt < ATTEMPTS && !counts; attempt++) {
    state = arena.state()
    counts = count(arena, state)
  }
  return describeArena(arena, state, counts ?? { entries: 0, bytes: 0, damagedRecords: 0 })
}
