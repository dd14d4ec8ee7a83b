/** The encoder for every destination that takes text: one line of JSON for each record, written at once. */

import type { RecordEncoder } from './encoder'
import type { Fields, Internals } from './internals'
import { noteMetadata } from './metadata'
import { mixIn } from './mixin'
import { writeLine } from './rescue'
import { asJsonSym, errorKeySym, hooksSym, messageKeySym, mixinSym, streamSym, timeSym } from './symbols'

/** The message of a record logged without one: that of its error. */
function errorMessage(logger: Internals, fields: Fields): unknown {
  if (fields[logger[messageKeySym]] !== undefined) return undefined
  const error = fields[logger[errorKeySym]] as { message?: unknown } | undefined
  return error ? error.message : undefined
}

function write(logger: Internals, object: object | null | undefined, text: unknown, level: number): void {
  const time = logger[timeSym]()
  const fields = (object instanceof Error ? { [logger[errorKeySym]]: object } : (object ?? {})) as Fields
  const message = text === undefined && object ? errorMessage(logger, fields) : text
  const mixin = logger[mixinSym]
  const mixed = (mixin ? mixIn(logger, mixin, fields, level) : fields) as Fields
  const line = logger[asJsonSym](mixed, message, level, time)
  const stream = logger[streamSym]
  noteMetadata(logger, stream, mixed, message, level, time)
  const hook = logger[hooksSym].streamWrite
  writeLine(stream, hook ? hook(line) : line)
}

export const textEncoder: RecordEncoder = { write }
