/** The styles of one logger's lines, one for each level, made when a level is logged at first. */

import { type Definition, defineString } from '../record/definition'
import type { LineKind, LineTree } from '../record/line-tree'
import type { LineStyle } from '../record/record-payload'
import { TIME_ISO, TIME_MS, TIME_NONE, TIME_SECONDS, TIME_TEXT } from '../record/wire'
import type { Fields, Internals } from './internals'
import { JsonText, type LineFamily, lineFamily } from './line-family'
import { stateChanges } from './state-access'
import { quote, stringify } from './stringify'
import {
  asJsonSym,
  chindingsSym,
  errorKeySym,
  lsCacheSym,
  messageKeySym,
  serializersSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSym
} from './symbols'
import { epochTime, isoTime, nullTime, unixTime } from './time'
import type { TimeFn } from './types'

const FORMS = new Map<TimeFn, number>([
  [nullTime, TIME_NONE],
  [epochTime, TIME_MS],
  [unixTime, TIME_SECONDS],
  [isoTime, TIME_ISO]
])

/** What every line that is recorded ends with. */
const PLAIN_END = '}\n'

/** The time as the style's own function would have printed it at `time`. */
function printTime(form: number, time: number, text: string): string {
  if (form === TIME_MS) return `,"time":${time}`
  if (form === TIME_SECONDS) return `,"time":${Math.round(time / 1000)}`
  if (form === TIME_ISO) return `,"time":"${new Date(time).toISOString()}"`
  return text
}

/** What lines of loggers share that differ by their bindings alone: a logger and most of its children. */
class Common {
  readonly family: LineFamily
  readonly timeForm: number
  /** The time's function if its text is sent along. */
  readonly timeText: TimeFn | null
  readonly #serializers: unknown
  readonly #stringifiers: unknown
  readonly #time: TimeFn
  readonly #changes = stateChanges.count

  constructor(logger: Internals) {
    this.family = lineFamily(logger)
    this.#serializers = logger[serializersSym]
    this.#stringifiers = logger[stringifiersSym]
    this.#time = logger[timeSym]
    this.timeForm = FORMS.get(this.#time) ?? TIME_TEXT
    this.timeText = this.timeForm === TIME_TEXT ? this.#time : null
  }

  /** Whether it is still that of the logger that it was made for. */
  get isCurrent(): boolean {
    return this.#changes === stateChanges.count
  }

  /** Whether it is also that of `logger`, which may have other keys. */
  suits(logger: Internals): boolean {
    const { errorKey, messageKey } = this.family
    return (
      this.isCurrent &&
      logger[errorKeySym] === errorKey &&
      logger[messageKeySym] === messageKey &&
      logger[serializersSym] === this.#serializers &&
      logger[stringifiersSym] === this.#stringifiers &&
      logger[timeSym] === this.#time
    )
  }
}

/** A style by its logger: many loggers live for a line or two, so that it keeps no functions of its own. */
class LoggerStyle implements LineStyle {
  readonly kind: LineKind
  readonly bindings: Definition | null
  readonly tree: LineTree
  readonly quote = quote
  readonly printsAsJson: boolean
  readonly logger: Internals
  readonly level: number
  readonly timeForm: number

  constructor(logger: Internals, level: number, common: Common, bindings: Definition | null) {
    this.kind = common.family.kind(logger[lsCacheSym][level] ?? '', common.timeForm)
    this.bindings = bindings
    this.tree = common.family.tree
    this.printsAsJson = logger[stringifySym] === stringify
    this.logger = logger
    this.level = level
    this.timeForm = common.timeForm
  }

  stringify(value: unknown): string | undefined {
    const { logger } = this
    return JsonText.textOf(value) ?? logger[stringifySym](value, logger[stringifySafeSym])
  }

  line(time: number, timeText: string, fields: object | null, message: unknown): string {
    const printed = printTime(this.timeForm, time, timeText)
    const json = JsonText.textOf(message)
    const line = this.logger[asJsonSym](
      (fields ?? {}) as Fields,
      json === undefined ? message : undefined,
      this.level,
      printed
    )
    if (json === undefined) return line
    return `${line.slice(0, -PLAIN_END.length)},${quote(this.logger[messageKeySym])}:${json}${PLAIN_END}`
  }
}

export class LineStyles {
  readonly common: Common
  readonly #logger: Internals
  readonly #chindings: string
  readonly #bindings: Definition | null
  #recent: LoggerStyle | null = null
  #others: Map<number, LoggerStyle> | null = null

  /** @param relative styles of a logger that this one may be a child of */
  constructor(logger: Internals, relative?: LineStyles) {
    this.#logger = logger
    this.common = relative?.common.suits(logger) ? relative.common : new Common(logger)
    this.#chindings = logger[chindingsSym]
    this.#bindings = this.#chindings === '' ? null : defineString(this.#chindings)
  }

  /** Those of a child; null if it differs by more than its bindings and levels. */
  forHeir(logger: Internals): LineStyles | null {
    return this.common.suits(logger) ? new LineStyles(logger, this) : null
  }

  /** Whether these are the styles of `logger` as it is now: it may be a child, or have got other bindings. */
  fit(logger: Internals): boolean {
    return logger === this.#logger && logger[chindingsSym] === this.#chindings && this.common.isCurrent
  }

  of(level: number): LoggerStyle {
    const recent = this.#recent
    if (recent !== null && recent.level === level) return recent
    const style = this.#others?.get(level) ?? new LoggerStyle(this.#logger, level, this.common, this.#bindings)
    if (recent !== null) this.#others = (this.#others ?? new Map()).set(recent.level, recent)
    this.#recent = style
    return style
  }
}
