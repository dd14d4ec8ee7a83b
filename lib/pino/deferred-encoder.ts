/** The encoder that leaves the making of JSON to the destination: it passes on the values of a record, before they are text. */

import type { RecordSink } from '../record/record-encoder'
import { tracedAsJson, valueText } from './as-json'
import { isFollowed } from './diagnostics'
import { type EncodingStream, type RecordEncoder, recordEncoderSym } from './encoder'
import { errorMessage } from './error-message'
import type { Fields, Internals } from './internals'
import { fastPathSym, formatsSym, isProxied, LogFastPath } from './fast-path'
import { JsonText, LineFormats } from './line-format'
import { mixIn } from './mixin'
import { recordTime } from './own-clock'
import {
  asJsonSym,
  chindingsSym,
  endSym,
  errorKeySym,
  formattersSym,
  hooksSym,
  mixinSym,
  msgPrefixSym,
  nestedKeySym,
  streamSym,
  stringifySafeSym,
  stringifySym,
  timeSym,
  writeSym
} from './symbols'
import { write as plainWrite } from './write'

interface Formatted {
  [formatsSym]?: LineFormats | undefined
}

const PLAIN_END = '}\n'

function formatsOf(logger: Internals & Formatted): LineFormats {
  const known = logger[formatsSym]
  // A child finds its parent's.
  if (known?.isValidFor(logger)) return known
  const formats = new LineFormats(logger, known, false)
  // Frozen loggers are made new ones for each line.
  if (Object.isExtensible(logger)) logger[formatsSym] = formats
  return formats
}

/**
 * Lines that only their text can be: fields below a key of their own, other line ends, a hook or a tool that sees each line, a logger behind a
 * proxy.
 */
function wantsText(logger: Internals): boolean {
  return (
    logger[asJsonSym] !== tracedAsJson ||
    Boolean(logger[nestedKeySym]) ||
    logger[endSym] !== PLAIN_END ||
    Boolean(logger[hooksSym].streamWrite) ||
    isFollowed() ||
    isProxied(logger)
  )
}

function writeText(sink: RecordSink, logger: Internals, fields: Fields, message: unknown, level: number): void {
  const line = logger[asJsonSym](fields, message, level, logger[timeSym]())
  const hook = logger[hooksSym].streamWrite
  sink.text(recordTime(), hook ? hook(line) : line)
}

/** Whether something sees the fields or the message between the call and the record. */
function isWatched(logger: Internals): boolean {
  return Boolean(logger[mixinSym]) || Boolean(logger[formattersSym].log) || wantsText(logger)
}

/** What a message was converted to, as JSON: if the record has to become text after all, it is not converted twice. */
function printed(logger: Internals, converted: unknown): JsonText | undefined {
  if (converted instanceof JsonText) return converted
  const text = valueText(converted, undefined, logger[stringifySym], logger[stringifySafeSym])
  return text === undefined ? undefined : new JsonText(text)
}

function write(
  sink: RecordSink,
  logger: Internals,
  object: object | null | undefined,
  text: unknown,
  level: number
): void {
  const own = (object instanceof Error ? { [logger[errorKeySym]]: object } : (object ?? null)) as Fields | null
  const message = text === undefined && object ? errorMessage(logger, object) : text
  const mixin = logger[mixinSym]
  const shaped = mixin ? (mixIn(logger, mixin, own ?? {}, level) as Fields) : own
  if (wantsText(logger)) {
    writeText(sink, logger, shaped ?? {}, message, level)
    return
  }
  const format = logger[formattersSym].log
  const fields = format ? format(shaped ?? {}) : shaped
  const formats = formatsOf(logger)
  const { timeText, serializers } = formats.shared
  const convert = serializers.convertMessage
  const converted = convert === null || message === undefined ? message : printed(logger, convert(message))
  sink.record(formats.of(level), recordTime(), timeText === null ? '' : timeText(), fields, converted)
}

/** Gives a logger whose calls need nothing of the above the fast path, if its destination is the encoder's alone. */
function enableFastPath(encoder: RecordEncoder, sink: RecordSink, logger: Internals): void {
  if (logger[fastPathSym]?.isValidFor(logger) || !Object.isExtensible(logger)) return
  const isPlain = logger[writeSym] === plainWrite && typeof logger[msgPrefixSym] !== 'string' && !isWatched(logger)
  if (!isPlain || (logger[streamSym] as EncodingStream)[recordEncoderSym] !== encoder) return
  const formats = formatsOf(logger)
  const { timeText, serializers } = formats.shared
  if (timeText !== null || serializers.convertMessage !== null) return
  logger[fastPathSym] = new LogFastPath(logger, new LineFormats(logger, formats, true), sink)
  // A parent may never log itself, and its children for a line or two each: they take theirs from it.
  if (Object.hasOwn(logger, chindingsSym)) enableFastPath(encoder, sink, Object.getPrototypeOf(logger) as Internals)
}

/** The encoder for a destination that records. */
export function deferredEncoder(sink: RecordSink): RecordEncoder {
  const encoder: RecordEncoder = {
    write(logger, object, text, level) {
      write(sink, logger, object, text, level)
      enableFastPath(encoder, sink, logger)
    },
    recorder: sink,
    event(logger, event, values) {
      const formats = formatsOf(logger)
      const { timeText, serializers } = formats.shared
      const isResolved = event.resolve(serializers.tree)
      if (!isResolved || serializers.convertMessage !== null || isWatched(logger)) {
        write(sink, logger, event.fields(values), event.message, event.level)
        return
      }
      const time = timeText === null ? '' : timeText()
      sink.event(formats.of(event.level), recordTime(), time, event, values)
      enableFastPath(encoder, sink, logger)
    }
  }
  return encoder
}
