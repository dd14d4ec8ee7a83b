/** Lines of text: where they end, whether they are JSON, and the time that they tell. */

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
 * Tells whether bytes are JSON, as `JSON.parse` would, and where the value of the top level's key `time` stands. Nothing is made of
 * them, and nothing thrown, so that it takes as long for what is no JSON as for what is.
 */
export class JsonChecker {
  /** Of the last JSON: where the value of `time` stands; both -1 if it has none. */
  timeStart = -1
  timeEnd = -1
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
    this.atTime = false
    do if (!this.value()) return false
    while (this.open.length > 0)
    this.skipSpace()
    return this.at === end
  }

  /** Takes a value, or the beginning of one that others follow in; and whatever closes behind it. */
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
    return isObject ? this.key() : true
  }

  /** Behind a value: takes what closes, up to a comma and, in an object, the next key; or to the end of the last container. */
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
    if (this.open.length === 1) this.atTime = this.isTime(start, keyEnd)
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

const NEWLINE = 0x0a
const NS_PER_MS = 1_000_000n
/** The latest time of a Date. */
const MAX_DATE_MS = 8.64e15

/** So many bytes are looked at before the call that looks at all is worth it. */
const NEAR_BYTES = 24

/** Where the line that begins at `start` ends in `data[start, end)`, its newline included. */
export function lineEnd(data: Buffer, start: number, end: number): number {
  const near = Math.min(end, start + NEAR_BYTES)
  for (let at = start; at < near; at++) if (data[at] === NEWLINE) return at + 1
  if (near === end) return end
  const newline = data.indexOf(NEWLINE, near)
  return newline < 0 || newline >= end ? end : newline + 1
}

/** Where each line ends in `data`, its newline included. */
export function* lineEnds({ data, start, end }: { data: Buffer; start: number; end: number }): Generator<number, void> {
  for (let at = start; at < end; ) {
    at = lineEnd(data, at, end)
    yield at
  }
}

/** Whether a Date can have this time. */
const isTime = (ms: number): boolean => ms >= 0 && ms <= MAX_DATE_MS

/** Milliseconds since the epoch as ns; undefined for what is no time. */
export function timeFromMs(ms: number): bigint | undefined {
  return isTime(ms) ? BigInt(Math.trunc(ms)) * NS_PER_MS : undefined
}

/** The time in ms that a JSON value tells, a number of ms or a date as a string; undefined if it is none. */
export function msOfValue(data: Buffer, start: number, end: number): number | undefined {
  const text = data.toString('utf8', start, end)
  const ms = data[start] === QUOTE ? Date.parse(JSON.parse(text) as string) : Number(text)
  return isTime(ms) ? ms : undefined
}

const json = new JsonChecker()

/** The time that the line `data[start, end)` tells in its field `time`, as ns; undefined if it tells none. */
export function timeOfLine(data: Buffer, start: number, end: number): bigint | undefined {
  if (!json.check(data, start, end) || json.timeStart < 0) return undefined
  const ms = msOfValue(data, json.timeStart, json.timeEnd)
  return ms === undefined ? undefined : timeFromMs(ms)
}
