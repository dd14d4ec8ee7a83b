/**
 * The seam between loggers and destinations: what becomes of a record once its level is on and its arguments are sorted out.
 * A destination that carries an encoder is given records through it; every other gets lines of text.
 */

import type { RecordSink } from '../record/record-encoder'
import type { CompiledEvent } from './event'
import type { Internals } from './internals'

/** Turns records into bytes and passes them on. */
export interface RecordEncoder {
  /**
   * One record.
   *
   * @param logger the logger: its bindings, serializers, formatters, mixin and so on, under `symbols`
   * @param fields the object as it was logged, perhaps an error; null or undefined for none
   * @param message the message with its placeholders filled in; of any type, undefined for none
   * @param level number of the level
   */
  write(logger: Internals, fields: object | null | undefined, message: unknown, level: number): void
  /** The same for a compiled event, where the encoder has a shorter way for it. */
  event?(logger: Internals, event: CompiledEvent, values: readonly unknown[]): void
  /** What takes the records, where several destinations may share the making of one. Those without it are given text then. */
  readonly recorder?: RecordSink
}

/** Where a destination carries its encoder. */
export const recordEncoderSym: unique symbol = Symbol.for('shardlog.recordEncoder')

export interface EncodingStream {
  [recordEncoderSym]?: RecordEncoder | undefined
}
