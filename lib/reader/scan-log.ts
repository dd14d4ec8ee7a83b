/** All that logs hold, in batches: one log after the other, or several merged by time. */

import type { LogPlace } from '../arena/locate'
import { SECTOR_BYTES } from '../format/constants'
import {
  type BlockItem,
  type DamageReport,
  type LinesItem,
  type LogFormat,
  lineEnd,
  lineEnds,
  type ScanItem,
  type Scanner
} from './items'
import { timeOfLine } from './lines'
import { LogFollower } from './log-follower'
import { isForbidden, scanArena } from './log-place'
import { isArena, makeScanner, type OpenOptions, openLog, sourceFormat, stableEnd } from './open-log'
import { CHUNK_BYTES, FileSource, gzipDamage, readError, type Source } from './source'

/** Where reading may go on behind what a scanner has read: at a line, or a sector. */
export function resumePosition({ position }: Scanner, format: LogFormat): number {
  return format === 'ndjson' ? position : position - (position % SECTOR_BYTES)
}

/**
 * Batches of what stands in one source, in file order; closes it at the end.
 * @returns where reading may go on when there is more
 */
export async function* scanSource(source: Source, options: OpenOptions = {}): AsyncGenerator<ScanItem[], number> {
  let scanner: Scanner | null = null
  try {
    // What is too short to tell is empty, or a torn block.
    const format = (await sourceFormat(source, options.format)) ?? 'shard'
    scanner = makeScanner(source, format, options)
    scanner.limit = await stableEnd(source)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) yield items
    const damage = gzipDamage(source)
    if (damage.length > 0) yield damage
    return resumePosition(scanner, format)
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

/**
 * Batches of what waits in the arena of a log, whose file has been read as far as `start`; and of
 * what its process writes to the file meanwhile. All that was accepted before the call comes, each
 * entry once; a process that goes on logging does not keep it going.
 */
export async function* scanWaiting(
  log: LogPlace,
  start: number,
  options: OpenOptions
): AsyncGenerator<ScanItem[], void> {
  const { salvage = false, format = 'auto' } = options
  const follower = new LogFollower(log, { start, salvage, format })
  try {
    const goal = follower.activeGeneration()
    const wrong = follower.arenaError
    if (wrong && !isForbidden(wrong)) yield [badArena(log.path, wrong)]
    if (goal === null) return
    for (let items = await follower.round(); items !== null; items = await follower.round()) {
      if (items.length > 0) yield items
      if (await follower.isPast(goal)) return
    }
    const foreign = await follower.foreignItems()
    if (foreign.length > 0) yield foreign
  } catch (error) {
    throw readError(log.path, error)
  } finally {
    await follower.close()
  }
}

function badArena(path: string, { message }: Error): DamageReport {
  return { kind: 'damage', damage: { kind: 'bad-arena', path, offset: 0, length: 0, message } }
}

/**
 * Batches of one log: what stands in the file, then what waits in its arena. The log may be an
 * arena itself, or the file be missing.
 */
export async function* scanLog(log: LogPlace, options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  const source = await openLog(log)
  if (source && (options.format ?? 'auto') === 'auto' && (await isArena(source))) {
    await source.close()
    yield* scanArena(log.path)
    return
  }
  const isFile = source instanceof FileSource
  const end = source ? yield* scanSource(source, options) : 0
  if (source === null || isFile) yield* scanWaiting(log, end, options)
}

/** Batches of several logs, one after the other. */
export async function* scanFiles(logs: readonly LogPlace[], options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  for (const log of logs) yield* scanLog(log, options)
}

/** Each line by itself, with its time. */
function splitLines(item: LinesItem): LinesItem[] {
  const { data, offset } = item
  let start = item.start
  return Array.from(lineEnds(item), end => {
    const line = { ...item, offset: offset + start - item.start, start, end, time: timeOfLine(data, start, end) }
    start = end
    return line
  })
}

/** A generation larger than this is not sorted as a whole, so that memory stays bounded. */
const MAX_HELD_BYTES = 128 * 1024 * 1024

/** Items are put together to batches of so many, or of so many bytes. */
const BATCH_ITEMS = 4096
const BATCH_BYTES = 1024 * 1024
/** What all files that are open at once are read in, together; and each at least. */
const OPEN_BYTES = 64 * 1024 * 1024
const MIN_CHUNK_BYTES = 64 * 1024

function timeOf(item: ScanItem): bigint | undefined {
  if (item.kind === 'lines') return item.time
  return item.kind === 'block' ? item.info.firstTime : undefined
}

/**
 * Sorts by the time of lines, or at which blocks were begun; what has no time stays behind what
 * stood before it.
 */
export function sortByTime(items: readonly ScanItem[]): ScanItem[] {
  let last = 0n
  const timed = items.flatMap(single).map(item => {
    last = timeOf(item) ?? last
    return { item, time: last }
  })
  timed.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  return timed.map(({ item }) => item)
}

/** Whether blocks, and what stands among them, are sorted already, as those of one thread are. */
function isInOrder(items: readonly ScanItem[]): boolean {
  let last = 0n
  for (const item of items) {
    const time = timeOf(item) ?? last
    if (time < last) return false
    last = time
  }
  return true
}

const single = (item: ScanItem): ScanItem[] => (item.kind === 'lines' ? splitLines(item) : [item])

function sameGeneration(a: BlockItem, b: BlockItem): boolean {
  return a.info.stream === b.info.stream && a.info.generation === b.info.generation
}

/**
 * One log's items in time order, of which the next one can be looked at. Lines come one by one as
 * they stand: whoever wrote them has put them in order. Of blocks only those of one generation
 * overlap in time, and they stand together, so each generation is sorted by itself.
 */
class TimedLog {
  /** Time of the next item; of what has none, that of what stood before it. */
  time = 0n
  /** Whether `take` has an item to give. Otherwise `load` may. */
  ready = false
  private queue: ScanItem[] = []
  private taken = 0
  /** Blocks of a generation that is not complete, and what stands among them. */
  private held: ScanItem[] = []
  private heldBytes = 0
  private current: BlockItem | null = null
  private ended = false
  /** The item at hand. */
  private item: ScanItem | null = null
  /** Of lines: the one that is next. */
  private lineStart = 0
  private lineEnd = 0

  constructor(private readonly batches: AsyncGenerator<ScanItem[], void>) {}

  /** Reads on until there is an item; false if none is left. */
  async load(): Promise<boolean> {
    while (!this.ready && !this.ended) {
      const step = await this.batches.next()
      this.ended = step.done === true
      for (const item of step.value ?? []) this.accept(item)
      if (this.ended) this.release()
      this.advance()
    }
    return this.ready
  }

  /** The next item; of lines, a single one. */
  take(): ScanItem {
    const item = this.item!
    if (item.kind !== 'lines') {
      this.advance()
      return item
    }
    const { lineStart: start, lineEnd: end } = this
    this.advance()
    return { ...item, offset: item.offset + start - item.start, start, end }
  }

  async close(): Promise<void> {
    await this.batches.return()
  }

  private accept(item: ScanItem): void {
    if (item.kind === 'fill') return
    if (item.kind === 'lines') this.release()
    if (item.kind !== 'block') {
      if (this.held.length > 0) this.held.push(item)
      else this.queue.push(item)
      return
    }
    const { current } = this
    if (current && (!sameGeneration(current, item) || this.heldBytes > MAX_HELD_BYTES)) this.release()
    this.current = item
    this.heldBytes += item.info.valid
    this.held.push(item)
  }

  /** The generation at hand is complete. */
  private release(): void {
    if (this.held.length === 0) return
    for (const item of isInOrder(this.held) ? this.held : sortByTime(this.held)) this.queue.push(item)
    this.held = []
    this.heldBytes = 0
    this.current = null
  }

  private advance(): void {
    const { item } = this
    if (item?.kind === 'lines' && this.lineEnd < item.end) {
      this.toLine(item, this.lineEnd)
      return
    }
    if (this.taken === this.queue.length) {
      this.queue = []
      this.taken = 0
      this.item = null
      this.ready = false
      return
    }
    const next = this.queue[this.taken++]!
    this.item = next
    this.ready = true
    if (next.kind === 'lines') this.toLine(next, next.start)
    else this.passTime(timeOf(next))
  }

  private toLine(item: LinesItem, start: number): void {
    this.lineStart = start
    this.lineEnd = lineEnd(item.data, start, item.end)
    this.passTime(timeOfLine(item.data, start, this.lineEnd))
  }

  private passTime(own: bigint | undefined): void {
    if (own !== undefined && own > this.time) this.time = own
  }
}

/**
 * Items that come out together. Lines that stand one behind the other in a file become one item
 * again.
 */
class Batch {
  items: ScanItem[] = []
  private bytes = 0

  add(item: ScanItem): void {
    if (item.kind !== 'damage') this.bytes += item.kind === 'fill' ? 0 : item.end - item.start
    const last = this.items.at(-1)
    if (item.kind === 'lines' && last?.kind === 'lines' && last.data === item.data && last.end === item.start) {
      this.items[this.items.length - 1] = { ...item, offset: last.offset, start: last.start }
    } else {
      this.items.push(item)
    }
  }

  get isFull(): boolean {
    return this.items.length >= BATCH_ITEMS || this.bytes >= BATCH_BYTES
  }
}

function earliest(logs: readonly TimedLog[]): TimedLog {
  return logs.reduce((best, log) => (log.time < best.time ? log : best))
}

/** Several logs merged by the time of lines, or at which blocks were begun. */
export async function* scanByTime(places: readonly LogPlace[], options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  const chunkBytes = Math.max(MIN_CHUNK_BYTES, Math.floor(OPEN_BYTES / places.length))
  const own = chunkBytes < CHUNK_BYTES ? { ...options, chunkBytes } : options
  const all = places.map(place => new TimedLog(scanLog(place, own)))
  try {
    const loaded = await Promise.all(all.map(log => log.load()))
    let logs = all.filter((_, i) => loaded[i])
    let batch = new Batch()
    while (logs.length > 0) {
      const log = earliest(logs)
      batch.add(log.take())
      if (!log.ready && !(await log.load())) logs = logs.filter(other => other !== log)
      if (batch.isFull) {
        yield batch.items
        batch = new Batch()
      }
    }
    if (batch.items.length > 0) yield batch.items
  } finally {
    for (const log of all) await log.close()
  }
}
