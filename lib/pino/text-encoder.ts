/** The encoder for every destination that takes text: one line of JSON for each record, written at once. */

import type { RecordEncoder } from './encoder'
import { errorMessage } from './error-message'
import type { Fields, Internals, Stream } from './internals'
import { noteMetadata } from './metadata'
import { mixIn } from './mixin'
import { writeLine } from './rescue'
import { asJsonSym, errorKeySym, hooksSym, mixinSym, streamSym, timeSym } from './symbols'

/** As an encoder's `write`, to `stream`, which need not be the logger's own. */
export function writeAsText(
  stream: Stream,
  logger: Internals,
  object: object | null | undefined,
  text: unknown,
  level: number
): void {
  const time = logger[timeSym]()
  const fields = (object instanceof Error ? { [logger[errorKeySym]]: object } : (object ?? {})) as Fields
  const message = text === undefined && object ? errorMessage(logger, object) : text
  const mixin = logger[mixinSym]
  const mixed = (mixin ? mixIn(logger, mixin, fields, level) : fields) as Fields
  const line = logger[asJsonSym](mixed, message, level, time)
  noteMetadata(logger, stream, mixed, message, level, time)
  const hook = logger[hooksSym].streamWrite
  writeLine(stream, hook ? hook(line) : line)
}

export const textEncoder: RecordEncoder = {
  write: (logger, object, text, level) => writeAsText(logger[streamSym], logger, object, text, level)
}
