import type { ArenaFile, ArenaState } from '../arena/arena-file'
import { isOfThisBoot, isOwnerAlive } from '../arena/arena-file'
import { fromSystemError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { takeFromArena } from './arena-items'
import { arenaOfLog } from './arena-of-log'
import { Shown } from './shown'

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
