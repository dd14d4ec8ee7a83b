/** Reads what `PayloadWriter` and `Definition` write: values, and what records refer to. */

import {
  DEFINE_STRING,
  DEFINE_TEMPLATE,
  MESSAGE_INLINE,
  MESSAGE_NONE,
  NO_ID,
  TAG_ABSENT,
  TAG_FALSE,
  TAG_INT,
  TAG_JSON,
  TAG_NULL,
  TAG_NUMBER,
  TAG_SHORT_STRING,
  TAG_STRING,
  TAG_TRUE,
  TIME_TEXT
} from './wire'

/**
 * A payload breaks docs/reference/record-format.md (K3). Never leaves lib/record: the renderer
 * counts it.
 */
export class DamagedRecord extends Error {}

/**
 * Reads a payload from front to back, never beyond its end. Every step throws DamagedRecord where
 * there is too little left.
 */
export class Cursor {
  constructor(
    private readonly bytes: Buffer,
    private at: number,
    private readonly end: number
  ) {}

  get left(): number {
    return this.end - this.at
  }

  u8(): number {
    return this.bytes.readUInt8(this.advance(1))
  }

  u16(): number {
    return this.bytes.readUInt16LE(this.advance(2))
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.advance(4))
  }

  u64(): bigint {
    return this.bytes.readBigUInt64LE(this.advance(8))
  }

  i32(): number {
    return this.bytes.readInt32LE(this.advance(4))
  }

  f64(): number {
    return this.bytes.readDoubleLE(this.advance(8))
  }

  /** A view of the next `length` bytes. */
  take(length: number): Buffer {
    const start = this.advance(length)
    return this.bytes.subarray(start, start + length)
  }

  /** @throws DamagedRecord if bytes are left over. */
  finish(): void {
    if (this.left > 0) throw new DamagedRecord(`${this.left} bytes are left over`)
  }

  private advance(length: number): number {
    if (length > this.left) throw new DamagedRecord(`${length} bytes are claimed where ${this.left} are left`)
    const start = this.at
    this.at += length
    return start
  }
}

// Values.

const QUOTE = Buffer.from('"')

/** What a byte of a string is printed as, where that is not the byte itself. */
const ESCAPES: readonly (Buffer | undefined)[] = Array.from({ length: 0x80 }, (_, code) => {
  const char = String.fromCharCode(code)
  const printed = JSON.stringify(char).slice(1, -1)
  return printed === char ? undefined : Buffer.from(printed)
})

/**
 * Section 3.3: the string as JSON. Works on bytes, so that those which are not UTF-8 come out as
 * they are.
 */
export function printString(bytes: Buffer): Buffer {
  const parts: Buffer[] = [QUOTE]
  let from = 0
  for (let at = 0; at < bytes.length; at++) {
    const escaped = ESCAPES[bytes[at]!]
    if (!escaped) continue
    parts.push(bytes.subarray(from, at), escaped)
    from = at + 1
  }
  parts.push(bytes.subarray(from), QUOTE)
  return Buffer.concat(parts)
}

/** `null` if it is not finite. */
export function printNumber(value: number): Buffer {
  return Buffer.from(JSON.stringify(value))
}

/**
 * Reads the value that comes next (section 3.2).
 * @returns it as it is printed; null if it is absent.
 * @throws DamagedRecord
 */
export function readValue(cursor: Cursor): Buffer | null {
  const tag = cursor.u8()
  switch (tag) {
    case TAG_ABSENT:
      return null
    case TAG_NULL:
      return Buffer.from('null')
    case TAG_FALSE:
      return Buffer.from('false')
    case TAG_TRUE:
      return Buffer.from('true')
    case TAG_INT:
      return printNumber(cursor.i32())
    case TAG_NUMBER:
      return printNumber(cursor.f64())
    case TAG_SHORT_STRING:
      return printString(cursor.take(cursor.u8()))
    case TAG_STRING:
      return printString(cursor.take(cursor.u32()))
    case TAG_JSON:
      return cursor.take(cursor.u32())
    default:
      throw new DamagedRecord(`there is no value of kind ${tag}`)
  }
}

/**
 * Reads the text of a time (timeForm 4): a string's or json's bytes as they are.
 * @throws DamagedRecord for any other value
 */
export function readTimeText(cursor: Cursor): Buffer {
  const tag = cursor.u8()
  if (tag === TAG_SHORT_STRING) return cursor.take(cursor.u8())
  if (tag === TAG_STRING || tag === TAG_JSON) return cursor.take(cursor.u32())
  throw new DamagedRecord(`the text of a time is of kind ${tag}`)
}

// Definitions.

/** What lines have in common, each text as it is printed. */
export interface Template {
  /** One of TIME_*. */
  timeForm: number
  /** One of MESSAGE_*. */
  messageForm: number
  head: Buffer
  /** The message with its key, its key alone, or nothing, as `messageForm` says. */
  message: Buffer
  keys: readonly Buffer[]
}

type Definition = { what: 'string'; bytes: Buffer } | { what: 'template'; template: Template }

/**
 * What the records of one segment have defined so far (section 4). Strings and templates share one
 * space of ids.
 */
export class Dictionary {
  private readonly definitions = new Map<number, Definition>()

  /**
   * Takes in the definition that comes next.
   * @throws DamagedRecord if it breaks section 4; nothing is defined then.
   */
  define(cursor: Cursor): void {
    const id = cursor.u32()
    const what = cursor.u8()
    const body = cursor.take(cursor.u32())
    if (id === NO_ID) throw new DamagedRecord(`${id} is not an id to be defined`)
    this.definitions.set(id, readDefinition(what, body))
  }

  /** @throws DamagedRecord if the id is not a string's. */
  string(id: number): Buffer {
    const found = this.definitions.get(id)
    if (found?.what !== 'string') throw new DamagedRecord(`no string has the id ${id}`)
    return found.bytes
  }

  /** @throws DamagedRecord if the id is not a template's. */
  template(id: number): Template {
    const found = this.definitions.get(id)
    if (found?.what !== 'template') throw new DamagedRecord(`no template has the id ${id}`)
    return found.template
  }
}

function readDefinition(what: number, body: Buffer): Definition {
  if (what === DEFINE_STRING) return { what: 'string', bytes: Buffer.from(body) }
  if (what === DEFINE_TEMPLATE) return { what: 'template', template: readTemplate(body) }
  throw new DamagedRecord(`there is no definition of kind ${what}`)
}

function readTemplate(body: Buffer): Template {
  const cursor = new Cursor(body, 0, body.length)
  const timeForm = cursor.u8()
  if (timeForm > TIME_TEXT) throw new DamagedRecord(`there is no timeForm ${timeForm}`)
  const messageForm = cursor.u8()
  if (messageForm > MESSAGE_INLINE) throw new DamagedRecord(`there is no messageForm ${messageForm}`)
  const head = readText(cursor)
  const message = readText(cursor)
  if (messageForm === MESSAGE_NONE && message.length > 0) throw new DamagedRecord('a message where there is none')
  const keys: Buffer[] = []
  while (cursor.left > 0) keys.push(readText(cursor))
  return { timeForm, messageForm, head, message, keys }
}

const readText = (cursor: Cursor): Buffer => Buffer.from(cursor.take(cursor.u16()))
