/** Reads the records that an index tells of: one for the screen, or many in a row. */

import { type Clock, NO_TIME } from './clock'
import type { LevelTable, ViewEvent } from './event'
import type { EventIndex, Place } from './event-index'
import { type Extent, extentOf, HeadReader, type Page, type Volume } from './page'

/** A page whose bytes were read. Where its records lie is found out when somebody asks. */
export class LoadedPage {
  /** Times of its records, in ticks; null until somebody has asked. */
  times: Float64Array | null = null
  #extent: Extent | null = null

  constructor(
    readonly page: Page,
    /** Index in its file of the page's first record. */
    readonly first: number,
    readonly data: Buffer,
    /** Where the page begins in `data`. */
    readonly start: number
  ) {}

  get end(): number {
    return Math.min(this.data.length, this.start + this.page.bytes)
  }

  get volume(): Volume {
    return this.page.volume
  }

  /** Where its records lie in `data`; fewer than it had if the file was cut. */
  get extent(): Extent {
    this.#extent ??= extentOf(this.volume.form, this.data, this, this.page.count)
    return this.#extent
  }

  /** The text of a record. */
  text(i: number): string {
    return this.data.toString('utf8', this.extent.starts[i], this.extent.ends[i]).trimEnd()
  }
}

/** So much is read at once, gaps between pages included. */
const GROUP_BYTES = 512 * 1024
const GAP_BYTES = 8 * 1024
const CACHED_PAGES = 256
const CACHED_BYTES = 16 * 1024 * 1024

/** Keeps what was used last. */
class Cache<Value> {
  readonly #values = new Map<string, { value: Value; bytes: number }>()
  #bytes = 0

  get(key: string): Value | undefined {
    const found = this.#values.get(key)
    if (found === undefined) return undefined
    this.#values.delete(key)
    this.#values.set(key, found)
    return found.value
  }

  set(key: string, value: Value, bytes: number): void {
    this.delete(key)
    this.#values.set(key, { value, bytes })
    this.#bytes += bytes
    for (const [oldest] of this.#values) {
      if (oldest === key || (this.#values.size <= CACHED_PAGES && this.#bytes <= CACHED_BYTES)) break
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#values.get(key)?.bytes ?? 0
    this.#values.delete(key)
  }
}

/** @param reused memory that the bytes may go to */
async function readAll(page: Pick<Page, 'volume' | 'offset' | 'bytes'>, reused?: Buffer): Promise<Buffer> {
  const { volume, offset, bytes } = page
  const data = reused !== undefined && reused.length >= bytes ? reused : Buffer.allocUnsafeSlow(bytes)
  let at = 0
  while (at < bytes && !volume.isGone) {
    const { bytesRead } = await volume.handle.read(data, at, bytes - at, offset + at)
    if (bytesRead === 0) break
    at += bytesRead
  }
  return data.subarray(0, volume.isGone ? 0 : at)
}

const GONE = '(the file no longer has this event)'

export class RecordReader {
  readonly #index: EventIndex
  readonly #clock: Clock
  readonly #levels: LevelTable
  readonly #pages = new Cache<LoadedPage>()
  readonly #events = new Cache<ViewEvent>()

  constructor(index: EventIndex, clock: Clock, levels: LevelTable) {
    this.#index = index
    this.#clock = clock
    this.#levels = levels
  }

  /** The event at a position of the index. */
  event(position: number): Promise<ViewEvent> {
    return this.#eventOf(this.#index.place(position))
  }

  async #eventOf({ source, record }: Place): Promise<ViewEvent> {
    const key = `${source} ${record}`
    const known = this.#events.get(key)
    if (known !== undefined) return known
    const page = await this.#page(source, record)
    const { event, bytes } = this.#decode(page, record - page.first)
    this.#events.set(key, event, bytes)
    return event
  }

  #decode(page: LoadedPage, i: number): { event: ViewEvent; bytes: number } {
    if (i >= page.extent.starts.length) {
      const { source } = page.volume
      return { event: { time: 0n, level: '', target: '', message: GONE, thread: 0, fields: {}, source }, bytes: 0 }
    }
    const text = page.text(i)
    return { event: page.volume.decode(text, this.timeBefore(page, i)), bytes: text.length }
  }

  /** The time that a record has which tells none itself, in ns. */
  timeBefore(page: LoadedPage, i: number): bigint {
    return this.#clock.nsOf(i === 0 ? page.page.before : this.#timesOf(page)[i - 1]!)
  }

  #timesOf(page: LoadedPage): Float64Array {
    if (page.times !== null) return page.times
    const times = new Float64Array(page.extent.starts.length).fill(NO_TIME)
    const heads = new HeadReader(this.#clock, this.#levels)
    heads.before = page.page.before
    let i = 0
    heads.read(page.volume, page.data, page.extent, (_, ticks) => {
      times[i++] = ticks
    })
    page.times = times
    return times
  }

  async #page(source: number, record: number): Promise<LoadedPage> {
    const table = this.#index.tables[source]!
    const number = table.pageOf(record)
    const key = `${source} ${number}`
    const known = this.#pages.get(key)
    if (known !== undefined && !known.volume.isGone) return known
    const page = table.page(number)
    const data = await readAll(page)
    const loaded = new LoadedPage(page, table.firstOf(number), data, 0)
    this.#pages.set(key, loaded, data.length)
    return loaded
  }

  /**
   * The records `from` to `to` of a file, in pages of which the first and the last may have others
   * too. Their data is overwritten by that of the next ones.
   */
  async *pages(source: number, from: number, to: number): AsyncGenerator<LoadedPage[], void> {
    const table = this.#index.tables[source]!
    const last = table.pageOf(to - 1)
    const reused = Buffer.allocUnsafeSlow(GROUP_BYTES)
    for (let number = table.pageOf(from); number <= last; ) {
      const start = number
      const group = table.page(number++)
      while (number <= last) {
        const next = table.page(number)
        const end = group.offset + group.bytes
        const reach = next.offset + next.bytes - group.offset
        if (next.volume !== group.volume || next.offset < end || next.offset > end + GAP_BYTES || reach > GROUP_BYTES)
          break
        group.bytes = reach
        number++
      }
      const data = await readAll(group, reused)
      yield Array.from({ length: number - start }, (_, i) => {
        const page = table.page(start + i)
        return new LoadedPage(page, table.firstOf(start + i), data, page.offset - group.offset)
      })
    }
  }
}
