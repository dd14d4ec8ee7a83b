/** What is queried: files that DuckDB reads itself, and what is brought into such files before. */

import { isUtf8 } from 'node:buffer'
import type { ScanItem } from '../reader/items'
import { JsonChecker } from '../reader/lines'
import type { Keys } from './keys'

export interface QueryEvent {
  /** ns since the Unix epoch; null: it tells none. */
  time: bigint | null
  level: string | null
  levelValue: number | null
  name: string | null
  msg: string | null
  /** What is told once for many events: `pid`, `hostname`, `service`, `thread`. */
  about: Readonly<Record<string, unknown>>
  fields: Readonly<Record<string, unknown>>
}

/** A file to be queried. */
export interface QueryInput {
  /** As it was given. */
  name: string
  /** A file of lines that is read as it lies there; null if it has to be decoded. */
  plain: string | null
  /** All that it holds, once; null if it is no log. */
  scan: (() => AsyncIterable<ScanItem[]>) | null
  /** What a line of it says. */
  eventOf(line: string): QueryEvent
  /** What is no log: its events. */
  events: Iterable<QueryEvent> | null
}

const BACKSLASHES_OR_LONE = /(\\\\)|\\ud[89a-f][\da-f]{2}/gi

function exactJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(exactJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const members = Object.entries(value).map(([key, inner]) => `${JSON.stringify(key)}:${exactJson(inner)}`)
  return `{${members.join(',')}}`
}

/** JSON as DuckDB takes it: integers of any size, no surrogates that stand alone. */
function toJson(value: unknown): string {
  let json: string
  try {
    json = JSON.stringify(value)
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // It has a bigint.
    json = exactJson(value)
  }
  return json.replace(BACKSLASHES_OR_LONE, (_, backslashes: string | undefined) => backslashes ?? '\\ufffd')
}

/** An event as a line of a file of events, newline included. */
export function eventLine({ time, level, levelValue, name, msg, about, fields }: QueryEvent): string {
  return `${toJson({ t: time, l: level, v: levelValue, n: name, m: msg, o: about, f: fields })}\n`
}

/**
 * The same; of an event that is nested too deeply for JavaScript to print it, its text as the
 * message.
 */
export function eventLineOf(event: QueryEvent, text: string): string {
  try {
    return eventLine(event)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    return eventLine({ ...event, msg: text, fields: {} })
  }
}

/** Notes the keys of an event. */
export function noteEvent(keys: Keys, { about, fields }: QueryEvent): void {
  keys.addRecord(about)
  keys.addRecord(fields)
}

/** A surrogate that is written as an escape: it may stand alone. */
const SURROGATE = /\\ud[89a-f]/i

const checker = new JsonChecker()

/** The object in a line of JSON; null: it is something else. */
function objectIn(line: Buffer): Record<string, unknown> | null {
  if (!isUtf8(line) || !checker.check(line, 0, line.length)) return null
  const record: unknown = JSON.parse(line.toString())
  return typeof record === 'object' && record !== null && !Array.isArray(record)
    ? (record as Record<string, unknown>)
    : null
}

/** Notes the keys of a line. */
export function noteLine(keys: Keys, line: Buffer): void {
  const record = objectIn(line)
  if (record !== null) keys.addRecord(record)
}

/** Deeper JSON is left alone by DuckDB. */
const MOST_DEEP = 1000
const UTC_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/
const SECONDS = '2026-01-02T03:04:05'.length

/** Whether SQL understands a time as `Date.parse` does. */
function isPlainTime(time: unknown): boolean {
  if (typeof time !== 'string') return true
  if (!UTC_TIME.test(time)) return false
  const ms = Date.parse(time)
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, SECONDS) === time.slice(0, SECONDS)
}

/**
 * The record in a line that DuckDB reads as `JSON.parse` does; null for any other: no JSON, no
 * object, a key twice, not UTF-8, a time that only `Date.parse` may understand.
 */
export function cleanRecord(line: Buffer): Record<string, unknown> | null {
  const record = objectIn(line)
  if (record === null || checker.deepest > MOST_DEEP || SURROGATE.test(line.toString())) return null
  const values = Object.values(record)
  const isClean =
    values.length === checker.keys && isPlainTime(record.time) && !values.includes(Number.POSITIVE_INFINITY)
  return isClean ? record : null
}
