import { ENTRY_PREFIX_BYTES } from '../format/constants'
import {
  Cursor,
  DamagedRecord,
  Dictionary,
  printNumber,
  readTimeText,
  readValue,
  type Template
} from './payload-reader'
import {
  KIND_BUNDLE,
  KIND_RECORD,
  KIND_SPILLED,
  KIND_TEXT,
  MESSAGE_INLINE,
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

/**
 * What became of one payload: a line, or why there is none (K3). A damaged one has the time that
 * its header tells, and holds its place in the order by it; NaN if there is not so much of it.
 */
export type Rendered = Line | { time: number; damage: string }

/** Where a payload lies that is too large for a segment (section 2.1). */
export interface Spilled {
  id: bigint
  /** Its bytes. */
  length: number
  /** Their CRC-32C. */
  crc: number
}

/** The bytes of a payload that is spilled; null if they cannot be had. */
export type LoadSpilled = (spilled: Spilled) => Buffer | null

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

function renderFields(cursor: Cursor, keys: readonly Buffer[]): Buffer[] {
  const parts: Buffer[] = []
  for (const key of keys) {
    const value = readValue(cursor)
    if (value) parts.push(key, value)
  }
  return parts
}

function renderMessage(cursor: Cursor, { messageForm, message }: Template): Buffer[] {
  if (messageForm !== MESSAGE_INLINE) return [message]
  const value = readValue(cursor)
  return value ? [message, value] : []
}

interface RecordHeader {
  template: number
  bindings: number
  time: number
}

/** The fixed part of a RECORD, behind its kind byte (section 3). */
function readHeader(cursor: Cursor): RecordHeader {
  return { template: cursor.u32(), bindings: cursor.u32(), time: cursor.f64() }
}

/** The line of a RECORD; `cursor` is behind its header. */
function renderRecord(cursor: Cursor, header: RecordHeader, dictionary: Dictionary): Buffer {
  const template = dictionary.template(header.template)
  const { timeForm, head, keys } = template
  const bindings = header.bindings === NO_ID ? [] : [dictionary.string(header.bindings)]
  const fields = renderFields(cursor, keys)
  const printedTime = timeForm === TIME_TEXT ? readTimeText(cursor) : printTime(timeForm, header.time)
  const message = renderMessage(cursor, template)
  cursor.finish()
  return Buffer.concat([head, printedTime, ...bindings, ...fields, ...message, Buffer.from('}\n')])
}

function define(cursor: Cursor, dictionary: Dictionary): void {
  for (let left = cursor.u8(); left > 0; left--) dictionary.define(cursor)
}

/** A payload of which the time has been read. */
interface Opened {
  time: number
  /** @throws DamagedRecord */
  render: () => Buffer
}

function openText(cursor: Cursor): Opened {
  const time = cursor.f64()
  if (cursor.left === 0) throw new DamagedRecord('a text without a line')
  return { time, render: () => Buffer.from(cursor.take(cursor.left)) }
}

function openRecord(cursor: Cursor, dictionary: Dictionary): Opened {
  const header = readHeader(cursor)
  return { time: header.time, render: () => renderRecord(cursor, header, dictionary) }
}

/** What a spill defines is for its own line alone. */
function renderSpilled(spilled: Spilled, load: LoadSpilled | undefined): Buffer {
  const bytes = load?.(spilled)
  if (!bytes) throw new DamagedRecord(`the ${spilled.length} bytes of spill ${spilled.id} are not to be had`)
  return openPayload(new Cursor(bytes, 0, bytes.length), new Dictionary()).render()
}

function openSpilled(cursor: Cursor, load: LoadSpilled | undefined): Opened {
  const time = cursor.f64()
  const spilled = { id: cursor.u64(), length: Number(cursor.u64()), crc: cursor.u32() }
  cursor.finish()
  return { time, render: () => renderSpilled(spilled, load) }
}

function openPayload(cursor: Cursor, dictionary: Dictionary, load?: LoadSpilled): Opened {
  const kind = cursor.u8()
  if (kind === KIND_TEXT) return openText(cursor)
  if (kind === KIND_SPILLED) return openSpilled(cursor, load)
  if (kind === KIND_RECORD) return openRecord(cursor, dictionary)
  if (kind !== KIND_BUNDLE) throw new DamagedRecord(`there is no payload of kind ${kind}`)
  define(cursor, dictionary)
  const inner = cursor.u8()
  if (inner !== KIND_RECORD) throw new DamagedRecord(`a bundle holds a payload of kind ${inner}`)
  return openRecord(cursor, dictionary)
}

/** What a DamagedRecord says; anything else is a fault of ours and thrown on. */
function damageOf(error: unknown): string {
  if (error instanceof DamagedRecord) return error.message
  throw error
}

/**
 * Renders the payload `bytes[start, end)` with what its segment has defined before, and adds what
 * it defines: of a bundle that is damaged, what stands before the damage. Never throws.
 *
 * @param load where a spilled payload is; without it that is damage
 */
export function renderPayload(
  bytes: Buffer,
  start: number,
  end: number,
  dictionary: Dictionary,
  load?: LoadSpilled
): Rendered {
  let time = Number.NaN
  try {
    const opened = openPayload(new Cursor(bytes, start, end), dictionary, load)
    time = opened.time
    return { time, bytes: opened.render() }
  } catch (error) {
    return { time, damage: damageOf(error) }
  }
}

/** Takes in only what a payload defines: for those whose lines have been shown before. */
function skipPayload(bytes: Buffer, start: number, end: number, dictionary: Dictionary): void {
  const cursor = new Cursor(bytes, start, end)
  if (cursor.u8() !== KIND_BUNDLE) return
  try {
    define(cursor, dictionary)
  } catch (error) {
    damageOf(error) // It was counted when it was shown.
  }
}

/** One payload of a segment, rendered. */
export interface SegmentStep {
  /** Where its payload lies in `bytes`. */
  start: number
  end: number
  rendered: Rendered
}

/**
 * Renders the entries that lie back to back in `bytes[start, end)`, which is a segment from its
 * first entry on. What breaks R2 is one damage, and the last one: where the next entry begins is
 * not known.
 * @param from index of the first entry that is wanted; those before it only define.
 * @param load as `renderPayload`'s
 */
export function* renderEntries(
  bytes: Buffer,
  start: number,
  end: number,
  from = start,
  load?: LoadSpilled
): Generator<SegmentStep, void> {
  const dictionary = new Dictionary()
  let at = start
  while (at < end) {
    const first = at + ENTRY_PREFIX_BYTES
    const length = first < end ? bytes.readUInt32LE(at) : 0
    if (length === 0 || length > end - first) {
      const rendered = { time: Number.NaN, damage: 'an entry with an impossible length' }
      if (at >= from) yield { start: at, end, rendered }
      return
    }
    const last = first + length
    if (at < from) skipPayload(bytes, first, last, dictionary)
    else yield { start: first, end: last, rendered: renderPayload(bytes, first, last, dictionary, load) }
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
