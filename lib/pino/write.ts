/** What loggers without features do with a record. */

import { type EncodingStream, recordEncoderSym } from './encoder'
import type { Internals } from './internals'
import { jsonAtCallSym, streamSym } from './symbols'
import { textEncoder } from './text-encoder'

/** The seam: a destination with an encoder is given the record itself. */
export function write(this: Internals, fields: object | null | undefined, message: unknown, level: number): void {
  const encoder = (!this[jsonAtCallSym] && (this[streamSym] as EncodingStream)[recordEncoderSym]) || textEncoder
  encoder.write(this, fields, message, level)
}
