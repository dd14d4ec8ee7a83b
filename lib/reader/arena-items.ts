import type { ArenaFile, ArenaState } from '../arena/arena-file'
import { CONTENT_RECORDS } from '../arena/arena-file'
import { type WaitingSegment, waitingSegments } from '../arena/waiting-segments'
import { BLOCK_HEADER_BYTES } from '../format/constants'
import { arenaBlock, generationOf } from './arena-block'
import { wholeEntries } from './parse-block'
import { takeRecords } from './record-items'
import type { Shown } from './shown'
import type { ShownEntries } from './shown-entries'
import type { ScanItem } from './types'

const MAX_ROUND_BYTES = 4 * 1024 * 1024

/** A segment's entries from `from` on, as far as they decode, and a damage if that is not to their end. */
function readEntries(arena: ArenaFile, logPath: string, waiting: WaitingSegment, from: number): ScanItem[] {
  const data = arena.read(waiting.position + from, waiting.end - from)
  const whole = wholeEntries(data, 0, data.length)
  const items: ScanItem[] = []
  if (whole.count > 0) {
    const info = arenaBlock(arena, logPath, waiting, {
      valid: waiting.end - BLOCK_HEADER_BYTES,
      entries: whole.count,
      firstTime: waiting.claimedTime,
      lastTime: waiting.releasedTime === 0n ? undefined : waiting.releasedTime
    })
    items.push({ kind: 'block', info, data, start: 0, end: whole.bytes, skipped: from })
  }
  const length = waiting.end - from - whole.bytes
  if (length > 0) {
    const message = 'entries in an arena of which the lengths do not fit; nothing of them is delivered'
    const offset = waiting.position + from + whole.bytes
    items.push({ kind: 'damage', damage: { kind: 'bad-entry', path: arena.path, offset, length, message } })
  }
  return items
}

function takeEntries(arena: ArenaFile, state: ArenaState, logPath: string, shown: ShownEntries): ScanItem[] | null {
  const items: ScanItem[] = []
  const taken: WaitingSegment[] = []
  let bytes = 0
  for (const waiting of waitingSegments(arena, state)) {
    const from = shown.end(arena.stream, generationOf(waiting), waiting.segment)
    if (waiting.end <= from) continue
    items.push(...readEntries(arena, logPath, waiting, from))
    taken.push(waiting)
    bytes += waiting.end - from
    if (bytes >= MAX_ROUND_BYTES) break
  }
  // What was written meanwhile may have been written over while it was being read.
  if (arena.state().written !== state.written) return null
  for (const waiting of taken) shown.mark(arena.stream, generationOf(waiting), waiting.segment, waiting.end)
  return items
}

/**
 * What is in an arena and neither the log nor an earlier call has shown, some MiB of it at a time, each producer's in order; records
 * as the lines that are made of them. The log has to have been read as far as `state` says it is written.
 * @returns null if a generation was written to the log meanwhile: what was read may be something else by now.
 */
export function takeFromArena(arena: ArenaFile, state: ArenaState, logPath: string, shown: Shown): ScanItem[] | null {
  if (arena.content === CONTENT_RECORDS) return takeRecords(arena, state, logPath, shown.lines)
  return takeEntries(arena, state, logPath, shown.entries)
}
