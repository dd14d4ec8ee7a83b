/** A record as filters and layouts see it: by its parts where that is enough, else by its line. */

import type { Internals } from '../pino/context'
import { asFields, errorMessage } from '../pino/json-line'
import type { LoggerFormat } from '../pino/line-format'
import { boundSym, messageKeySym, NO_STRINGIFIERS, serializersSym, stringifiersSym } from '../pino/symbols'
import type { LevelMapping } from '../pino/types'

type Values = Readonly<Record<string, unknown>>

const NOTHING: Values = Object.freeze({})

// Children of one parent log in turns, but most lines are of the same logger as the one before.
let recentBindings = ''
let recentValues: Values = NOTHING

function bindingsOf(logger: Internals): Values {
  const text = logger[boundSym].text
  if (text !== recentBindings) {
    recentValues = text === '' ? NOTHING : parsed(`{${text.slice(1)}}`)
    recentBindings = text
  }
  return recentValues
}

/** The object that a line is; none if it is no JSON, as loggers with hooks may make it. */
export function parsed(line: string): Values {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Values) : NOTHING
  } catch {
    return NOTHING
  }
}

/** Bindings without an error among them, those of the latest line. */
let withoutError = ''

let recentLevels: LevelMapping | null = null
let recentLevel = 0
let recentLabel = ''

/** The name of a level, nearly always the same one. */
function labelOf(levels: LevelMapping, level: number): string {
  if (levels !== recentLevels || level !== recentLevel) {
    recentLabel = levels.labels[level] ?? String(level)
    recentLevels = levels
    recentLevel = level
  }
  return recentLabel
}

function isPlain(logger: Internals): boolean {
  return logger[stringifiersSym] === NO_STRINGIFIERS && logger[serializersSym][logger[messageKeySym]] === undefined
}

/**
 * One record, on its way to the appenders of a logger. It is used for one record after the other:
 * nobody keeps it.
 */
export class RecordView {
  level = 0
  // Of a record as values: null for a line that was made already.
  private format: LoggerFormat | null = null
  private timeText = ''
  private fields: object | null = null
  private message: unknown = undefined
  private logger: Internals | null = null
  private now = Number.NaN
  private text_: string | undefined = undefined
  private line_: string | undefined = undefined
  private values_: Values | undefined = undefined

  /** @param name of the logger in the configuration, '' for the root */
  constructor(readonly name: string) {}

  /** A record, as a `RecordWriter` is given it. */
  setRecord(format: LoggerFormat, time: number, timeText: string, fields: object | null, message: unknown): void {
    this.level = format.level
    this.format = format
    this.timeText = timeText
    this.fields = fields
    this.message = message
    this.logger = format.logger
    this.now = time
    this.text_ = typeof message === 'string' && isPlain(format.logger) ? message : undefined
    this.line_ = undefined
    this.values_ = undefined
  }

  /** A line that is made already, newline included. */
  setLine(line: string, level: number, logger: Internals | null): void {
    this.level = level
    this.format = null
    this.fields = null
    this.message = undefined
    this.logger = logger
    this.now = Number.NaN
    this.text_ = undefined
    this.line_ = line
    this.values_ = undefined
  }

  /** ms since 1970. */
  get time(): number {
    // Negated, since NaN stands for the present.
    if (!(this.now >= 0)) this.now = Date.now()
    return this.now
  }

  /** Lets go of the record. */
  clear(): void {
    this.format = null
    this.fields = null
    this.message = undefined
    this.text_ = ''
    this.line_ = ''
    this.values_ = undefined
  }

  /** The level's name, or its number where it has none. */
  get label(): string {
    return this.logger === null ? String(this.level) : labelOf(this.logger.levels, this.level)
  }

  get messageKey(): string {
    return this.logger?.[messageKeySym] ?? 'msg'
  }

  /** The message; '' if there is none. */
  get text(): string {
    if (this.text_ === undefined) {
      const value = this.format !== null && this.message === undefined && this.fields === null ? '' : this.#text()
      this.text_ = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
    }
    return this.text_
  }

  #text(): unknown {
    const { format, logger } = this
    if (format !== null && isPlain(logger!) && this.message === undefined) {
      const message = errorMessage(logger!, this.fields!)
      if (typeof message === 'string') return message
    }
    return this.values[this.messageKey]
  }

  /** A field as the line has it; a dot leads into it. Undefined: there is none. */
  field(key: string): unknown {
    const { format, logger } = this
    if (key === 'level') return this.level
    if (key === this.messageKey) return this.text
    if (format !== null && this.line_ === undefined && isPlain(logger!) && !key.includes('.')) {
      const fields = this.fields === null ? NOTHING : asFields(logger!, this.fields)
      const own = Object.hasOwn(fields, key) ? fields[key] : undefined
      const isSimple = typeof own !== 'object' || own === null
      if (isSimple && logger![serializersSym][key] === undefined) return own ?? bindingsOf(logger!)[key]
    }
    const { values } = this
    if (Object.hasOwn(values, key)) return values[key]
    return key.split('.').reduce<unknown>(inside, values)
  }

  /** The record as a line of JSON, newline included, as the logger's options have it. */
  get line(): string {
    if (this.line_ === undefined) {
      const { format, fields } = this
      const logged = fields === null || format!.replaced === null ? fields : format!.replaced(fields)
      this.line_ = format!.line(this.time, this.timeText, logged, this.message)
    }
    return this.line_
  }

  /** Whether the line has been made: what getters and serializers say is known by it then. */
  get hasLine(): boolean {
    return this.line_ !== undefined
  }

  /** What the line says. */
  get values(): Values {
    this.values_ ??= parsed(this.line)
    return this.values_
  }

  /** Whether there may be a field with an error, as far as that can be told without the line. */
  #hasError(key: string): boolean {
    const { fields, logger } = this
    const isLogged = fields !== null && (fields instanceof Error || !isPlain(logger!) || key in fields)
    if (isLogged) return true
    const bindings = logger![boundSym].text
    if (bindings === withoutError) return false
    if (bindings.includes(`"${key}":`)) return true
    withoutError = bindings
    return false
  }

  /** The stack of the error that was logged, with those of its causes; '' if there is none. */
  stack(errorKey: string): string {
    if (this.format !== null && !this.#hasError(errorKey)) return ''
    const error = this.values[errorKey] as { stack?: unknown } | null | undefined
    return typeof error?.stack === 'string' ? error.stack : ''
  }
}

function inside(value: unknown, key: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
  return (value as Record<string, unknown>)[key]
}
