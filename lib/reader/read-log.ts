import { ENTRY_PREFIX_BYTES } from '../format/constants'
import type { WithPaths } from '../path-like'
import { followFiles } from './follow'
import {
  type BlockItem,
  collectLines,
  type Damage,
  damageError,
  Entry,
  entrySlices,
  type LinesItem,
  type ScanItem
} from './items'
import { checkReadArguments, type LogPath, type ReadOptions, resolveArenaDir } from './read-options'
import { scanByTime, scanFiles } from './scan-log'

export interface IteratorOptions {
  strict?: boolean | undefined
  onDamage?: ((damage: Damage) => void) | undefined
  signal?: AbortSignal | undefined
}

type Step = IteratorResult<Entry, undefined>

const END: Step = { done: true, value: undefined }
/** Entries of lines are made so many at once. */
const SLICE_LINES = 256

function none<T>(): Iterator<T, void> {
  const nothing: T[] = []
  return nothing[Symbol.iterator]()
}

/**
 * Entries one by one. Those of blocks are made when they are asked for: of an array of them, the garbage collector would move all
 * before they are used. A promise that is resolved already costs far less than an async generator's two a step.
 */
export class EntryIterator implements AsyncIterableIterator<Entry> {
  private items = none<ScanItem>()
  private lines = none<Entry>()
  /** What `lines` are of, and where in its data they end. */
  private text: LinesItem | null = null
  private textAt = 0
  private block: BlockItem | null = null
  /** Of `block`: where its next length prefix is, where its entries end, how many have been taken, from index to offset. */
  private at = 0
  private end = 0
  private count = 0
  private shift = 0
  /** The last refill that was asked for: those who do not wait for one get theirs in turn. */
  private turn: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly batches: AsyncGenerator<ScanItem[], void>,
    private readonly options: IteratorOptions
  ) {}

  next(): Promise<Step> {
    if (this.at < this.end) return Promise.resolve({ done: false, value: this.take() })
    const line = this.lines.next()
    return line.done ? this.refill() : Promise.resolve(line)
  }

  async return(): Promise<Step> {
    this.at = this.end
    this.items = none()
    this.lines = none()
    this.text = null
    await this.batches.return()
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private take(): Entry {
    const { info, data, offsets } = this.block!
    const start = this.at + ENTRY_PREFIX_BYTES
    this.at = start + data.readUInt32LE(this.at)
    const offset = offsets?.[this.count++] ?? start + this.shift
    return new Entry(info, data, start, this.at, offset)
  }

  private refill(): Promise<Step> {
    const step = this.turn.then(() => this.fill())
    this.turn = step.catch(() => undefined) // Whoever asked for it is told.
    return step
  }

  private async fill(): Promise<Step> {
    try {
      for (;;) {
        const entry = this.takeHere()
        if (entry) return { done: false, value: entry }
        if (this.options.signal?.aborted) return await this.return()
        const step = await this.batches.next()
        if (step.done) return END
        this.items = step.value[Symbol.iterator]()
      }
    } catch (error) {
      await this.return()
      throw error
    }
  }

  /** The next entry of the batch at hand. */
  private takeHere(): Entry | null {
    for (;;) {
      if (this.at < this.end) return this.take()
      const line = this.lines.next()
      if (!line.done) return line.value
      if (this.sliceText()) continue
      const item = this.items.next()
      if (item.done) return null
      this.open(item.value)
    }
  }

  /** Makes entries of the next lines of the text at hand; false if there are none. */
  private sliceText(): boolean {
    if (!this.text || this.textAt >= this.text.end) return false
    const entries: Entry[] = []
    this.textAt = collectLines(this.text, entries, this.textAt, SLICE_LINES)
    this.lines = entries[Symbol.iterator]()
    return true
  }

  private open(item: ScanItem): void {
    if (item.kind === 'block') {
      this.block = item
      this.at = item.start
      this.end = item.end
      this.count = 0
      this.shift = item.info.offset + item.skipped - item.start
    } else if (item.kind === 'lines') {
      this.text = item
      this.textAt = item.start
    } else if (item.kind === 'damage') {
      this.options.onDamage?.(item.damage)
      if (this.options.strict) throw damageError(item.damage)
    }
  }
}

/** About as many entries are in memory as objects at once. */
const BATCH_ENTRIES = 8192

function scan(paths: readonly string[], options: WithPaths<ReadOptions>): AsyncGenerator<ScanItem[], void> {
  const { salvage = false, format = 'auto', signal, arenaDir } = options
  const byTime = options.order === 'time'
  if (options.follow) return followFiles(paths, { salvage, format, byTime, signal, arenaDir })
  return byTime ? scanByTime(paths, { salvage, format, arenaDir }) : scanFiles(paths, { salvage, format, arenaDir })
}

/** What `readLog` returns: entries one by one, or in batches for those who read a lot. Each iteration reads anew. */
export class LogEntries implements AsyncIterable<Entry> {
  constructor(
    private readonly paths: readonly string[],
    private readonly options: WithPaths<ReadOptions>
  ) {}

  [Symbol.asyncIterator](): AsyncIterableIterator<Entry> {
    return new EntryIterator(scan(this.paths, this.options), this.options)
  }

  /**
   * Entries in arrays of one block or more, or of as many lines as were read at once, some ten thousand at the most and never empty: several
   * times faster than one by one.
   */
  async *batches(): AsyncGenerator<Entry[], void> {
    const { strict, onDamage, signal } = this.options
    if (signal?.aborted) return
    for await (const items of scan(this.paths, this.options)) {
      let entries: Entry[] = []
      for (const item of items) {
        if (item.kind === 'block' || item.kind === 'lines') {
          for (const slice of entrySlices(item, BATCH_ENTRIES)) {
            if (entries.length === 0) entries = slice
            else for (const entry of slice) entries.push(entry)
            if (entries.length < BATCH_ENTRIES) continue
            yield entries
            entries = []
            if (signal?.aborted) return
          }
        } else if (item.kind === 'damage' && (onDamage || strict)) {
          if (entries.length > 0) yield entries.splice(0)
          onDamage?.(item.damage)
          if (strict) throw damageError(item.damage)
        }
      }
      if (entries.length > 0) yield entries
      if (signal?.aborted) return
    }
  }
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export function readLog(path: LogPath | readonly LogPath[], options: ReadOptions = {}): LogEntries {
  const paths = checkReadArguments(Array.isArray(path) ? path : [path], options)
  return new LogEntries(paths, { ...options, arenaDir: resolveArenaDir(options.arenaDir) })
}
