import {
  DEFINE_STRING,
  DEFINE_TEMPLATE,
  DEFINITION_BODY,
  DEFINITION_ID,
  DEFINITION_LENGTH,
  DEFINITION_WHAT,
  MAX_TEXT_BYTES,
  TEMPLATE_HEAD,
  TEMPLATE_MESSAGE_FORM,
  TEMPLATE_TIME_FORM,
  TEXT_PREFIX_BYTES
} from './wire'

/** Something that records refer to by its id, and that is defined once in each segment in which they do. */
export interface Definition {
  readonly id: number
  /** As it lies in a bundle. */
  readonly bytes: Buffer
  /** The body, if it is a string. */
  readonly text: string | null
  /** The segment, by its number in the encoder, in which it was defined last; 0: in none. */
  definedIn: number
}

// Of this thread: a segment is written by one thread.
let lastId = 0

function define(id: number, what: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(DEFINITION_BODY + length)
  bytes.writeUInt32LE(id, DEFINITION_ID)
  bytes[DEFINITION_WHAT] = what
  bytes.writeUInt32LE(length, DEFINITION_LENGTH)
  return bytes
}

// Each child logger has one, which may see a line or two: its bytes are made when they are asked for.
class StringDefinition implements Definition {
  readonly id = ++lastId
  definedIn = 0
  #bytes: Buffer | null = null

  constructor(readonly text: string) {}

  get bytes(): Buffer {
    if (this.#bytes !== null) return this.#bytes
    this.#bytes = define(this.id, DEFINE_STRING, Buffer.byteLength(this.text))
    this.#bytes.write(this.text, DEFINITION_BODY)
    return this.#bytes
  }
}

/** A string as it is printed. */
export function defineString(text: string): Definition {
  return new StringDefinition(text)
}

/** What lines have in common, each text as it is printed. */
export interface TemplateTexts {
  /** One of TIME_*. */
  timeForm: number
  /** One of MESSAGE_*. */
  messageForm: number
  head: string
  /** The message with its key, or its key alone, as `messageForm` says. */
  message: string
  keys: readonly string[]
}

/** Null if one of the texts is too long for a template. */
export function defineTemplate({ timeForm, messageForm, head, message, keys }: TemplateTexts): Definition | null {
  const texts = [head, message, ...keys].map(text => Buffer.from(text))
  if (texts.some(text => text.length > MAX_TEXT_BYTES)) return null
  const length = texts.reduce((sum, text) => sum + TEXT_PREFIX_BYTES + text.length, TEMPLATE_HEAD)
  const id = ++lastId
  const bytes = define(id, DEFINE_TEMPLATE, length)
  bytes[DEFINITION_BODY + TEMPLATE_TIME_FORM] = timeForm
  bytes[DEFINITION_BODY + TEMPLATE_MESSAGE_FORM] = messageForm
  let at = DEFINITION_BODY + TEMPLATE_HEAD
  for (const text of texts) {
    bytes.writeUInt16LE(text.length, at)
    bytes.set(text, at + TEXT_PREFIX_BYTES)
    at += TEXT_PREFIX_BYTES + text.length
  }
  return { id, bytes, text: null, definedIn: 0 }
}
