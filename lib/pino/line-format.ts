/**
 * How the lines of a logger are written as records. Loggers share what they can: a service makes a
 * child for each request, which logs a line or two.
 */

import { Addition, type BoundKeys, type BoundText, StringDefinition } from '../record/definition'
import { JsonText } from '../record/objects'
import type { LineFormat } from '../record/payload-writer'
import { type Conversion, type LinePrefix, ShapeTree } from '../record/shape-tree'
import { TIME_ISO, TIME_MS, TIME_NONE, TIME_SECONDS, TIME_TEXT } from '../record/wire'
import type { Family, Fields, Internals, Serializers, Stringifier, Stringifiers } from './context'
import { isStandardError, loggedObject, stdSerializers } from './fields'
import { epochTime, isoTime, nullTime, unixTime, valueText } from './json-line'
import { type Hide, hidingOf, quote, stringify, UNABLE } from './json-text'
import {
  asJsonSym,
  boundSym,
  errorKeySym,
  familySym,
  lsCacheSym,
  messageKeySym,
  onTableChange,
  rootSetsSym,
  serializersSym,
  stateVersion,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSym,
  wildcardFirstSym
} from './symbols'
import type { TimeFn } from './types'

/** What is hidden is so in a copy where that can be made, else in the value's JSON. */
function redacting(stringifier: Stringifier, hide: Hide | undefined): Conversion {
  return value => {
    if (value === undefined || typeof value === 'function') return undefined
    const copied = hide === undefined ? UNABLE : hide(value)
    if (copied !== UNABLE) return copied
    const text = stringifier(typeof value === 'number' && !Number.isFinite(value) ? null : value)
    return text === undefined ? undefined : new JsonText(text)
  }
}

interface ErrorLike extends Record<string, unknown> {
  readonly message: unknown
  readonly stack: unknown
  readonly cause: unknown
  readonly errors: unknown
}

const isErrorLike = (value: unknown): boolean =>
  value !== null && value !== undefined && typeof (value as ErrorLike).message === 'string'

const isObject = (value: unknown): boolean =>
  typeof value === 'function' || (typeof value === 'object' && value !== null)

const printKind = Object.prototype.toString
/** The class of the error that was serialized last. */
let recentClass: unknown = Error

function typeOf(error: ErrorLike): unknown {
  const { constructor: made } = error
  if (made !== recentClass) {
    if (printKind.call(made) !== '[object Function]') return error.name
    recentClass = made
  }
  return (made as { name: unknown }).name
}

/**
 * What the standard serializer makes of an error with no cause and no other errors in it, as a
 * plain object: that one makes two sets, an object with a prototype whose properties a loop over
 * its keys would meet, and a property of the error that it deletes again. Each property is read as
 * often as there, since a getter may log. null: it is left to that one, which reads all of them
 * again.
 */
function plainError(error: ErrorLike): object | null {
  const made: Record<string, unknown> = { type: typeOf(error), message: '', stack: '' }
  if (!isErrorLike(error)) return null
  made.message = error.message || ''
  if (isObject(error.cause) || !isErrorLike(error)) return null
  made.stack = error.stack || ''
  if (isObject(error.cause) || isObject(error.errors)) return null
  for (const key in error) {
    // Of the one that the serializer makes all others have a `raw`.
    if (key === 'raw' || made[key] !== undefined) continue
    const value = error[key]
    if (isErrorLike(value)) return null
    made[key] = value
  }
  return made
}

/** As one of the standard serializers, but what is made of errors is plain. */
function withoutPrototype(serializer: Conversion): Conversion {
  const plain: Conversion = value => {
    const serialized = serializer(value)
    const isOfError = serialized !== value && typeof serialized === 'object' && serialized !== null
    return isOfError ? { ...serialized } : serialized
  }
  // The other one, which keeps causes apart, reads less, and prints no stack where there is none.
  if (serializer !== stdSerializers.err) return plain
  return value => (isErrorLike(value) ? (plainError(value as ErrorLike) ?? plain(value)) : value)
}

function conversion(
  own: Serializers[string],
  stringifier: Stringifier | undefined,
  printsAsJson: boolean
): Conversion | null {
  const serializer = isStandardError(own) ? withoutPrototype(own) : own
  const redact = stringifier && redacting(stringifier, printsAsJson ? hidingOf(stringifier) : undefined)
  if (serializer && redact) return value => redact(serializer(value))
  return redact ?? serializer ?? null
}

/** What loggers with the same serializers and redactions share: the shapes of their lines. */
export class SerializerSet {
  /** Whether the logger prints objects as `JSON.stringify` does. */
  readonly printsAsJson: boolean
  readonly errorKey: string
  readonly messageKey: string
  readonly tree: ShapeTree
  /** What a message goes through before it is recorded. */
  readonly convertMessage: Conversion | null

  constructor(logger: Internals) {
    const serializers = logger[serializersSym]
    const stringifiers = logger[stringifiersSym]
    const errorKey = logger[errorKeySym]
    const messageKey = logger[messageKeySym]
    const printsAsJson = logger[stringifySym] === stringify
    // A message is no error, also where both have the same key.
    const conversionOf = (key: string, isMessage = false): Conversion | null => {
      const serializer = serializers[key] || (key === errorKey && !isMessage ? serializers.err : undefined)
      const stringifier = stringifiers[key] ?? stringifiers[wildcardFirstSym]
      return serializer || stringifier ? conversion(serializer, stringifier, printsAsJson) : null
    }
    this.printsAsJson = printsAsJson
    this.errorKey = errorKey
    this.messageKey = messageKey
    this.tree = new ShapeTree({ conversionOf, quote, messageKey })
    this.convertMessage = conversionOf(messageKey, true)
  }

  /**
   * What is recorded of a message. What it is converted to is JSON: if the record has to become
   * text after all, it is not converted twice.
   */
  messageOf(logger: Internals, message: unknown): unknown {
    const convert = this.convertMessage
    if (convert === null || message === undefined) return message
    const converted = convert(message)
    if (converted === message && typeof message === 'string') return message
    if (JsonText.textOf(converted) !== undefined) return converted
    const text = valueText(converted, undefined, logger[stringifySym], logger[stringifySafeSym])
    return text === undefined ? undefined : new JsonText(text)
  }
}

// Children have their parent's tables unless they bring their own.
let sets = new WeakMap<Serializers, WeakMap<Stringifiers, SerializerSet[]>>()
/** Changes when all sets are made again. */
let era = {}

// Rare enough for all of them to be made again.
onTableChange(() => {
  sets = new WeakMap()
  era = {}
})

/**
 * The sets of the tables of a logger that is nobody's child, which keeps them itself: most loggers
 * have those, and what is in a WeakMap stays until the next full collection of V8's, however short
 * the logger lives.
 */
interface RootSets {
  readonly era: object
  readonly serializers: Serializers
  readonly stringifiers: Stringifiers
  readonly known: SerializerSet[]
}

interface Root extends Family, Pick<Internals, typeof serializersSym | typeof stringifiersSym> {
  [rootSetsSym]?: RootSets
}

function setsOfRoot(root: Root): SerializerSet[] {
  const { [serializersSym]: serializers, [stringifiersSym]: stringifiers, [rootSetsSym]: sets } = root
  const isCurrent = sets?.era === era && sets.serializers === serializers && sets.stringifiers === stringifiers
  if (isCurrent) return sets.known
  const known: SerializerSet[] = []
  root[rootSetsSym] = { era, serializers, stringifiers, known }
  return known
}

function setsOf(logger: Internals): SerializerSet[] {
  const serializers = logger[serializersSym]
  const stringifiers = logger[stringifiersSym]
  const root = logger[familySym] as Root
  const isOfRoot = root[serializersSym] === serializers && root[stringifiersSym] === stringifiers
  if (isOfRoot && Object.isExtensible(root)) return setsOfRoot(root)
  const bySerializers = sets.get(serializers) ?? new WeakMap<Stringifiers, SerializerSet[]>()
  sets.set(serializers, bySerializers)
  const known = bySerializers.get(stringifiers) ?? []
  bySerializers.set(stringifiers, known)
  return known
}

function serializerSet(logger: Internals): SerializerSet {
  const known = setsOf(logger)
  const printsAsJson = logger[stringifySym] === stringify
  const found = known.find(
    set =>
      set.errorKey === logger[errorKeySym] &&
      set.messageKey === logger[messageKeySym] &&
      set.printsAsJson === printsAsJson
  )
  if (found) return found
  const set = new SerializerSet(logger)
  known.push(set)
  return set
}

const FORMS = new Map<TimeFn, number>([
  [nullTime, TIME_NONE],
  [epochTime, TIME_MS],
  [unixTime, TIME_SECONDS],
  [isoTime, TIME_ISO]
])

/** What every line that is recorded ends with. */
const PLAIN_END = '}\n'

/** The time as the logger's own function would have printed it at `time`. */
function printTime(form: number, time: number, text: string): string {
  if (form === TIME_MS) return `,"time":${time}`
  if (form === TIME_SECONDS) return `,"time":${Math.round(time / 1000)}`
  if (form === TIME_ISO) return `,"time":"${new Date(time).toISOString()}"`
  return text
}

/**
 * What lines of loggers share that differ by their bindings alone: a logger and most of its
 * children.
 */
class SharedFormat {
  readonly serializers: SerializerSet
  readonly timeForm: number
  readonly #serializers: unknown
  readonly #stringifiers: unknown
  readonly #time: TimeFn
  readonly #changes = stateVersion.count

  constructor(logger: Internals) {
    this.serializers = serializerSet(logger)
    this.#serializers = logger[serializersSym]
    this.#stringifiers = logger[stringifiersSym]
    this.#time = logger[timeSym]
    this.timeForm = FORMS.get(this.#time) ?? TIME_TEXT
  }

  /** The text of the time if it is sent along; else nothing, and what is sent is a number. */
  timeOf(logger: Internals): string {
    return this.timeForm === TIME_TEXT ? String(this.#time.call(logger)) : ''
  }

  /** Whether nothing that it was made of has been replaced since. */
  get isCurrent(): boolean {
    return this.#changes === stateVersion.count
  }

  /** Whether it is also that of `logger`, which may have other keys. */
  isValidFor(logger: Internals): boolean {
    const { errorKey, messageKey, printsAsJson } = this.serializers
    return (
      this.isCurrent &&
      (logger[stringifySym] === stringify) === printsAsJson &&
      logger[errorKeySym] === errorKey &&
      logger[messageKeySym] === messageKey &&
      logger[serializersSym] === this.#serializers &&
      logger[stringifiersSym] === this.#stringifiers &&
      logger[timeSym] === this.#time
    )
  }
}

/**
 * What the lines of a logger share with those of its children that differ by their bindings alone.
 */
class KinFormat {
  readonly shared: SharedFormat
  readonly tree: ShapeTree
  readonly printsAsJson: boolean
  /**
   * What is logged in the place of an object; null: objects are recorded after requests and the
   * like have been replaced.
   */
  readonly replaced: LineFormat['replaced']
  /** What lines of each level begin with. */
  readonly #starts: Internals[typeof lsCacheSym]
  /** The same with the other `replaced`. */
  #other: KinFormat | null = null
  /** Those of children that differ by more than their bindings, the newest ones first. */
  #kinds: readonly KinFormat[] = []
  /** What `prefix` has answered for each level without bindings. */
  readonly #prefixes = new Map<number, LinePrefix>()

  /** @param isOfCalls whether objects are recorded as they were logged */
  constructor(shared: SharedFormat, starts: Internals[typeof lsCacheSym], isOfCalls: boolean) {
    const { tree, printsAsJson } = shared.serializers
    this.shared = shared
    this.tree = tree
    this.printsAsJson = printsAsJson
    this.replaced = isOfCalls ? loggedObject : null
    this.#starts = starts
  }

  /** Whether it is that of `logger`, too, whose bindings may be others. */
  isFor(logger: Internals): boolean {
    return this.#starts === logger[lsCacheSym] && this.shared.isValidFor(logger)
  }

  /** That of a child, which may differ by more than its bindings. */
  forChild(logger: Internals): KinFormat {
    if (this.isFor(logger)) return this
    for (const kind of this.#kinds) if (kind.isFor(logger)) return kind
    const shared = this.shared.isValidFor(logger) ? this.shared : new SharedFormat(logger)
    const made = new KinFormat(shared, logger[lsCacheSym], this.replaced !== null)
    this.#kinds = [made, ...this.#kinds.slice(0, MOST_KINDS - 1)]
    return made
  }

  /** The same for objects as they are logged, or for what is made of them. */
  of(isOfCalls: boolean): KinFormat {
    if ((this.replaced !== null) === isOfCalls) return this
    this.#other ??= new KinFormat(this.shared, this.#starts, isOfCalls)
    return this.#other
  }

  /** @param bound what each record has of bindings */
  prefix(level: number, bound: BoundKeys | null): LinePrefix {
    return bound === null ? this.plainPrefix(level) : this.boundPrefix(level, bound)
  }

  private plainPrefix(level: number): LinePrefix {
    const known = this.#prefixes.get(level)
    if (known !== undefined) return known
    const found = this.tree.prefix(this.#starts[level] ?? '', this.shared.timeForm)
    this.#prefixes.set(level, found)
    return found
  }

  private boundPrefix(level: number, bound: BoundKeys): LinePrefix {
    const known = bound.recall(this, level)
    if (known !== undefined) return known as LinePrefix
    const found = this.tree.prefix(this.#starts[level] ?? '', this.shared.timeForm, bound)
    bound.note(this, level, found)
    return found
  }
}

/** Kinds of children that a logger remembers: a service's routes may each bring serializers. */
const MOST_KINDS = 8

/** Bindings as they are printed; null if there are none. */
const definitionOf = (text: string): StringDefinition | null =>
  text === '' ? null : new StringDefinition(new Addition(text))

/** Bindings up to so many characters are in each record of a child: strings. */
const LONGEST_INLINE = 128
/** And others, such as a request. */
const LONGEST_INLINE_JSON = 4096
/**
 * A child that has logged as many lines lives long: to refer to its bindings costs less than to
 * repeat them.
 */
const MOST_INLINED = 16
/** The same, of characters. */
const MOST_INLINED_TEXT = 2048

const isShort = ({ value, isJson }: Addition): boolean =>
  value.length <= (isJson ? LONGEST_INLINE_JSON : LONGEST_INLINE)

/** Whether each record of a child should have it, unless the child turns out to live long. */
function isForInline(added: Addition): boolean {
  const { names, parts } = added
  if (names === null) return false
  return parts === null ? isShort(added) : parts.every(isShort)
}

/**
 * The format of one logger's lines of one level; that which is made first has those of the others
 * (`of`). Many loggers live for a line or two of one level: all that such a one needs is one
 * object, which keeps no functions of its own. No method has a #: see `LogFastPath`.
 */
export class LoggerFormat implements LineFormat {
  readonly logger: Internals
  readonly level: number
  readonly prefix: LinePrefix
  /** Those that lines refer to: all, or those in front of `inline`. */
  readonly bindings: StringDefinition | null
  /** Those added last, where each record has them by itself; null: none has. */
  readonly inline: Addition | null
  readonly tree: ShapeTree
  readonly printsAsJson: boolean
  readonly replaced: LineFormat['replaced']
  /** Of the logger's formats the one that was asked for last. */
  recent: LoggerFormat
  readonly #kin: KinFormat
  readonly #bound: BoundText
  /** The logger's first one. What follows is that one's alone. */
  #first: LoggerFormat
  /** All that there are, where that is more than `recent`. */
  #made: LoggerFormat[] | null = null
  /** Records that had `inline`. */
  #inlined = 0
  /** All bindings, once somebody asked for them. */
  #all: StringDefinition | null = null
  /** Whether no record has a binding of its own any more. */
  #isInlineOver = false

  /** @param bindings all, or those in front of `inline` */
  private constructor(
    logger: Internals,
    level: number,
    kin: KinFormat,
    bindings: StringDefinition | null,
    inline: Addition | null
  ) {
    this.logger = logger
    this.level = level
    this.prefix = kin.prefix(level, inline === null ? null : inline.names)
    this.bindings = bindings
    this.inline = inline
    this.tree = kin.tree
    this.printsAsJson = kin.printsAsJson
    this.replaced = kin.replaced
    this.recent = this
    this.#kin = kin
    this.#bound = logger[boundSym]
    this.#first = this
  }

  /**
   * That of any logger.
   *
   * @param base a format of a logger that this one may be a child of
   * @param isOfCalls whether it is for objects as they were logged, not for what is made of them
   */
  static of(logger: Internals, level: number, base: LoggerFormat | undefined, isOfCalls: boolean): LoggerFormat {
    const kin =
      base === undefined
        ? new KinFormat(new SharedFormat(logger), logger[lsCacheSym], isOfCalls)
        : base.#kin.forChild(logger).of(isOfCalls)
    const bound = logger[boundSym]
    const bindings = base === undefined ? definitionOf(bound.text) : base.bindingsOf(bound)
    return new LoggerFormat(logger, level, kin, bindings, null)
  }

  get shared(): SharedFormat {
    return this.#kin.shared
  }

  /** Whether messages go through something before they are recorded. */
  get convertsMessages(): boolean {
    return this.shared.serializers.convertMessage !== null
  }

  /** Whether a call asks for the text of its time, or for what becomes of its message. */
  get asksForMore(): boolean {
    return this.convertsMessages || this.shared.timeForm === TIME_TEXT
  }

  get quote(): typeof quote {
    return quote
  }

  private all(): StringDefinition | null {
    if (this.inline === null) return this.bindings
    this.#all ??= new StringDefinition(this.inline, this.bindings)
    return this.#all
  }

  /** Bindings that may be the same, or those of a child. */
  private bindingsOf(bound: BoundText): StringDefinition | null {
    const own = this.all()
    if (bound === this.#bound) return own
    if (own === null || bound.base !== this.#bound) return definitionOf(bound.text)
    return bound.added.text === '' ? own : new StringDefinition(bound.added, own)
  }

  /** That of the same level, and of the same logger or of a child, as `of`. */
  derive(logger: Internals, isOfCalls: boolean): LoggerFormat {
    return LoggerFormat.of(logger, this.level, this, isOfCalls)
  }

  /**
   * That of a child that differs by its bindings alone.
   *
   * @param takesInline whether a short one may be in each record
   */
  deriveAlike(logger: Internals, level: number, takesInline: boolean): LoggerFormat {
    return this.ofChild(logger, level, this.#kin, takesInline)
  }

  /**
   * The same of a child that may differ by more.
   *
   * @param isOfCalls as of `of`
   */
  deriveOther(logger: Internals, level: number, isOfCalls: boolean, takesInline: boolean): LoggerFormat {
    return this.ofChild(logger, level, this.#kin.forChild(logger).of(isOfCalls), takesInline)
  }

  private ofChild(logger: Internals, level: number, kin: KinFormat, takesInline: boolean): LoggerFormat {
    const bound = logger[boundSym]
    const added = takesInline ? this.addedTo(bound) : null
    if (added !== null && isForInline(added)) return new LoggerFormat(logger, level, kin, this.all(), added)
    return new LoggerFormat(logger, level, kin, this.bindingsOf(bound), null)
  }

  /** What a child's bindings, or those of a child of one, have more; null if that is not known. */
  private addedTo(bound: BoundText): Addition | null {
    const { base, added } = bound
    if (base === this.#bound) return added
    return base !== null && base.base === this.#bound ? base.added.and(added) : null
  }

  onInline(): void {
    this.#first.countInline(this.inline!.size)
  }

  /** A record has had the binding `inline`, of so many characters. */
  private countInline(length: number): void {
    if (++this.#inlined === MOST_INLINED || this.#inlined * length >= MOST_INLINED_TEXT) this.endInline()
  }

  /** From now on no record has a binding of its own; one that is being written goes on with it. */
  endInline(): void {
    if (this.inline === null || this.#isInlineOver) return
    this.#isInlineOver = true
    this.#made = null
    this.recent = this.make(this.recent.level)
  }

  /**
   * Whether these are the formats of `logger` as it is now: it may be a child, or have got other
   * bindings.
   */
  isValidFor(logger: Internals): boolean {
    if (logger !== this.logger || !this.shared.isCurrent) return false
    const bound = logger[boundSym]
    return bound === this.#bound || bound.text === this.#bound.text
  }

  /** Whether the bindings of `logger` are those it was made of. */
  isBoundAs(logger: Internals): boolean {
    return logger[boundSym] === this.#bound
  }

  /** Of the first one: that of the same logger's lines of `level`. */
  of(level: number): LoggerFormat {
    const { recent } = this
    return recent.level === level ? recent : this.find(level)
  }

  private find(level: number): LoggerFormat {
    this.#made ??= [this.recent]
    for (const made of this.#made) {
      if (made.level !== level) continue
      this.recent = made
      return made
    }
    this.recent = this.make(level)
    this.#made.push(this.recent)
    return this.recent
  }

  private make(level: number): LoggerFormat {
    const isOver = this.#isInlineOver
    const bindings = isOver ? this.all() : this.bindings
    const made = new LoggerFormat(this.logger, level, this.#kin, bindings, isOver ? null : this.inline)
    made.#first = this
    return made
  }

  stringify(value: unknown): string | undefined {
    const { logger } = this
    return JsonText.textOf(value) ?? logger[stringifySym](value, logger[stringifySafeSym])
  }

  line(time: number, timeText: string, fields: object | null, message: unknown): string {
    const printed = printTime(this.prefix.timeForm, time, timeText)
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
