/**
 * Lines of text: whether they are JSON, the time that they tell, and the scanner that walks them.
 */

import type { LinesItem, ScanItem, Scanner } from './items'
import { type Source, Window } from './source'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const COLON = 0x3a
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const MINUS = 0x2d
const POINT = 0x2e
const LETTER_U = 0x75
const LITERALS = new Map(['true', 'false', 'null'].map(word => [word.charCodeAt(0), Buffer.from(word)]))
const ESCAPES = new Set(Buffer.from('"\\\\/bfnrtu'))
const TIME_KEY = Buffer.from('"time"')

/** In the byte's place: 1 if it is white space of JSON. */
const isSpace = new Uint8Array(256)
for (const byte of Buffer.from(' \t\r\n')) isSpace[byte] = 1
const isHex = new Uint8Array(256)
for (const byte of Buffer.from('0123456789abcdefABCDEF')) isHex[byte] = 1

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

/**
 * Tells whether bytes are JSON, as `JSON.parse` would, and where the value of the top level's key
 * `time` stands. Nothing is made of them, and nothing thrown, so that it takes as long for what is
 * no JSON as for what is.
 */
export class JsonChecker {
  /** Of the last JSON: where the value of `time` stands; both -1 if it has none. */
  timeStart = -1
  timeEnd = -1
  /** Of the last JSON: how many keys the top level has, those that come twice counted twice. */
  keys = 0
  /** Of the last JSON: how many objects and arrays stood in each other at most. */
  deepest = 0
  private bytes: Uint8Array = new Uint8Array(0)
  private at = 0
  private end = 0
  /** The objects (true) and arrays that are open. */
  private readonly open: boolean[] = []
  /** The string read last has escapes. */
  private escaped = false
  /** The key read last was `time`, of the top level. */
  private atTime = false

  /** Whether `bytes[start, end)` is JSON, white space around it allowed. */
  check(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes
    this.at = start
    this.end = end
    this.open.length = 0
    this.timeStart = this.timeEnd = -1
    this.keys = this.deepest = 0
    this.atTime = false
    do if (!this.value()) return false
    while (this.open.length > 0)
    this.skipSpace()
    return this.at === end
  }

  /**
   * Takes a value, or the beginning of one that others follow in; and whatever closes behind it.
   */
  private value(): boolean {
    this.skipSpace()
    const { at } = this
    const timed = this.atTime
    this.atTime = false
    const byte = at < this.end ? this.bytes[at]! : -1
    if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) return this.openContainer(byte === OPEN_OBJECT)
    if (!this.scalar(byte)) return false
    if (timed) [this.timeStart, this.timeEnd] = [at, this.at]
    return this.closeContainers()
  }

  private scalar(byte: number): boolean {
    if (byte === QUOTE) return this.string()
    if (byte === MINUS || isDigit(byte)) return this.number()
    const literal = LITERALS.get(byte)
    if (!literal || literal.length > this.end - this.at) return false
    for (const expected of literal) if (this.bytes[this.at++] !== expected) return false
    return true
  }

  private openContainer(isObject: boolean): boolean {
    this.at++
    this.skipSpace()
    const closing = isObject ? CLOSE_OBJECT : CLOSE_ARRAY
    if (this.at < this.end && this.bytes[this.at] === closing) {
      this.at++
      return this.closeContainers()
    }
    this.open.push(isObject)
    if (this.open.length > this.deepest) this.deepest = this.open.length
    return isObject ? this.key() : true
  }

  /**
   * Behind a value: takes what closes, up to a comma and, in an object, the next key; or to the end
   * of the last container.
   */
  private closeContainers(): boolean {
    while (this.open.length > 0) {
      this.skipSpace()
      if (this.at >= this.end) return false
      const isObject = this.open[this.open.length - 1]!
      const byte = this.bytes[this.at++]
      if (byte === COMMA) return isObject ? this.key() : true
      if (byte !== (isObject ? CLOSE_OBJECT : CLOSE_ARRAY)) return false
      this.open.pop()
    }
    return true
  }

  private key(): boolean {
    this.skipSpace()
    const start = this.at
    if (start >= this.end || this.bytes[start] !== QUOTE || !this.string()) return false
    const keyEnd = this.at
    this.skipSpace()
    if (this.at >= this.end || this.bytes[this.at++] !== COLON) return false
    if (this.open.length === 1) {
      this.keys++
      this.atTime = this.isTime(start, keyEnd)
    }
    // Of a key that comes twice, the last one counts.
    if (this.atTime) this.timeStart = this.timeEnd = -1
    return true
  }

  private isTime(start: number, end: number): boolean {
    if (end - start === TIME_KEY.length) {
      for (let i = 0; i < TIME_KEY.length; i++) if (this.bytes[start + i] !== TIME_KEY[i]) return false
      return true
    }
    return this.escaped && JSON.parse(Buffer.from(this.bytes.subarray(start, end)).toString()) === 'time'
  }

  private string(): boolean {
    const { bytes, end } = this
    let at = this.at + 1
    this.escaped = false
    while (at < end) {
      const byte = bytes[at++]!
      if (byte === QUOTE) {
        this.at = at
        return true
      }
      if (byte < 0x20) return false
      if (byte !== BACKSLASH) continue
      this.escaped = true
      const escaped = at < end ? bytes[at++]! : 0
      if (!ESCAPES.has(escaped)) return false
      if (escaped !== LETTER_U) continue
      for (const last = at + 4; at < last; at++) if (at >= end || isHex[bytes[at]!] === 0) return false
    }
    return false
  }

  private number(): boolean {
    if (this.bytes[this.at] === MINUS) this.at++
    if (this.at < this.end && this.bytes[this.at] === 0x30) this.at++
    else if (!this.digits()) return false
    if (this.at < this.end && this.bytes[this.at] === POINT) {
      this.at++
      if (!this.digits()) return false
    }
    if (this.at >= this.end || (this.bytes[this.at]! | 0x20) !== 0x65) return true
    this.at++
    const sign = this.bytes[this.at]
    if (this.at < this.end && (sign === MINUS || sign === 0x2b)) this.at++
    return this.digits()
  }

  /** One or more. */
  private digits(): boolean {
    const start = this.at
    while (this.at < this.end && isDigit(this.bytes[this.at])) this.at++
    return this.at > start
  }

  private skipSpace(): void {
    while (this.at < this.end && isSpace[this.bytes[this.at]!] === 1) this.at++
  }
}

const NS_PER_MS = 1_000_000n
/** The latest time of a Date. */
const MAX_DATE_MS = 8.64e15

/** Whether a Date can have this time. */
const isTime = (ms: number): boolean => ms >= 0 && ms <= MAX_DATE_MS

/** Milliseconds since the epoch as ns; undefined for what is no time. */
export function timeFromMs(ms: number): bigint | undefined {
  return isTime(ms) ? BigInt(Math.trunc(ms)) * NS_PER_MS : undefined
}

/**
 * The time in ms that a JSON value tells, a number of ms or a date as a string; undefined if it is
 * none.
 */
export function msOfValue(data: Buffer, start: number, end: number): number | undefined {
  const text = data.toString('utf8', start, end)
  const ms = data[start] === QUOTE ? Date.parse(JSON.parse(text) as string) : Number(text)
  return isTime(ms) ? ms : undefined
}

const json = new JsonChecker()

/**
 * The time that the line `data[start, end)` tells in its field `time`, as ns; undefined if it tells
 * none.
 */
export function timeOfLine(data: Buffer, start: number, end: number): bigint | undefined {
  if (!json.check(data, start, end) || json.timeStart < 0) return undefined
  const ms = msOfValue(data, json.timeStart, json.timeEnd)
  return ms === undefined ? undefined : timeFromMs(ms)
}

const NEWLINE = 0x0a
const OPENING = 0x7b // What lines of loggers begin with.
/** Longer lines are stepped over, so that memory stays bounded. */
const MAX_LINE_BYTES = 64 * 1024 * 1024
/** What is read at once where there is rarely much: of a pipe, of a file that grows. */
const SMALL_CHUNK_BYTES = 256 * 1024

export interface LineScannerOptions {
  /** Where to start: the beginning of a line. Default 0. */
  start?: number
  /** Let chunks be overwritten by later ones: views of a batch die with the next call of `next`. */
  reuse?: boolean
  /** The file is growing: a line without newline at its end is waited for. */
  live?: boolean
  /** Deliver a torn last line. */
  salvage?: boolean
  /** Deliver lines that are too long in pieces, instead of stepping over them. */
  pieces?: boolean
  /** What is read at once. Default 4 MiB, and as much ahead; less where there is rarely much. */
  chunkBytes?: number
}

/**
 * Whether a last line without newline is whole: a JSON object, or text that never was to be one.
 */
export function isWholeLine(line: Buffer): boolean {
  if (line[0] !== OPENING) return true
  try {
    JSON.parse(line.toString())
    return true
  } catch {
    return false // Cut off, as far as anybody can tell.
  }
}

/**
 * Walks the lines of a text, in memory that does not grow with it: a few chunks of 4 MiB, or the
 * longest line, up to 64 MiB. Bytes are delivered as they are, carriage returns, NUL and what is no
 * UTF-8 included; nothing throws but I/O.
 */
export class LineScanner implements Scanner {
  position: number
  limit = Number.POSITIVE_INFINITY
  private readonly window: Window
  /** Start of the line that is being stepped over, or delivered in pieces; -1 if none is. */
  private long = -1
  /** Both as they were before the last call of `next`. */
  private before = { position: -1, long: -1 }
  /**
   * As the last call of `next` left it: whether it found a newline, where, and how much there was.
   */
  private last = { position: -1, end: -1, waits: false }
  /**
   * Of a file that does not grow, as it was at first: what is written later may begin in the middle
   * of a line.
   */
  private size = -1

  constructor(
    readonly source: Source,
    private readonly options: LineScannerOptions = {}
  ) {
    this.position = options.start ?? 0
    const { reuse = false, live } = options
    const large = source.seekable && !live
    const chunkBytes = options.chunkBytes ?? (large ? undefined : SMALL_CHUNK_BYTES)
    const readAhead = chunkBytes === undefined
    this.window = new Window(source, { reuse, readAhead, ...(readAhead ? {} : { chunkBytes }) })
  }

  async next(): Promise<ScanItem[] | null> {
    const end = Math.min(await this.sourceSize(), this.limit)
    const { last } = this
    const moved = this.position !== last.position
    if (moved) this.long = -1
    this.before = { position: this.position, long: this.long }
    if (this.options.live) {
      if (last.waits && !moved && end === last.end) return null
      await this.window.reset()
    }
    const items = await this.read(end)
    this.last = { position: this.position, end, waits: items === null }
    return items
  }

  rewind(position: number): void {
    this.long = position === this.before.position ? this.before.long : -1
    this.position = position
    this.last = { position, end: -1, waits: false }
  }

  async close(): Promise<void> {
    await this.window.settle()
  }

  private async sourceSize(): Promise<number> {
    if (this.options.live || !this.source.seekable) return this.source.size()
    if (this.size < 0) this.size = await this.source.size()
    return this.size
  }

  private async read(end: number): Promise<ScanItem[] | null> {
    for (let need = 1; ; ) {
      const rest = end - this.position
      const wanted = Math.min(need, rest)
      const have =
        rest <= 0 ? 0 : Math.min(rest, await this.window.load(this.position, wanted, Math.min(2 * wanted, rest)))
      const ended = have < wanted || have === rest || have === 0
      const items = this.take(have, need - 1, ended)
      if (items) return items
      if (ended && have === 0) return null
      if (ended && this.options.live && this.long < 0) return null
      need = this.long < 0 ? have + 1 : 1
    }
  }

  /**
   * What can be delivered of `have` bytes from the position on, the first `searched` without
   * newline; null if more have to be read.
   */
  private take(have: number, searched: number, ended: boolean): ScanItem[] | null {
    const index = this.window.index(this.position)
    const bytes = this.window.buffer.subarray(index, index + have)
    if (this.long >= 0) return this.takeLong(bytes, ended)
    if (have > MAX_LINE_BYTES && !bytes.subarray(0, MAX_LINE_BYTES).includes(NEWLINE)) {
      this.long = this.position
      return this.takeLong(bytes, ended)
    }
    const newline = bytes.subarray(searched).lastIndexOf(NEWLINE)
    if (newline >= 0) return [this.lines(index, searched + newline + 1)]
    if (!ended || have === 0 || this.options.live) return null
    return this.unended(index, bytes)
  }

  /** Goes on with a line that is too long. */
  private takeLong(bytes: Buffer, ended: boolean): ScanItem[] | null {
    const newline = bytes.indexOf(NEWLINE)
    const done = newline >= 0 || (ended && !this.options.live)
    const length = newline >= 0 ? newline + 1 : bytes.length
    const index = this.window.index(this.position)
    const offset = this.long
    if (done) this.long = -1
    if (this.options.pieces) return length > 0 || done ? [{ ...this.lines(index, length), goesOn: !done }] : null
    this.position += length
    if (!done) return null
    const message = 'a line that is too long to be read; nothing of it is delivered'
    const { path } = this.source
    return [{ kind: 'damage', damage: { kind: 'long-line', path, offset, length: this.position - offset, message } }]
  }

  /** A last line without newline. */
  private unended(index: number, bytes: Buffer): ScanItem[] {
    if (isWholeLine(bytes)) return [this.lines(index, bytes.length)]
    const { path } = this.source
    const offset = this.position
    const kept = this.options.salvage ?? false
    const message = `the last line is cut off; ${kept ? 'it is' : 'nothing of it is'} delivered`
    const lines = this.lines(index, bytes.length)
    const damage = { kind: 'torn-tail', path, offset, length: bytes.length, message } as const
    return [{ kind: 'damage', damage }, ...(kept ? [lines] : [])]
  }

  private lines(index: number, length: number): LinesItem {
    const offset = this.position
    this.position += length
    return {
      kind: 'lines',
      path: this.source.path,
      offset,
      data: this.window.buffer,
      start: index,
      end: index + length
    }
  }
}
