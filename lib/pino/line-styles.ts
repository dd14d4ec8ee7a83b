/** The styles of one logger's lines, one for each level, made when a level is logged at first. */

import { type Definition, defineString } from '../record/definition'
import type { LineStyle } from '../record/record-payload'
import { TIME_ISO, TIME_MS, TIME_NONE, TIME_SECONDS, TIME_TEXT } from '../record/wire'
import type { Fields, Internals } from './internals'
import { JsonText, type LineFamily, lineFamily } from './line-family'
import { quote } from './stringify'
import {
  asJsonSym,
  chindingsSym,
  lsCacheSym,
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

/** The time as the style's own function would have printed it at `time`. */
function printTime(form: number, time: number, text: string): string {
  if (form === TIME_MS) return `,"time":${time}`
  if (form === TIME_SECONDS) return `,"time":${Math.round(time / 1000)}`
  if (form === TIME_ISO) return `,"time":"${new Date(time).toISOString()}"`
  return text
}

export class LineStyles {
  readonly family: LineFamily
  readonly timeForm: number
  /** The time's function if its text is sent along. */
  readonly timeText: TimeFn | null
  readonly #logger: Internals
  readonly #chindings: string
  readonly #bindings: Definition | null
  readonly #serializers: unknown
  readonly #stringifiers: unknown
  readonly #time: TimeFn
  readonly #byLevel: Record<number, LineStyle | undefined> = {}

  constructor(logger: Internals) {
    this.#logger = logger
    this.family = lineFamily(logger)
    this.#chindings = logger[chindingsSym]
    this.#bindings = this.#chindings === '' ? null : defineString(this.#chindings)
    this.#serializers = logger[serializersSym]
    this.#stringifiers = logger[stringifiersSym]
    this.#time = logger[timeSym]
    this.timeForm = FORMS.get(this.#time) ?? TIME_TEXT
    this.timeText = this.timeForm === TIME_TEXT ? this.#time : null
  }

  /** Whether these are the styles of `logger` as it is now: it may be a child, or have got other bindings. */
  fit(logger: Internals): boolean {
    return (
      logger === this.#logger &&
      logger[chindingsSym] === this.#chindings &&
      logger[serializersSym] === this.#serializers &&
      logger[stringifiersSym] === this.#stringifiers &&
      logger[timeSym] === this.#time
    )
  }

  of(level: number): LineStyle {
    return this.#byLevel[level] ?? this.#make(level)
  }

  #make(level: number): LineStyle {
    const logger = this.#logger
    const style: LineStyle = {
      kind: this.family.kind(logger[lsCacheSym][level] ?? '', this.timeForm),
      bindings: this.#bindings,
      tree: this.family.tree,
      stringify: value =>
        value instanceof JsonText ? value.text : logger[stringifySym](value, logger[stringifySafeSym]),
      quote,
      line: (time, timeText, fields, message) =>
        logger[asJsonSym]((fields ?? {}) as Fields, message, level, printTime(this.timeForm, time, timeText))
    }
    this.#byLevel[level] = style
    return style
  }
}
