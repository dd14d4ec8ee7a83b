import { type Cursor, DamagedRecord } from './cursor'
import {
  TAG_ABSENT,
  TAG_FALSE,
  TAG_INT,
  TAG_JSON,
  TAG_NULL,
  TAG_NUMBER,
  TAG_SHORT_STRING,
  TAG_STRING,
  TAG_TRUE
} from './wire'

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
