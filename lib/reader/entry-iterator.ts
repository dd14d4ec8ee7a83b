import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { collectLines, Entry } from './entry'
import { damageError } from './errors'
import type { BlockItem, Damage, LinesItem, ScanItem } from './types'

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
