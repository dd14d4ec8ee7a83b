import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { Cursor, DamagedRecord } from './cursor'
import { Dictionary } from './dictionary'
import { printNumber, readTimeText, readValue } from './value'
import {
  INLINE_MESSAGE,
  KIND_BUNDLE,
  KIND_RECORD,
  KIND_TEXT,
  NO_ID,
  TIME_ISO,
  TIME_MS,
  TIME_NONE,
  TIME_SECONDS,
  TIME_TEXT
} from './wire'

/** One line, as it goes to the destination. */
export interface Line {
  /** ms since the Unix epoch; anything a double can be, for so it stands in the payload. */
  time: number
  /** Newline included; never empty. */
  bytes: Buffer
}

/** What became of one payload: a line, or why there is none (K3). */
export type Rendered = Line | { damage: string }

/** Section 3.1, but for form 4. */
function printTime(form: number, time: number): Buffer {
  switch (form) {
    case TIME_NONE:
      return Buffer.alloc(0)
    case TIME_MS:
      return Buffer.from(`,"time":${printNumber(time)}`)
    case TIME_SECONDS:
      return Buffer.from(`,"time":${printNumber(Math.round(time / 1000))}`)
    case TIME_ISO: {
      const date = new Date(time)
      if (Number.isNaN(date.getTime())) throw new DamagedRecord(`${time} is not the time of a Date`)
      return Buffer.from(`,"time":"${date.toISOString()}"`)
    }
    default:
      throw new DamagedRecord(`there is no timeForm ${form}`)
  }
}

function renderFields(cursor: Cursor, count: number, keys: readonly Buffer[]): Buffer[] {
  if (count !== keys.length) throw new DamagedRecord(`${count} values for ${keys.length} keys`)
  const parts: Buffer[] = []
  for (const key of keys) {
    const value = readValue(cursor)
    if (value) parts.push(key, value)
  }
  return parts
}

function renderMessage(cursor: Cursor, id: number, dictionary: Dictionary): Buffer[] {
  if (id === NO_ID) return []
  if (id !== INLINE_MESSAGE) return [dictionary.string(id)]
  const key = dictionary.string(cursor.u32())
  const value = readValue(cursor)
  return value ? [key, value] : []
}

/** The payload of a RECORD, behind its kind byte (section 3). */
function renderRecord(cursor: Cursor, dictionary: Dictionary): Line {
  const form = cursor.u8()
  const count = cursor.u16()
  const time = cursor.f64()
  const head = dictionary.string(cursor.u32())
  const bindingsId = cursor.u32()
  const bindings = bindingsId === NO_ID ? [] : [dictionary.string(bindingsId)]
  const shapeId = cursor.u32()
  const messageId = cursor.u32()
  const fields = renderFields(cursor, count, shapeId === NO_ID ? [] : dictionary.shape(shapeId))
  const printedTime = form === TIME_TEXT ? readTimeText(cursor) : printTime(form, time)
  const message = renderMessage(cursor, messageId, dictionary)
  cursor.finish()
  return { time, bytes: Buffer.concat([head, printedTime, ...bindings, ...fields, ...message, Buffer.from('}\n')]) }
}

function renderText(cursor: Cursor): Line {
  const time = cursor.f64()
  if (cursor.left === 0) throw new DamagedRecord('a text without a line')
  return { time, bytes: Buffer.from(cursor.take(cursor.left)) }
}

function define(cursor: Cursor, dictionary: Dictionary): void {
  for (let left = cursor.u8(); left > 0; left--) dictionary.define(cursor)
}

function renderBundle(cursor: Cursor, dictionary: Dictionary): Line {
  define(cursor, dictionary)
  const kind = cursor.u8()
  if (kind !== KIND_RECORD) throw new DamagedRecord(`a bundle holds a payload of kind ${kind}`)
  return renderRecord(cursor, dictionary)
}

function renderKind(cursor: Cursor, dictionary: Dictionary): Line {
  const kind = cursor.u8()
  if (kind === KIND_TEXT) return renderText(cursor)
  if (kind === KIND_RECORD) return renderRecord(cursor, dictionary)
  if (kind === KIND_BUNDLE) return renderBundle(cursor, dictionary)
  throw new DamagedRecord(`there is no payload of kind ${kind}`)
}

/** Runs `read`; a payload that breaks the format is an outcome, anything else a fault of ours. */
function guarded<T>(read: () => T): T | { damage: string } {
  try {
    return read()
  } catch (error) {
    if (error instanceof DamagedRecord) return { damage: error.message }
    throw error
  }
}

/** Renders the payload `bytes[start, end)` with what its segment has defined before, and adds what it defines. Never throws. */
export function renderPayload(bytes: Buffer, start: number, end: number, dictionary: Dictionary): Rendered {
  return guarded(() => renderKind(new Cursor(bytes, start, end), dictionary))
}

/** Takes in only what a payload defines: for those whose lines have been shown before. */
function skipPayload(bytes: Buffer, start: number, end: number, dictionary: Dictionary): void {
  const cursor = new Cursor(bytes, start, end)
  if (cursor.left > 0 && cursor.u8() === KIND_BUNDLE) guarded(() => define(cursor, dictionary))
}

/** One payload of a segment, rendered. */
export interface SegmentStep {
  /** Where its payload lies in `bytes`. */
  start: number
  end: number
  rendered: Rendered
}

/**
 * Renders the entries that lie back to back in `bytes[start, end)`, which is a segment from its first entry on. What breaks R2 is one
 * damage, and the last one: where the next entry begins is not known.
 * @param from index of the first entry that is wanted; those before it only define.
 */
export function* renderEntries(bytes: Buffer, start: number, end: number, from = start): Generator<SegmentStep, void> {
  const dictionary = new Dictionary()
  let at = start
  while (at < end) {
    const first = at + ENTRY_PREFIX_BYTES
    const length = first < end ? bytes.readUInt32LE(at) : 0
    if (length === 0 || length > end - first) {
      yield { start: at, end, rendered: { damage: 'an entry with an impossible length' } }
      return
    }
    const last = first + length
    if (at < from) skipPayload(bytes, first, last, dictionary)
    else yield { start: first, end: last, rendered: renderPayload(bytes, first, last, dictionary) }
    at = last
  }
}

/** The lines of one segment in its order, and how many of its payloads are damaged. */
export function renderSegment(bytes: Buffer, start = 0, end = bytes.length): { lines: Line[]; damaged: number } {
  const lines: Line[] = []
  let damaged = 0
  for (const { rendered } of renderEntries(bytes, start, end)) {
    if ('damage' in rendered) damaged++
    else lines.push(rendered)
  }
  return { lines, damaged }
}
