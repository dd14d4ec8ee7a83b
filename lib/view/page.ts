/**
 * Pages: some records that lie one behind the other in a file, found again by where they lie. An
 * index knows where pages begin, not where each record does.
 */

import type { FileHandle } from 'node:fs/promises'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { lineEnd } from '../reader/items'
import { type Clock, NO_TIME } from './clock'
import type { LevelTable, ViewEvent, ViewSource } from './event'

/** What a text is, as an event. @param before time of the record before, for what has none */
export type Decode = (text: string, before: bigint) => ViewEvent

/** A file in which pages lie, and how records lie in it. */
export interface Volume {
  readonly handle: FileHandle
  /** `lines`: each up to its newline; `entries`: behind its length, a u32. */
  readonly form: 'lines' | 'entries'
  readonly source: ViewSource
  readonly decode: Decode
  /** Whether records are lines of a logger, whose level and time can be read without decoding. */
  readonly isLog: boolean
  /** Set when the file was cut: what lay there is gone. */
  isGone: boolean
}

export interface Page {
  volume: Volume
  offset: number
  bytes: number
  count: number
  /** Time of the record before, in ticks. */
  before: number
}

/** A page is closed with so many records, or bytes. */
const PAGE_RECORDS = 128
const PAGE_BYTES = 64 * 1024

/** Where records lie in `data`. */
export interface Extent {
  starts: number[]
  ends: number[]
}

const SPACE = 0x20
const FIRST_BEYOND_ASCII = 0x80

/** Whether what lies there is space alone, which is no record. */
function isBlank(data: Buffer, start: number, end: number): boolean {
  const first = data[start]!
  if (start < end && first > SPACE && first < FIRST_BEYOND_ASCII) return false
  return data.toString('utf8', start, end).trimEnd() === ''
}

/** Where the records of `data[start, end)` lie, `most` of them at the most. */
export function extentOf(
  form: Volume['form'],
  data: Buffer,
  range: { start: number; end: number },
  most: number
): Extent {
  const starts: number[] = []
  const ends: number[] = []
  for (let at = range.start; at < range.end && starts.length < most; ) {
    let start = at
    if (form === 'lines') {
      at = lineEnd(data, at, range.end)
    } else {
      if (at + ENTRY_PREFIX_BYTES > range.end) break
      start = at + ENTRY_PREFIX_BYTES
      at = Math.min(range.end, start + data.readUInt32LE(at))
    }
    if (isBlank(data, start, at)) continue
    starts.push(start)
    ends.push(at)
  }
  return { starts, ends }
}

const HEAD = '{"level":'
const TIME = ',"time":'
const ZERO = 0x30
const NINE = 0x39
const COMMA = 0x2c
const CLOSE = 0x7d
/** So many digits of a time are exact as a number. */
const MOST_DIGITS = 15

/**
 * Finds the next place of a text, for positions that only grow: each byte is looked at once.
 */
class NextOf {
  #at = -2
  readonly #text: string
  readonly #wanted: string

  constructor(text: string, wanted: string) {
    this.#text = text
    this.#wanted = wanted
  }

  isWithin(start: number, end: number): boolean {
    if (this.#at !== -1 && this.#at < start) this.#at = this.#text.indexOf(this.#wanted, start)
    return this.#at !== -1 && this.#at < end
  }
}

/** Level and time of records, in the order in which they stand. */
export class HeadReader {
  /** Time of the last record, in ticks. */
  before = NO_TIME
  readonly #clock: Clock
  readonly #levels: LevelTable
  readonly #ids = new Map<number, number>()

  constructor(clock: Clock, levels: LevelTable) {
    this.#clock = clock
    this.#levels = levels
  }

  /** Reads the records of `data` that `extent` names, and tells each to `add`. */
  read(volume: Volume, data: Buffer, extent: Extent, add: (level: number, ticks: number) => void): void {
    const { starts, ends } = extent
    if (starts.length === 0) return
    const origin = starts[0]!
    const text = data.toString('latin1', origin, ends[ends.length - 1])
    const others = [new NextOf(text, '"level"'), new NextOf(text, '"time"'), new NextOf(text, '\\u')]
    for (let i = 0; i < starts.length; i++) {
      const start = starts[i]! - origin
      const end = ends[i]! - origin
      if (volume.isLog && this.#readQuickly(volume, text, { start, end }, others)) {
        add(this.#level, this.before)
        continue
      }
      const event = volume.decode(data.toString('utf8', starts[i], ends[i]).trimEnd(), this.#clock.nsOf(this.before))
      this.before = this.#clock.ticksOf(event.time)
      add(this.#levels.idOf(event.level, volume.source), this.before)
    }
  }

  #level = 0
  #at = 0

  /**
   * As most loggers write them, with level and time first and not again. What is found is what
   * decoding finds, but of a line that is no JSON further on.
   */
  #readQuickly(
    volume: Volume,
    text: string,
    { start, end }: { start: number; end: number },
    others: NextOf[]
  ): boolean {
    if (!text.startsWith(HEAD, start)) return false
    const level = this.#digits(text, start + HEAD.length)
    if (level < 0 || !text.startsWith(TIME, this.#at)) return false
    const ms = this.#digits(text, this.#at + TIME.length)
    const next = text.charCodeAt(this.#at)
    if (ms < 0 || (next !== COMMA && next !== CLOSE)) return false
    for (const other of others) if (other.isWithin(this.#at, end)) return false
    let id = this.#ids.get(level)
    if (id === undefined) {
      id = this.#levels.idOf(volume.decode(`${HEAD}${level}}`, 0n).level, volume.source)
      this.#ids.set(level, id)
    }
    this.#level = id
    this.before = this.#clock.ticksOfMs(ms)
    return true
  }

  /** The number at a place, -1 if there is none; `#at` is behind it then. */
  #digits(text: string, from: number): number {
    let value = 0
    let at = from
    for (let code = text.charCodeAt(at); code >= ZERO && code <= NINE; code = text.charCodeAt(++at)) {
      value = value * 10 + code - ZERO
    }
    this.#at = at
    // JSON has no numbers that begin with zeros.
    const isNumber = at > from && at - from <= MOST_DIGITS && (text.charCodeAt(from) !== ZERO || at === from + 1)
    return isNumber ? value : -1
  }
}

/** Pages, and the levels and times of the records in them. */
export class Batch {
  readonly pages: Page[] = []
  /** Ids of a `LevelTable`. */
  levels: Uint8Array = new Uint8Array(1024)
  /** Ticks. */
  times: Float64Array = new Float64Array(1024)
  count = 0

  readonly add = (level: number, ticks: number): void => {
    if (this.count === this.levels.length) {
      const levels = new Uint8Array(2 * this.count)
      const times = new Float64Array(2 * this.count)
      levels.set(this.levels)
      times.set(this.times)
      this.levels = levels
      this.times = times
    }
    this.levels[this.count] = level
    this.times[this.count++] = ticks
  }

  /**
   * Adds the records in `data[start, end)`.
   *
   * @param offset where `data[start]` lies in the volume
   */
  addRecords(
    volume: Volume,
    heads: HeadReader,
    { data, start, end, offset }: { data: Buffer; start: number; end: number; offset: number }
  ): void {
    for (let at = start; at < end; ) {
      const limit = Math.min(end, at + PAGE_BYTES)
      let extent = extentOf(volume.form, data, { start: at, end: limit }, PAGE_RECORDS)
      // What the limit cuts goes to the next page, unless it is alone.
      if (limit < end && (extent.ends.at(-1) ?? limit) === limit) {
        if (extent.starts.length > 1) {
          extent.starts.pop()
          extent.ends.pop()
        } else {
          extent = extentOf(volume.form, data, { start: at, end }, 1)
        }
      }
      const to = extent.ends.at(-1)
      if (to === undefined) return // Nothing but blank lines.
      const page = { volume, offset: offset + at - start, bytes: to - at, count: extent.starts.length }
      this.pages.push({ ...page, before: heads.before })
      heads.read(volume, data, extent, this.add)
      at = to
    }
  }
}
