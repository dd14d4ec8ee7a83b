/** A record as filters and layouts see it: by its parts where that is enough, else by its line. */

import type { Internals, Stream } from '../pino/context'
import { asFields, errorMessage, writeAsText } from '../pino/json-line'
import {
  chindingsSym,
  formattersSym,
  messageKeySym,
  mixinSym,
  NO_STRINGIFIERS,
  nestedKeySym,
  serializersSym,
  stringifiersSym
} from '../pino/symbols'

type Values = Readonly<Record<string, unknown>>

const NOTHING: Values = Object.freeze({})

/** Takes the line that is made of a record. */
class LineCatcher {
  line = ''

  write(line: string): void {
    this.line = line
  }
}

// Children of one parent log in turns, but most lines are of the same logger as the one before.
let recentBindings = ''
let recentValues: Values = NOTHING

function bindingsOf(logger: Internals): Values {
  const text = logger[chindingsSym]
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

/**
 * Whether the options of a logger leave the message and the fields as they were logged, but for
 * serializers of single fields.
 */
function isPlain(logger: Internals): boolean {
  return (
    logger[stringifiersSym] === NO_STRINGIFIERS &&
    !logger[mixinSym] &&
    logger[formattersSym].log === undefined &&
    logger[serializersSym][logger[messageKeySym]] === undefined &&
    !logger[nestedKeySym]
  )
}

/** One record, on its way to the appenders of a logger. */
export class RecordView {
  /** ms since 1970, of `Date.now`. */
  readonly time: number = Date.now()
  readonly #logger: Internals | null
  readonly #fields: object | null | undefined
  readonly #message: unknown
  #isPlain: boolean | undefined
  #line: string | undefined
  #values: Values | undefined

  /**
   * @param name of the logger in the configuration, '' for the root
   * @param level number of the level
   */
  constructor(
    logger: Internals | null,
    record: { fields?: object | null | undefined; message?: unknown; line?: string },
    readonly name: string,
    readonly level: number
  ) {
    this.#logger = logger
    this.#fields = record.fields
    this.#message = record.message
    this.#line = record.line
  }

  /** The level's name, or its number where it has none. */
  get label(): string {
    return this.#logger?.levels.labels[this.level] ?? String(this.level)
  }

  get #plain(): boolean {
    this.#isPlain ??= this.#logger !== null && this.#line === undefined && isPlain(this.#logger)
    return this.#isPlain
  }

  /** The message; '' if there is none. */
  get text(): string {
    if (this.#plain) {
      if (typeof this.#message === 'string') return this.#message
      if (this.#message === undefined && !this.#fields) return ''
      const message = this.#message === undefined ? errorMessage(this.#logger!, this.#fields!) : this.#message
      if (typeof message === 'string') return message
    }
    const value = this.values[this.messageKey]
    return value === undefined ? '' : typeof value === 'string' ? value : JSON.stringify(value)
  }

  get messageKey(): string {
    return this.#logger?.[messageKeySym] ?? 'msg'
  }

  /** A field as the line has it; a dot leads into it. Undefined: there is none. */
  field(key: string): unknown {
    if (this.#plain && !key.includes('.')) {
      const fields = this.#fields ? asFields(this.#logger!, this.#fields) : NOTHING
      const own = Object.hasOwn(fields, key) ? fields[key] : undefined
      const isSimple = own === null || typeof own !== 'object'
      if (isSimple && this.#logger![serializersSym][key] === undefined) return own ?? bindingsOf(this.#logger!)[key]
    }
    const { values } = this
    if (Object.hasOwn(values, key)) return values[key]
    return key
      .split('.')
      .reduce<unknown>(
        (value, part) =>
          typeof value === 'object' && value !== null && Object.hasOwn(value, part)
            ? (value as Record<string, unknown>)[part]
            : undefined,
        values
      )
  }

  /** The record as a line of JSON, newline included, as the logger's options have it. */
  get line(): string {
    if (this.#line === undefined) {
      const catcher = new LineCatcher()
      writeAsText(catcher as Stream, this.#logger!, this.#fields, this.#message, this.level)
      this.#line = catcher.line
      this.#isPlain = false
    }
    return this.#line
  }

  /** Whether the line has been made: what getters and serializers say is known by it then. */
  get hasLine(): boolean {
    return this.#line !== undefined
  }

  /** What the line says. */
  get values(): Values {
    this.#values ??= parsed(this.line)
    return this.#values
  }

  /** The stack of the error that was logged, with those of its causes; '' if there is none. */
  stack(errorKey: string): string {
    if (this.#plain && !this.#fields) return ''
    const error = this.values[errorKey] as { stack?: unknown } | undefined
    return typeof error?.stack === 'string' ? error.stack : ''
  }
}
