import fs from 'node:fs'
import path from 'node:path'
import { ArenaFile } from './arena-file'
import { ARENA_HEADER_BYTES, ARENA_MAGIC, HEADER } from './layout'

const SHM = '/dev/shm'
const SHM_NAME = /^shardlog-\d+-\d+\.arena$/

/**
 * Whether `file` in /dev/shm is an arena of ours whose log was opened as `log` on device `dev`. Its name tells the inode that the
 * log had when it was opened; this finds it after the log was deleted or rotated. /dev/shm is everybody's: what belongs to
 * another user, or cannot be read, is none.
 */
function isArenaOf(file: string, log: string, dev: bigint): boolean {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants
  let fd: number
  try {
    fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return false // Gone since it was listed, or somebody else's.
  }
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile() || stat.uid !== process.geteuid?.()) return false
    const header = Buffer.alloc(ARENA_HEADER_BYTES)
    if (fs.readSync(fd, header, 0, header.length, 0) !== header.length) return false
    const bytes = header.readUInt32LE(HEADER.pathBytes)
    return (
      header.toString('latin1', 0, ARENA_MAGIC.length) === ARENA_MAGIC &&
      header.readBigUInt64LE(HEADER.logDevice) === dev &&
      header.subarray(HEADER.path, HEADER.path + bytes).equals(Buffer.from(log))
    )
  } finally {
    fs.closeSync(fd)
  }
}

function shmArenas(log: string, dev: bigint): string[] {
  const names = fs.existsSync(SHM) ? fs.readdirSync(SHM).filter(name => SHM_NAME.test(name)) : []
  return names.map(name => path.join(SHM, name)).filter(file => isArenaOf(file, log, dev))
}

/**
 * Where the arena of a log may lie: beside it, in /dev/shm under the log's device and inode, and in /dev/shm under those that the log
 * had before it was deleted or replaced.
 */
export function arenaPaths(logPath: string): string[] {
  const paths = [`${logPath}.arena`]
  try {
    const { dev, ino } = fs.statSync(logPath, { bigint: true })
    const real = fs.realpathSync(logPath)
    paths.push(`${real}.arena`, `${SHM}/shardlog-${dev}-${ino}.arena`, ...shmArenas(path.resolve(logPath), dev))
  } catch {
    // No log (yet): its arena can only lie beside it.
  }
  return [...new Set(paths)]
}

/**
 * Opens the arena of a log; null if there is none.
 * @throws ShardlogError if there is one that cannot be read.
 */
export function openArenaOf(logPath: string): ArenaFile | null {
  for (const place of arenaPaths(logPath)) {
    const arena = ArenaFile.open(place)
    if (arena) return arena
  }
  return null
}
