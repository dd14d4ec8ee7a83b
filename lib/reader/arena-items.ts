/**
 * What waits in an arena, as items of its log. It remembers what has been shown, so that each entry
 * is shown once.
 */

import { createHash } from 'node:crypto'
import { type ArenaFile, type ArenaState, CONTENT_RECORDS, FORMAT_NDJSON } from '../arena/arena-file'
import { loadSpilled, type WaitingSegment, waitingSegments } from '../arena/waiting-segments'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format/constants'
import { mergeSegments } from '../record/merge'
import { type Rendered, renderEntries } from '../record/render'
import {
  type BlockInfo,
  type BlockItem,
  collectEntries,
  type DamageReport,
  type Entry,
  type LinesItem,
  lineEnds,
  type ScanItem
} from './items'
import { timeFromMs } from './lines'
import { wholeEntries } from './parse-block'

/** A segment's generation as trailers tell it: modulo 2^32. */
const generationOf = (waiting: WaitingSegment): number => Number(waiting.generation & 0xffff_ffffn)

/**
 * What is known of entries that wait in a segment of an arena, as if they were a block; `own` is
 * what its reader found.
 */
function arenaBlock(
  arena: ArenaFile,
  logPath: string,
  waiting: WaitingSegment,
  own: Pick<BlockInfo, 'valid' | 'entries' | 'firstTime' | 'lastTime'>
): BlockInfo {
  return {
    path: logPath,
    offset: waiting.position,
    source: 'arena',
    hasTrailer: false,
    recovered: false,
    stream: arena.stream,
    generation: generationOf(waiting),
    segment: waiting.segment,
    producer: waiting.producer,
    ...own
  }
}

/** Something for each stream and generation. Generations count modulo 2^32, as in trailers. */
class ByGeneration<Value> {
  private readonly streams = new Map<bigint, Map<number, Value>>()

  get(stream: bigint, generation: number): Value | undefined {
    return this.streams.get(stream)?.get(generation)
  }

  /** What there is for a generation; what `make` gives is kept if there is nothing yet. */
  obtain(stream: bigint, generation: number, make: () => Value): Value {
    const generations = this.streams.get(stream) ?? new Map<number, Value>()
    this.streams.set(stream, generations)
    const value = generations.get(generation) ?? make()
    generations.set(generation, value)
    return value
  }

  /** All values, those of older generations first. */
  values(): Value[] {
    return [...this.streams.values()].flatMap(generations => [...generations.values()])
  }

  /** Forgets the generations below `written`. */
  forgetBelow(stream: bigint, written: bigint): void {
    const kept = [written & 0xffff_ffffn, (written + 1n) & 0xffff_ffffn].map(Number)
    const generations = this.streams.get(stream)
    for (const generation of generations?.keys() ?? []) {
      if (!kept.includes(generation)) generations?.delete(generation)
    }
  }

  /** Forgets all streams but `stream`. */
  forgetOthers(stream: bigint | null): void {
    for (const other of this.streams.keys()) if (other !== stream) this.streams.delete(other)
  }
}

/** How far the segments of arenas have been shown. */
class ShownEnds extends ByGeneration<Map<number, number>> {
  /** End of the last entry shown of a segment, from its start; 8 if none was. */
  end(stream: bigint, generation: number, segment: number): number {
    return this.get(stream, generation)?.get(segment) ?? BLOCK_HEADER_BYTES
  }

  mark(stream: bigint, generation: number, segment: number, end: number): void {
    this.obtain(stream, generation, () => new Map()).set(segment, end)
  }
}

/** As good as the line itself, and mostly shorter. */
function digest(line: Buffer): string {
  return createHash('sha256').update(line).digest('base64')
}

/** Lines that were shown and have not come out of the log yet, with their number. */
class LineCounts {
  private readonly counts = new Map<string, number>()

  get isEmpty(): boolean {
    return this.counts.size === 0
  }

  add(line: Buffer): void {
    const key = digest(line)
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1)
  }

  /** Takes one of the lines with this digest; false if there is none. */
  take(key: string): boolean {
    const count = this.counts.get(key)
    if (count === undefined) return false
    if (count > 1) this.counts.set(key, count - 1)
    else this.counts.delete(key)
    return true
  }
}

/**
 * What has been shown out of arenas, so that it is not shown again when it stands in the log.
 *
 * Raw entries stand in the log in the order of their segment, whose generation and number the
 * block's trailer tells: the end of the last entry shown is enough. Lines that are made of records
 * stand there in another order and at other places, so a line that comes out of the log is known by
 * its bytes: of those that a generation holds several times, as many are left out as were shown.
 */
export class Shown {
  /** Of arenas of raw entries. */
  readonly entryEnds = new ShownEnds()
  /** Of arenas of records. */
  readonly recordEnds = new ShownEnds()
  private readonly lines = new ByGeneration<LineCounts>()

  /** Remembers a line that was made of a record. */
  markLine(stream: bigint, generation: number, line: Buffer): void {
    this.lines.obtain(stream, generation, () => new LineCounts()).add(line)
  }

  /** The items without what was shown before. */
  filter(items: readonly ScanItem[]): ScanItem[] {
    return items.flatMap((item): ScanItem[] => {
      if (item.kind === 'lines') return this.unseenLines(item)
      if (item.kind !== 'block') return [item]
      const block = this.unseenEntries(item)
      return block ? this.unseenOfRecords(block) : []
    })
  }

  /** Forgets the generations below `written`: the log has been read past them. */
  forgetBelow(stream: bigint, written: bigint): void {
    for (const part of [this.entryEnds, this.recordEnds, this.lines]) part.forgetBelow(stream, written)
  }

  /**
   * Forgets all streams but `stream`: their arenas are gone and the log has been read to its end.
   */
  forgetOthers(stream: bigint | null): void {
    for (const part of [this.entryEnds, this.recordEnds, this.lines]) part.forgetOthers(stream)
  }

  /** The part of a block of raw entries that was not shown yet; null if all of it was. */
  private unseenEntries(block: BlockItem): BlockItem | null {
    const { stream, generation, segment } = block.info
    if (stream === undefined || generation === undefined || segment === undefined) return block
    const shown = this.entryEnds.end(stream, generation, segment) - BLOCK_HEADER_BYTES
    if (shown === 0) return block
    const start = block.start + shown
    return start < block.end ? { ...block, start, skipped: block.skipped + shown } : null
  }

  /** The runs of a block of lines made of records that were not shown yet. */
  private unseenOfRecords(block: BlockItem): BlockItem[] {
    const { stream, generation } = block.info
    if (stream === undefined || generation === undefined) return [block]
    const lines = this.lines.get(stream, generation)
    if (!lines || lines.isEmpty) return [block]
    const entries: Entry[] = []
    collectEntries(block, entries)
    const runs: BlockItem[] = []
    let at = block.start
    for (const entry of entries) {
      const start = at
      at += ENTRY_PREFIX_BYTES + entry.length
      if (lines.take(digest(entry.bytes))) continue
      const last = runs.at(-1)
      if (last?.end === start) runs[runs.length - 1] = { ...last, end: at }
      else runs.push({ ...block, start, end: at, skipped: block.skipped + start - block.start })
    }
    return runs
  }

  /**
   * The runs of lines of a text that were not shown yet. A text does not tell which generation its
   * lines are of: each is taken for the oldest that has such a line.
   */
  private unseenLines(item: LinesItem): LinesItem[] {
    const shown = this.lines.values()
    if (shown.every(lines => lines.isEmpty)) return [item]
    const runs: LinesItem[] = []
    let start = item.start
    for (const end of lineEnds(item)) {
      const key = digest(item.data.subarray(start, end))
      if (!shown.some(lines => lines.take(key))) {
        const last = runs.at(-1)
        if (last?.end === start) runs[runs.length - 1] = { ...last, end }
        else runs.push({ ...item, offset: item.offset + start - item.start, start, end })
      }
      start = end
    }
    return runs
  }
}

/** One call takes about this much out of an arena. */
const MAX_ROUND_BYTES = 4 * 1024 * 1024

/** One payload of a segment, rendered. */
interface Step {
  waiting: WaitingSegment
  /** Where the payload lies, from the start of its segment. */
  start: number
  end: number
  /** ms since the Unix epoch. */
  time: number
  rendered: Rendered
}

function* stepsOf(arena: ArenaFile, waiting: WaitingSegment, shown: Shown): Generator<Step, void> {
  const from = shown.recordEnds.end(arena.stream, generationOf(waiting), waiting.segment)
  if (waiting.end <= from) return
  // Read from the segment's start, for what is shown now may refer to what was defined there.
  const data = arena.read(waiting.position, waiting.end)
  const load = loadSpilled(arena)
  for (const { start, end, rendered } of renderEntries(data, BLOCK_HEADER_BYTES, data.length, from, load)) {
    yield { waiting, start, end, time: rendered.time, rendered }
  }
}

/**
 * The payloads that have not been shown, generation by generation, each in the order in which it
 * will be written.
 */
function* stepsInOrder(arena: ArenaFile, state: ArenaState, shown: Shown): Generator<Step, void> {
  const generations = new Map<bigint, WaitingSegment[]>()
  for (const waiting of waitingSegments(arena, state)) {
    const { generation } = waiting
    generations.set(generation, [...(generations.get(generation) ?? []), waiting])
  }
  for (const segments of generations.values()) {
    yield* mergeSegments(segments, waiting => stepsOf(arena, waiting, shown))
  }
}

function damageItem(arena: ArenaFile, { waiting, start, end }: Step, problem: string): DamageReport {
  const message = `a record that cannot be rendered: ${problem}; no line is made of it`
  const offset = waiting.position + start
  return { kind: 'damage', damage: { kind: 'bad-record', path: arena.path, offset, length: end - start, message } }
}

/**
 * What a rendered payload will be in the log: one entry, or, in a text, as many lines as it has.
 */
function entriesOf(arena: ArenaFile, bytes: Buffer): Buffer[] {
  if (arena.format !== FORMAT_NDJSON) return [bytes]
  let start = 0
  return Array.from(lineEnds({ data: bytes, start, end: bytes.length }), end => {
    const line = bytes.subarray(start, end)
    start = end
    return line
  })
}

/** Makes items of steps: a block of each run of lines that stand together in a segment. */
class ItemBuilder {
  readonly items: ScanItem[] = []
  private parts: Buffer[] = []
  private offsets: number[] = []
  private run: Step | null = null
  /** Nanoseconds, of the latest line of the generation so far; 0 if none had a time. */
  private time = 0n
  private firstTime = 0n

  constructor(
    private readonly arena: ArenaFile,
    private readonly logPath: string
  ) {}

  add(step: Step): void {
    const { rendered, waiting } = step
    if ('damage' in rendered) {
      this.endRun()
      this.items.push(damageItem(this.arena, step, rendered.damage))
      return
    }
    if (this.run?.waiting !== waiting) this.endRun()
    if (this.run?.waiting.generation !== waiting.generation) this.time = 0n
    this.advanceTime(rendered.time)
    if (this.parts.length === 0) this.firstTime = this.time
    this.run = step
    for (const line of entriesOf(this.arena, rendered.bytes)) {
      const prefix = Buffer.allocUnsafe(ENTRY_PREFIX_BYTES)
      prefix.writeUInt32LE(line.length)
      this.parts.push(prefix, line)
      this.offsets.push(waiting.position + step.start)
    }
  }

  finish(): ScanItem[] {
    this.endRun()
    return this.items
  }

  private advanceTime(ms: number): void {
    const ns = timeFromMs(ms)
    if (ns !== undefined && ns > this.time) this.time = ns
  }

  private endRun(): void {
    if (!this.run || this.parts.length === 0) return
    this.items.push(this.block(this.run.waiting, Buffer.concat(this.parts)))
    this.parts = []
    this.offsets = []
  }

  private block(waiting: WaitingSegment, data: Buffer): BlockItem {
    const { arena, logPath, offsets, firstTime, time } = this
    return {
      kind: 'block',
      info: arenaBlock(arena, logPath, waiting, {
        valid: data.length,
        entries: offsets.length,
        firstTime: firstTime === 0n ? waiting.claimedTime : firstTime,
        lastTime: time === 0n ? undefined : time
      }),
      data,
      start: 0,
      end: data.length,
      skipped: BLOCK_HEADER_BYTES,
      offsets
    }
  }
}

/**
 * The lines of an arena of records that neither the log nor an earlier call has shown, some MiB of
 * them at a time, in the order of docs/reference/record-format.md, section 5, as far as it can be
 * known while threads are logging; and the records that are damaged. As `takeFromArena`.
 */
function takeRecords(arena: ArenaFile, state: ArenaState, logPath: string, shown: Shown): ScanItem[] | null {
  const steps: Step[] = []
  let bytes = 0
  for (const step of stepsInOrder(arena, state, shown)) {
    steps.push(step)
    bytes += ENTRY_PREFIX_BYTES + ('damage' in step.rendered ? step.end - step.start : step.rendered.bytes.length)
    if (bytes >= MAX_ROUND_BYTES) break
  }
  if (arena.state().written !== state.written) return null
  const builder = new ItemBuilder(arena, logPath)
  for (const step of steps) {
    const generation = generationOf(step.waiting)
    shown.recordEnds.mark(arena.stream, generation, step.waiting.segment, step.end)
    if (!('damage' in step.rendered)) {
      for (const line of entriesOf(arena, step.rendered.bytes)) shown.markLine(arena.stream, generation, line)
    }
    builder.add(step)
  }
  return builder.finish()
}

/**
 * A segment's entries from `from` on, as far as they decode, and a damage if that is not to their
 * end.
 */
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

function takeEntries(arena: ArenaFile, state: ArenaState, logPath: string, shown: Shown): ScanItem[] | null {
  const items: ScanItem[] = []
  const taken: WaitingSegment[] = []
  let bytes = 0
  for (const waiting of waitingSegments(arena, state)) {
    const from = shown.entryEnds.end(arena.stream, generationOf(waiting), waiting.segment)
    if (waiting.end <= from) continue
    items.push(...readEntries(arena, logPath, waiting, from))
    taken.push(waiting)
    bytes += waiting.end - from
    if (bytes >= MAX_ROUND_BYTES) break
  }
  // What was written meanwhile may have been written over while it was being read.
  if (arena.state().written !== state.written) return null
  for (const waiting of taken) shown.entryEnds.mark(arena.stream, generationOf(waiting), waiting.segment, waiting.end)
  return items
}

/**
 * What is in an arena and neither the log nor an earlier call has shown, some MiB of it at a time,
 * each producer's in order; records as the lines that are made of them. The log has to have been
 * read as far as `state` says it is written.
 * @returns null if a generation was written to the log meanwhile: what was read may be something
 *   else by now.
 */
export function takeFromArena(arena: ArenaFile, state: ArenaState, logPath: string, shown: Shown): ScanItem[] | null {
  if (arena.content === CONTENT_RECORDS) return takeRecords(arena, state, logPath, shown)
  return takeEntries(arena, state, logPath, shown)
}
