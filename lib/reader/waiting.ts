import { openArenaOf } from '../arena/locate'
import { isOwnerAlive } from '../arena/owner'
import { fromSystemError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { takeFromArena } from './arena-items'
import { Shown } from './shown'

/** What lies in the arena beside a log. */
export interface WaitingReport {
  arenaPath: string
  ownerPid: number
  ownerAlive: boolean
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

/**
 * Counts what waits in the arena of a log; null if there is none. Read-only.
 * @throws ShardlogError if there is an arena that cannot be read.
 */
export function waitingEntries(logPath: string): WaitingReport | null {
  const arena = openArenaOf(logPath)
  if (!arena) return null
  try {
    let state = arena.state()
    let entries = 0
    let bytes = 0
    let damagedRecords = 0
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      state = arena.state()
      const shown = new Shown()
      ;[entries, bytes, damagedRecords] = [0, 0, 0]
      let items = takeFromArena(arena, state, logPath, shown)
      while (items && items.length > 0) {
        for (const item of items) {
          if (item.kind === 'damage') damagedRecords++
          if (item.kind !== 'block') continue
          entries += item.info.entries
          bytes += item.end - ENTRY_PREFIX_BYTES * item.info.entries
        }
        items = takeFromArena(arena, state, logPath, shown)
      }
      if (items) break
    }
    const { numShards, segmentsPerShard, segmentBytes, totalBytes } = arena.geometry
    return {
      arenaPath: arena.path,
      ownerPid: arena.owner.pid,
      ownerAlive: isOwnerAlive(arena.owner),
      stream: arena.stream,
      entries,
      bytes,
      damagedRecords,
      arenaBytes: totalBytes,
      numShards,
      segmentsPerShard,
      segmentBytes,
      activeGeneration: state.active,
      writtenGeneration: state.written
    }
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_READ', `cannot read ${arena.path}`, error, arena.path)
  } finally {
    arena.close()
  }
}
