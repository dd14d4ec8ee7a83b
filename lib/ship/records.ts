/** What sinks need of records: the logger's name, the fields, and the record as a JSON object. */

import { bytesAsJson } from './dead-letters'
import { IdBytes } from './id-bytes'
import { type Batch, type ShipRecord, textOf } from './sink'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const SPACE = 0x20
const COMMA = 0x2c
const COLON = 0x3a

/** Where the string that begins at `at` ends, behind its quote. */
function stringEnd(data: Buffer, at: number, end: number): number {
  let next = at + 1
  while (next < end && data[next] !== QUOTE) next += data[next] === BACKSLASH ? 2 : 1
  return next + 1
}

/**
 * Finds fields of JSON records, at their top level, without parsing them: where the value of each
 * begins and ends.
 */
export class FieldFinder {
  /** In the order of the names; -1: the record has no such field, or it is an object or array. */
  readonly starts: number[]
  readonly ends: number[]
  private readonly keys: readonly Buffer[]

  constructor(names: readonly string[]) {
    this.keys = names.map(name => Buffer.from(JSON.stringify(name)))
    this.starts = names.map(() => -1)
    this.ends = names.map(() => -1)
  }

  /** Finds them in a record; false: it does not begin as an object. */
  find({ data, start, end }: ShipRecord): boolean {
    this.starts.fill(-1)
    if (data[start] !== OPEN) return false
    let left = this.keys.length
    let depth = 1
    for (let at = start + 1; at < end && depth > 0; ) {
      const byte = data[at]
      if (byte === QUOTE) {
        const next = stringEnd(data, at, end)
        if (depth === 1 && this.take(data, at, next, end) && --left === 0) return true
        at = next
        continue
      }
      if (byte === OPEN || byte === OPEN_ARRAY) depth++
      else if (byte === CLOSE || byte === CLOSE_ARRAY) depth--
      at++
    }
    return true
  }

  /** Notes the value behind `data[at, next)`, if that is a key that is looked for. */
  private take(data: Buffer, at: number, next: number, end: number): boolean {
    const index = this.indexOf(data, at, next)
    if (index < 0 || this.starts[index]! >= 0) return false
    const colon = skipSpace(data, next, end)
    if (data[colon] !== COLON) return false
    const value = skipSpace(data, colon + 1, end)
    const valueEnd = data[value] === QUOTE ? stringEnd(data, value, end) : scalarEnd(data, value, end)
    if (valueEnd > end || valueEnd === value) return false
    this.starts[index] = value
    this.ends[index] = valueEnd
    return true
  }

  private indexOf(data: Buffer, at: number, next: number): number {
    const { keys } = this
    for (let i = 0; i < keys.length; i++) if (isAt(data, at, next, keys[i]!)) return i
    return -1
  }
}

/** Whether `data[at, next)` is `bytes`. */
export function isAt(data: Buffer, at: number, next: number, bytes: Buffer): boolean {
  const { length } = bytes
  if (next - at !== length) return false
  for (let i = 0; i < length; i++) if (data[at + i] !== bytes[i]) return false
  return true
}

/** Where a number or a word that begins at `at` ends; `at` if there is none. */
function scalarEnd(data: Buffer, at: number, end: number): number {
  let next = at
  for (; next < end; next++) {
    const byte = data[next]!
    if (byte <= SPACE || byte === COMMA || byte === CLOSE || byte === OPEN || byte === OPEN_ARRAY) break
  }
  return next
}

/** Finds the field `name` of JSON records, which loggers have their name in. */
export class NameFinder {
  /** The last name that was found, as UTF-8: `data[start, end)`. */
  data: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  private readonly fields = new FieldFinder(['name'])

  /** Whether the record has a name, a string at its top level. */
  find(record: ShipRecord): boolean {
    if (!this.fields.find(record)) return false
    const at = this.fields.starts[0]!
    const next = this.fields.ends[0]!
    const { data } = record
    if (at < 0 || data[at] !== QUOTE) return false
    this.data = data
    this.start = at + 1
    this.end = next - 1
    for (let i = this.start; i < this.end; i++) if (data[i] === BACKSLASH) return this.unescape(data, at, next)
    return true
  }

  private unescape(data: Buffer, at: number, next: number): boolean {
    try {
      this.data = Buffer.from(JSON.parse(data.toString('utf8', at, next)) as string)
    } catch {
      return false // No JSON: it has no name.
    }
    this.start = 0
    this.end = this.data.length
    return true
  }
}

function skipSpace(data: Buffer, at: number, end: number): number {
  let next = at
  while (next < end && data[next]! <= SPACE) next++
  return next
}

/** The fields of a record that is a JSON object; null if it is none. */
export function fieldsOf(record: ShipRecord): Record<string, unknown> | null {
  if (record.data[record.start] !== OPEN) return null
  try {
    return JSON.parse(textOf(record)) as Record<string, unknown>
  } catch {
    return null // A line that only begins as JSON: it is text.
  }
}

/** Whether a record looks like a JSON object: nobody parses it for that. */
export function isObject({ data, start, end }: ShipRecord): boolean {
  return end - start >= 2 && data[start] === OPEN && data[end - 1] === CLOSE
}

/** Most bytes of a record's object beside the record and its id: braces, quotes and commas. */
const FRAME_BYTES = 16

/**
 * The records as JSON objects, each followed by `separator` (one byte), the id of each in the field
 * `idField` (none if that is null); what is no object as `{"record": "text"}`. Written into one
 * piece of memory, since a copy of a record costs less than an object that stands for it.
 */
export function asObjects(batch: Batch, idField: string | null, separator: number): Buffer {
  const ids = new IdBytes(batch)
  const field = Buffer.from(idField === null ? '{' : `{${JSON.stringify(idField)}:"`)
  const room = FRAME_BYTES + field.length + ids.length + 1
  const others = new Map<ShipRecord, Buffer>()
  let most = 0
  for (const record of batch.records) {
    most += room + record.end - record.start
    if (isObject(record)) continue
    // From behind the brace on, as of those that are objects.
    const { data, start, end } = record
    const body = Buffer.from(JSON.stringify(bytesAsJson(data.subarray(start, end))))
    others.set(record, body)
    most += body.length
  }
  const target = Buffer.allocUnsafe(most)
  let at = 0
  for (const record of batch.records) {
    const body = others.get(record)
    const { data, start, end } = body ? { data: body, start: 0, end: body.length } : record
    for (let i = 0; i < field.length; i++) target[at++] = field[i]!
    if (idField !== null) {
      at = ids.writeTo(target, at)
      target[at++] = QUOTE
      if (!isEmpty(data, start, end)) target[at++] = COMMA
      ids.next()
    }
    at += data.copy(target, at, start + 1, end)
    target[at++] = separator
  }
  return target.subarray(0, at)
}

/** Whether an object has nothing in it. */
function isEmpty(data: Buffer, start: number, end: number): boolean {
  return skipSpace(data, start + 1, end) === end - 1
}

/** pino's numbers of levels as syslog's severities, and as OpenTelemetry's. */
const LEVELS: readonly { level: number; name: string; syslog: number; otel: number }[] = [
  { level: 60, name: 'FATAL', syslog: 2, otel: 21 },
  { level: 50, name: 'ERROR', syslog: 3, otel: 17 },
  { level: 40, name: 'WARN', syslog: 4, otel: 13 },
  { level: 30, name: 'INFO', syslog: 6, otel: 9 },
  { level: 20, name: 'DEBUG', syslog: 7, otel: 5 },
  { level: Number.NEGATIVE_INFINITY, name: 'TRACE', syslog: 7, otel: 1 }
]
const INFO = LEVELS[3]!

/** What a level means to others: a number as pino has them, or a name; else 'info'. */
export function severityOf(level: unknown): { name: string; syslog: number; otel: number } {
  if (typeof level === 'number') return LEVELS.find(known => level >= known.level) ?? INFO
  if (typeof level !== 'string') return INFO
  return LEVELS.find(known => known.name === level.toUpperCase()) ?? INFO
}

/** ms since the epoch of a record's field `time`; null if there is none. */
export function timeOfFields(time: unknown): number | null {
  const ms = typeof time === 'string' ? Date.parse(time) : time
  return typeof ms === 'number' && ms >= 0 && ms <= 8.64e15 ? ms : null
}
