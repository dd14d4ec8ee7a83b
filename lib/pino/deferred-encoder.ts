/** The encoder that leaves the making of JSON to the destination: it passes on the values of a record, before they are text. */

import type { RecordEncoder as Recorder } from '../record/encode'
import { tracedAsJson, valueText } from './as-json'
import { isFollowed } from './diagnostics'
import { type EncodingStream, type RecordEncoder, recordEncoderSym } from './encoder'
import { errorMessage } from './error-message'
import type { Fields, Internals } from './internals'
import { JsonText } from './line-family'
import { LinePlan, planSym, stylesSym } from './line-plan'
import { LineStyles } from './line-styles'
import { mixIn } from './mixin'
import { recordTime } from './own-clock'
import { isProxied } from './proxied'
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

interface Styled {
  [stylesSym]?: LineStyles | undefined
}

const PLAIN_END = '}\n'

function stylesOf(logger: Internals & Styled): LineStyles {
  const known = logger[stylesSym]
  // A child finds its parent's.
  if (known?.fit(logger)) return known
  const styles = new LineStyles(logger, known)
  // Frozen loggers are made new ones for each line.
  if (Object.isExtensible(logger)) logger[stylesSym] = styles
  return styles
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

function writeText(recorder: Recorder, logger: Internals, fields: Fields, message: unknown, level: number): void {
  const line = logger[asJsonSym](fields, message, level, logger[timeSym]())
  const hook = logger[hooksSym].streamWrite
  recorder.text(recordTime(), hook ? hook(line) : line)
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
  recorder: Recorder,
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
    writeText(recorder, logger, shaped ?? {}, message, level)
    return
  }
  const format = logger[formattersSym].log
  const fields = format ? format(shaped ?? {}) : shaped
  const styles = stylesOf(logger)
  const { timeText, family } = styles.common
  const convert = family.convertMessage
  const converted = convert === null || message === undefined ? message : printed(logger, convert(message))
  recorder.record(styles.of(level), recordTime(), timeText === null ? '' : timeText(), fields, converted)
}

/** Gives a logger whose calls need nothing of the above the short way, if its destination is the encoder's alone. */
function plan(encoder: RecordEncoder, recorder: Recorder, logger: Internals): void {
  if (logger[planSym]?.fits(logger) || !Object.isExtensible(logger)) return
  const isPlain = logger[writeSym] === plainWrite && typeof logger[msgPrefixSym] !== 'string' && !isWatched(logger)
  if (!isPlain || (logger[streamSym] as EncodingStream)[recordEncoderSym] !== encoder) return
  const styles = stylesOf(logger)
  const { timeText, family } = styles.common
  if (timeText !== null || family.convertMessage !== null) return
  logger[planSym] = new LinePlan(logger, styles, recorder)
  // A parent may never log itself, and its children for a line or two each: they take theirs from it.
  const parent = Object.getPrototypeOf(logger) as Internals
  if (Object.hasOwn(parent, chindingsSym)) plan(encoder, recorder, parent)
}

/** The encoder for a destination that records. */
export function deferredEncoder(recorder: Recorder): RecordEncoder {
  const encoder: RecordEncoder = {
    write(logger, object, text, level) {
      write(recorder, logger, object, text, level)
      plan(encoder, recorder, logger)
    },
    recorder,
    event(logger, event, values) {
      const styles = stylesOf(logger)
      const { timeText, family } = styles.common
      const node = event.node(family.tree)
      if (node === null || family.convertMessage !== null || isWatched(logger)) {
        write(recorder, logger, event.fields(values), event.message, event.level)
        return
      }
      const time = timeText === null ? '' : timeText()
      recorder.event(styles.of(event.level), recordTime(), time, node, event.fields, values, event.message)
      plan(encoder, recorder, logger)
    }
  }
  return encoder
}
