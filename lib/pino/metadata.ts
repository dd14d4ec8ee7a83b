/** What some destinations want to know of each line: they say so by `Symbol.for('pino.metadata')`. */

import type { Internals, Stream } from './internals'
import { needsMetadataGsym, timeSliceIndexSym } from './symbols'

/** Tells `stream` about the line that it is given next, if it wants to know. */
export function noteMetadata(
  logger: Internals,
  stream: Stream,
  fields: object,
  message: unknown,
  level: number,
  time: string
): void {
  if (stream[needsMetadataGsym] !== true) return
  stream.lastLevel = level
  stream.lastObj = fields
  stream.lastMsg = message
  stream.lastTime = time.slice(logger[timeSliceIndexSym])
  stream.lastLogger = logger
}
