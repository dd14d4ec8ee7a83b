/** The encoder that leaves the making of JSON to the destination: it passes on the values of a record, before they are text. */

import type { RecordEncoder as Recorder } from '../record/encode'
import { isFollowed } from './diagnostics'
import type { RecordEncoder } from './encoder'
import { errorMessage } from './error-message'
import type { Fields, Internals } from './internals'
import { LineStyles } from './line-styles'
import { mixIn } from './mixin'
import { asJsonSym, endSym, errorKeySym, formattersSym, hooksSym, mixinSym, nestedKeySym, timeSym } from './symbols'

/** Where a logger keeps its styles. */
const stylesSym: unique symbol = Symbol('shardlog.styles')

interface Styled {
  [stylesSym]?: LineStyles
}

const PLAIN_END = '}\n'

function stylesOf(logger: Internals & Styled): LineStyles {
  const known = logger[stylesSym]
  // A child finds its parent's.
  if (known?.fit(logger)) return known
  const styles = new LineStyles(logger, known)
  logger[stylesSym] = styles
  return styles
}

/** Lines that only their text can be: fields below a key of their own, other line ends, a hook that sees each line. */
function wantsText(logger: Internals): boolean {
  return (
    Boolean(logger[nestedKeySym]) ||
    logger[endSym] !== PLAIN_END ||
    Boolean(logger[hooksSym].streamWrite) ||
    isFollowed()
  )
}

function writeText(recorder: Recorder, logger: Internals, fields: Fields, message: unknown, level: number): void {
  const line = logger[asJsonSym](fields, message, level, logger[timeSym]())
  const hook = logger[hooksSym].streamWrite
  recorder.text(Date.now(), hook ? hook(line) : line)
}

/** Whether something sees the fields or the message between the call and the record. */
function isWatched(logger: Internals): boolean {
  return Boolean(logger[mixinSym]) || Boolean(logger[formattersSym].log) || wantsText(logger)
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
  const converted = convert === null || message === undefined ? message : convert(message)
  recorder.record(styles.of(level), Date.now(), timeText === null ? '' : timeText(), fields, converted)
}

/** The encoder for a destination that records. */
export function deferredEncoder(recorder: Recorder): RecordEncoder {
  return {
    write: (logger, object, text, level) => write(recorder, logger, object, text, level),
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
      recorder.event(styles.of(event.level), Date.now(), time, node, event.fields, values, event.message)
    }
  }
}
