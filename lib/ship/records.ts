/** What sinks need of records: the logger's name, the fields, and the record as a JSON object. */

import { bytesAsJson } from './dead-letters'
import { type Batch, idOf, type ShipRecord, textOf } from './sink'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN = 0x7b
const CLOSE = 0x7d
const OPEN_ARRAY = 0x5b
const CLOSE_ARRAY = 0x5d
const SPACE = 0x20
const NAME = Buffer.from('"name":"')

/** Where the string that begins at `at` ends, behind its quote. */
function stringEnd(data: Buffer, at: number, end: number): number {
  let next = at + 1
  while (next < end && data[next] !== QUOTE) next += data[next] === BACKSLASH ? 2 : 1
  return next + 1
}

/** Whether `at` lies inside the outermost object of the record and in nothing deeper. */
function isTopLevel({ data, start }: ShipRecord, at: number): boolean {
  let depth = 0
  for (let next = start; next < at; ) {
    const byte = data[next]
    if (byte === QUOTE) {
      next = stringEnd(data, next, at + 1)
      if (next > at) return false
      continue
    }
    if (byte === OPEN || byte === OPEN_ARRAY) depth++
    else if (byte === CLOSE || byte === CLOSE_ARRAY) depth--
    next++
  }
  return depth === 1
}

/** The field `name` of a JSON record, which loggers have their name in; null if there is none. */
export function loggerName(record: ShipRecord): string | null {
  const { data, start, end } = record
  if (data[start] !== OPEN) return null
  const found = data.indexOf(NAME, start)
  if (found < 0 || found >= end) {
    // Other writers' spacing.
    if (data.indexOf('"name"', start) < 0 || data.indexOf('"name"', start) >= end) return null
    const name = fieldsOf(record)?.name
    return typeof name === 'string' ? name : null
  }
  if (!isTopLevel(record, found)) {
    const name = fieldsOf(record)?.name
    return typeof name === 'string' ? name : null
  }
  const from = found + NAME.length - 1
  const quoted = data.toString('utf8', from, stringEnd(data, from, end))
  if (!quoted.includes('\\')) return quoted.slice(1, -1)
  const name = fieldsOf(record)?.name
  return typeof name === 'string' ? name : null
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

/**
 * The records as JSON objects, `separator` between them, the id of each in the field `idField`
 * (none if that is null); what is no object as `{"record": "text"}`.
 */
export function asObjects(batch: Batch, idField: string | null, separator: string): Buffer {
  const parts: Buffer[] = []
  const field = idField === null ? '' : `${JSON.stringify(idField)}:`
  batch.records.forEach((record, index) => {
    const { data, start, end } = record
    const id = idField === null ? '' : `${field}"${idOf(batch, index)}"`
    const before = index === 0 ? '' : separator
    if (!isObject(record)) {
      const body = JSON.stringify(bytesAsJson(data.subarray(start, end))).slice(1)
      parts.push(Buffer.from(`${before}{${id}${id === '' ? '' : ','}${body}`))
    } else if (id === '') parts.push(Buffer.from(before), data.subarray(start, end))
    else {
      const empty = data[start + 1]! <= SPACE ? Object.keys(fieldsOf(record) ?? {}).length === 0 : end - start === 2
      parts.push(Buffer.from(`${before}{${id}${empty ? '' : ','}`), data.subarray(start + 1, end))
    }
  })
  return Buffer.concat(parts)
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
