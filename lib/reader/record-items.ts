import type { ArenaFile, ArenaState } from '../arena/arena-file'
import { FORM_TEXT } from '../arena/arena-file'
import { loadSpilled, type WaitingSegment, waitingSegments } from '../arena/waiting-segments'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format/constants'
import { mergeSegments } from '../record/merge'
import { type Rendered, renderEntries } from '../record/render'
import { arenaBlock, generationOf } from './arena-block'
import { lineEnds, timeFromMs } from './lines'
import type { ShownLines } from './shown-lines'
import type { BlockItem, DamageReport, ScanItem } from './types'

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

function* stepsOf(arena: ArenaFile, waiting: WaitingSegment, shown: ShownLines): Generator<Step, void> {
  const from = shown.ends.end(arena.stream, generationOf(waiting), waiting.segment)
  if (waiting.end <= from) return
  // Read from the segment's start, for what is shown now may refer to what was defined there.
  const data = arena.read(waiting.position, waiting.end)
  const load = loadSpilled(arena)
  for (const { start, end, rendered } of renderEntries(data, BLOCK_HEADER_BYTES, data.length, from, load)) {
    yield { waiting, start, end, time: rendered.time, rendered }
  }
}

/** The payloads that have not been shown, generation by generation, each in the order in which it will be written. */
function* stepsInOrder(arena: ArenaFile, state: ArenaState, shown: ShownLines): Generator<Step, void> {
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

/** What a rendered payload will be in the log: one entry, or, in a text, as many lines as it has. */
function entriesOf(arena: ArenaFile, bytes: Buffer): Buffer[] {
  if (arena.form !== FORM_TEXT) return [bytes]
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
 * The lines of an arena of records that neither the log nor an earlier call has shown, some MiB of them at a time, in the order of
 * docs/reference/record-format.md, section 5, as far as it can be known while threads are logging; and the records that are damaged. As
 * `takeFromArena`.
 */
export function takeRecords(
  arena: ArenaFile,
  state: ArenaState,
  logPath: string,
  shown: ShownLines
): ScanItem[] | null {
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
    shown.ends.mark(arena.stream, generation, step.waiting.segment, step.end)
    if (!('damage' in step.rendered)) {
      for (const line of entriesOf(arena, step.rendered.bytes)) shown.mark(arena.stream, generation, line)
    }
    builder.add(step)
  }
  return builder.finish()
}
