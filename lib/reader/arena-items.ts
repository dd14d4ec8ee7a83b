import type { ArenaFile, ArenaState } from '../arena/arena-file'
import { CONTENT_RECORDS } from '../arena/layout'
import { type WaitingSegment, waitingSegments } from '../arena/waiting-segments'
import { arenaBlock, generationOf } from './arena-block'
import { wholeEntries } from './parse-block'
import { takeRecords } from './record-items'
import type { Shown } from './shown'
import type { ShownEntries } from './shown-entries'
import type { BlockItem, ScanItem } from './types'

const MAX_ROUND_BYTES = 4 * 1024 * 1024

/** A segment's entries from `from` on; null if they do not decode, which means that they were written over while being read. */
function readEntries(arena: ArenaFile, logPath: string, waiting: WaitingSegment, from: number): BlockItem | null {
  const data = arena.read(waiting.position + from, waiting.end - from)
  const whole = wholeEntries(data, 0, data.length)
  if (data.length < waiting.end - from || whole.bytes !== data.length) return null
  return {
    kind: 'block',
    info: arenaBlock(arena, logPath, waiting, {
      valid: waiting.end - 8,
      entries: whole.count,
      firstTime: waiting.claimedTime,
      lastTime: waiting.releasedTime === 0n ? undefined : waiting.releasedTime
    }),
    data,
    start: 0,
    end: data.length,
    skipped: from
  }
}

function takeEntries(arena: ArenaFile, state: ArenaState, logPath: string, shown: ShownEntries): BlockItem[] | null {
  const items: BlockItem[] = []
  let bytes = 0
  for (const waiting of waitingSegments(arena, state)) {
    const generation = generationOf(waiting)
    const from = shown.end(arena.stream, generation, waiting.segment)
    if (waiting.end <= from) continue
    const item = readEntries(arena, logPath, waiting, from)
    if (!item) break
    items.push(item)
    bytes += item.end
    if (bytes >= MAX_ROUND_BYTES) break
  }
  if (arena.state().written !== state.written) return null
  for (const { info, end, skipped } of items) {
    if (info.generation === undefined || info.segment === undefined) continue
    shown.mark(arena.stream, info.generation, info.segment, skipped + end)
  }
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
