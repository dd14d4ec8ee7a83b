/** Decoded events as lines of text that say all of them: how they lie in a spool. */

import type { RecordedEvent } from '../recorder/decode'

/** Begins a string that is a bigint, or one that begins so itself. JSON has no bigints. */
const MARK = '\u0000'
const BIGINT = `${MARK}n`
const TEXT = `${MARK}t`

function toPlain(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return BIGINT + String(value)
  return typeof value === 'string' && value.startsWith(MARK) ? TEXT + value : value
}

function fromPlain(_: string, value: unknown): unknown {
  if (typeof value !== 'string' || !value.startsWith(MARK)) return value
  return value.startsWith(BIGINT) ? BigInt(value.slice(BIGINT.length)) : value.slice(TEXT.length)
}

/** An event as a line, its newline included. */
export function encodeEvent({ time, level, target, message, thread, fields }: RecordedEvent): string {
  return `${JSON.stringify([String(time), thread, level, target, message, fields], toPlain)}\n`
}

type Row = [
  time: string,
  thread: number,
  level: string,
  target: string,
  message: string,
  fields: Record<string, unknown>
]

/** The event of a line that `encodeEvent` has made. */
export function decodeEvent(line: string): RecordedEvent {
  // A reviver is called for each value; few events have anything for it.
  const row = (line.includes('\\u0000') ? JSON.parse(line, fromPlain) : JSON.parse(line)) as Row
  const [time, thread, level, target, message, fields] = row
  return { time: BigInt(time), level, target, message, thread, fields }
}
