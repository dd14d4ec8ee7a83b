import {
  DEFINE_SHAPE,
  DEFINE_STRING,
  DEFINITION_BODY,
  DEFINITION_ID,
  DEFINITION_LENGTH,
  DEFINITION_WHAT,
  KEY_PREFIX_BYTES
} from './wire'

/** Something that records refer to by its id, and that is defined once in each segment in which they do. */
export interface Definition {
  readonly id: number
  /** As it lies in a bundle. */
  readonly bytes: Buffer
  /** The segment, by its number in the encoder, in which it was defined last; 0: in none. */
  definedIn: number
}

// Of this thread: a segment is written by one thread.
let lastId = 0

function define(what: number, length: number): Definition {
  const bytes = Buffer.allocUnsafe(DEFINITION_BODY + length)
  const id = ++lastId
  bytes.writeUInt32LE(id, DEFINITION_ID)
  bytes[DEFINITION_WHAT] = what
  bytes.writeUInt32LE(length, DEFINITION_LENGTH)
  return { id, bytes, definedIn: 0 }
}

/** A string as it is printed. */
export function defineString(text: string): Definition {
  const definition = define(DEFINE_STRING, Buffer.byteLength(text))
  definition.bytes.write(text, DEFINITION_BODY)
  return definition
}

/** The keys of a record, each as it is printed: `,"userId":`. A key has at most 65,535 bytes. */
export function defineShape(keys: readonly string[]): Definition {
  const lengths = keys.map(key => Buffer.byteLength(key))
  const definition = define(
    DEFINE_SHAPE,
    lengths.reduce((sum, length) => sum + KEY_PREFIX_BYTES + length, 0)
  )
  let at = DEFINITION_BODY
  keys.forEach((key, i) => {
    definition.bytes.writeUInt16LE(lengths[i]!, at)
    definition.bytes.write(key, at + KEY_PREFIX_BYTES)
    at += KEY_PREFIX_BYTES + lengths[i]!
  })
  return definition
}
