import fs, { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import path from 'node:path'
import { ArenaFile, type ArenaState, isArenaHead, isOfThisBoot, isOwnerAlive } from '../arena/arena-file'
import { arenaPaths, asideArenas, openArenaOf } from '../arena/locate'
import { fromSystemError, ShardlogError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { Shown, takeFromArena } from './arena-items'
import type { ScanItem } from './items'
import { readError } from './source'

const STICKY = 0o1000

function statOf(file: string): fs.Stats | null {
  return fs.statSync(file, { throwIfNoEntry: false }) ?? null
}

/**
 * Whether what lies at the place of a log's arena may be believed. In a folder like /tmp everybody can put files beside others', but not in
 * their place: an arena there is ours, the log's owner's or the folder's. Elsewhere, who can make files can replace the log too.
 */
function isTrusted(arena: ArenaFile, logPath: string): boolean {
  const folder = statOf(path.dirname(arena.path))
  if (!folder || (folder.mode & STICKY) === 0) return true
  return [process.geteuid?.(), statOf(logPath)?.uid, folder.uid].includes(arena.uid)
}

/**
 * Opens the arena of a log; null if there is none.
 * @param arenaDir as in Config
 * @throws ShardlogError if there is one that cannot be read, or `ERR_SHARDLOG_ARENA_OWNER` if it is not to be believed
 */
export function arenaOfLog(logPath: string, arenaDir?: string): ArenaFile | null {
  const arena = openArenaOf(logPath, arenaDir)
  if (!arena || isTrusted(arena, logPath)) return arena
  arena.close()
  const message = `${arena.path} belongs to user ${arena.uid}, who has nothing to do with the log, in a folder where everybody can make files`
  throw new ShardlogError('ERR_SHARDLOG_ARENA_OWNER', message, { path: arena.path })
}

/** That others may not read an arena is as it should be. */
export function isForbidden(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EACCES' || error.code === 'EPERM'
}

/** Whether there is an arena for a log, sound or not, that may be read; `arenaDir` as in Config. */
export function hasArena(logPath: string, arenaDir?: string): boolean {
  try {
    const arena = arenaOfLog(logPath, arenaDir)
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
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch {
    return false // Not there, or not to be read.
  }
  try {
    const head = Buffer.alloc(16)
    return fstatSync(fd).isFile() && readSync(fd, head, 0, head.length, 0) === head.length && isArenaHead(head)
  } finally {
    closeSync(fd)
  }
}

/**
 * Opens an arena that somebody has named.
 * @throws ShardlogError
 */
export function openArena(path: string): ArenaFile {
  try {
    const arena = ArenaFile.open(realpathSync(path))
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
    return realpathSync(file)
  } catch {
    return null // Not there.
  }
}

/**
 * The log to which an arena belongs, by its header and by where it lies, which may be somewhere else by now, together with its log.
 * @param file an arena, or one that was set aside
 * @param arenaDir as in Config
 * @returns `log`: the log in whose arena's place `file` lies, null if it lies elsewhere; `named`: the log that its header names
 * @throws ShardlogError if it is no arena that can be read
 */
export function logOfArena(file: string, arenaDir?: string): { log: string | null; named: string } {
  const arena = openArena(file)
  const named = arena.logPath
  arena.close()
  const real = realPath(file)
  const beside = path.join(path.dirname(path.resolve(file)), path.basename(named))
  const log = [...new Set([named, beside])].find(candidate => {
    return [...arenaPaths(candidate, arenaDir), ...asideArenas(candidate, arenaDir)].some(
      place => realPath(place) === real
    )
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
  /** Whether the machine has been running since it was made. Otherwise its pages may be of different times, and nothing of it is shown. */
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
export function describeArena(arena: ArenaFile, state: ArenaState, counts: Counts): WaitingReport {
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

/** What is known of the arena of a log but what waits in it; null if there is none that can be read. `arenaDir` as in Config. */
export function arenaFacts(logPath: string, arenaDir?: string): WaitingReport | null {
  try {
    const arena = arenaOfLog(logPath, arenaDir)
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

/**
 * Counts what waits in the arena of a log; null if there is none. Read-only.
 * @param arenaDir as in Config
 * @throws ShardlogError if there is an arena that cannot be read.
 */
export function waitingEntries(logPath: string, arenaDir?: string): WaitingReport | null {
  const arena = arenaOfLog(logPath, arenaDir)
  if (!arena) return null
  try {
    return countWaiting(arena)
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_READ', `cannot read ${arena.path}`, error, arena.path)
  } finally {
    arena.close()
  }
}
