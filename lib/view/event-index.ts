/**
 * The index of all events of a view, in the order in which it shows them: by time over all files,
 * within one file as they stand there. It takes some bytes an event.
 */

import { NO_TIME } from './clock'
import type { LevelTable } from './event'
import { Histogram } from './histogram'
import { NumberList } from './numbers'
import type { Batch, Page, Volume } from './page'

/** The pages of one file. */
class PageTable {
  readonly #volumes: Volume[] = []
  readonly #volumeOf = new NumberList(Uint16Array)
  readonly #offsets = new NumberList(Float64Array)
  readonly #bytes = new NumberList(Uint32Array)
  readonly #before = new NumberList(Float64Array)
  /** Index of the first record of each page. */
  readonly #first = new NumberList(Uint32Array)
  records = 0

  add({ volume, offset, bytes, count, before }: Page): void {
    let id = this.#volumes.lastIndexOf(volume)
    if (id < 0) id = this.#volumes.push(volume) - 1
    this.#volumeOf.push(id)
    this.#offsets.push(offset)
    this.#bytes.push(bytes)
    this.#before.push(before)
    this.#first.push(this.records)
    this.records += count
  }

  get length(): number {
    return this.#first.length
  }

  /** Number of the page that has a record. */
  pageOf(record: number): number {
    return this.#first.countBelow(record + 1) - 1
  }

  firstOf(page: number): number {
    return page < this.#first.length ? this.#first.at(page) : this.records
  }

  page(page: number): Page {
    return {
      volume: this.#volumes[this.#volumeOf.at(page)]!,
      offset: this.#offsets.at(page),
      bytes: this.#bytes.at(page),
      before: this.#before.at(page),
      count: this.firstOf(page + 1) - this.firstOf(page)
    }
  }
}

/** Where an event stands: the file's number, and its own in the file. */
export interface Place {
  source: number
  record: number
}

const BLOCK_BITS = 8
/** Events of which the earliest and latest time are known. */
export const BLOCK: number = 1 << BLOCK_BITS
const RANK_BITS = 10
const RANK_BLOCK = 1 << RANK_BITS

export class EventIndex {
  readonly tables: readonly PageTable[]
  readonly histogram: Histogram = new Histogram()
  /** Whether all that stood in the files at the start is in it. */
  isComplete = false
  readonly #levels = new NumberList(Uint8Array)
  /** Numbers of files; of one file nothing. */
  readonly #sources: NumberList | null
  /** For each file, how many of its events come before each block. */
  readonly #ranks: NumberList[]
  readonly #counts: number[]
  readonly #earliest = new NumberList(Float64Array)
  readonly #latest = new NumberList(Float64Array)

  constructor(
    sources: number,
    readonly levelTable: LevelTable
  ) {
    this.tables = Array.from({ length: sources }, () => new PageTable())
    this.#sources = sources === 1 ? null : new NumberList(Uint16Array)
    this.#ranks = sources === 1 ? [] : Array.from({ length: sources }, () => new NumberList(Uint32Array))
    this.#counts = new Array<number>(sources).fill(0)
  }

  get length(): number {
    return this.#levels.length
  }

  /** Takes the pages of a batch, before `append` takes its events. */
  addPages(source: number, batch: Batch): void {
    for (const page of batch.pages) this.tables[source]!.add(page)
  }

  /** Appends the events `from` to `to` of a batch, which come next in the order of time. */
  append(source: number, batch: Batch, from: number, to: number): void {
    const { levels, times } = batch
    for (let i = from; i < to; i++) {
      const at = this.length + i - from
      if (this.#sources !== null) this.#appendSource(source, at)
      const time = times[i]!
      if ((at & (BLOCK - 1)) === 0) {
        this.#earliest.push(time)
        this.#latest.push(time)
      } else {
        const block = at >>> BLOCK_BITS
        if (time < this.#earliest.at(block)) this.#earliest.set(block, time)
        if (time > this.#latest.at(block)) this.#latest.set(block, time)
      }
      this.histogram.add(time, this.levelTable.classOf(levels[i]!))
    }
    this.#levels.append(levels, from, to)
  }

  #appendSource(source: number, at: number): void {
    if ((at & (RANK_BLOCK - 1)) === 0) {
      for (const [i, ranks] of this.#ranks.entries()) ranks.push(this.#counts[i]!)
    }
    this.#sources!.push(source)
    this.#counts[source]!++
  }

  /** Id of an event's level. */
  levelAt(position: number): number {
    return this.#levels.at(position)
  }

  /** Number of the file that an event is of. */
  sourceAt(position: number): number {
    return this.#sources === null ? 0 : this.#sources.at(position)
  }

  place(position: number): Place {
    const source = this.sourceAt(position)
    return { source, record: this.rank(source, position) }
  }

  /** How many events of a file come before a position. */
  rank(source: number, position: number): number {
    if (this.#sources === null) return position
    if (position === this.length) return this.#counts[source]!
    const block = position >>> RANK_BITS
    let rank = this.#ranks[source]!.at(block)
    for (let at = block << RANK_BITS; at < position; at++) if (this.#sources.at(at) === source) rank++
    return rank
  }

  /** Earliest and latest time of the block in which a position lies, in ticks. */
  timesAround(position: number): { earliest: number; latest: number } {
    const block = position >>> BLOCK_BITS
    return { earliest: this.#earliest.at(block), latest: this.#latest.at(block) }
  }

  /** The first position of the first block in which an event of that time or later stands. */
  blockOf(ticks: number): number {
    for (let block = 0; block < this.#latest.length; block++) {
      const latest = this.#latest.at(block)
      if (latest >= ticks && latest !== NO_TIME) return block << BLOCK_BITS
    }
    return this.length
  }
}
