/**
 * What a call of `log.info` and its like does: by the fast path, or by sorting out its arguments
 * and handing the record on.
 *
 * The fast path of plain calls: what the lines of a logger have in common is looked up once, not at
 * each call. It takes dozens of properties from a chain of prototypes as long as the logger's
 * ancestry, which is most of the cost of a call.
 *
 * Loggers behind a proxy have none: a tool's puts a property of its own in the place of one of the
 * logger's, an application's stands for another logger in each request. What such a logger has may
 * be otherwise at each call, so that nothing is kept of it.
 */

import { types } from 'node:util'
import type { RecordWriter } from '../record/record-encoder'
import { type FilledMessage, MessagePatterns } from '../record/shape-tree'
import type { CompiledEvent, Fields, Internals, LogMethod, LogMethodHook } from './context'
import { writeErrorLine, writeHookErrorLine } from './error-line'
import { formatMessage, loggedObject, mixIn, trailingFields } from './fields'
import { asFields, errorMessage, isTaken, lineChannels, recordTime, tracedAsJson } from './json-line'
import type { LoggerFormat } from './line-format'
import {
  asJsonSym,
  boundSym,
  endSym,
  formatOptsSym,
  formattersSym,
  heed,
  hooksSym,
  mixinSym,
  msgPrefixSym,
  nestedKeySym,
  shadowed,
  stateVersion,
  stateWatch,
  streamSym,
  writeSym
} from './symbols'

/** Where a logger keeps its fast path. A child finds its parent's, which is not for it. */
export const fastPathSym: unique symbol = Symbol('shardlog.fastPath')
/** Where a logger keeps the first format of its lines. */
export const formatSym: unique symbol = Symbol('shardlog.format')

declare module './context' {
  interface Internals {
    /** null, or one that may be out of date or an ancestor's. */
    [fastPathSym]: LogFastPath | null
  }
}

/**
 * A child has been made. It need not be asked whether it is a proxy, nor, with `isAlike`, for all
 * the rest that could make its lines others than its parent's: each question is a search along its
 * ancestry.
 *
 * @param isAlike whether its lines differ from its parent's by its bindings alone
 */
export function noteChild(child: Internals, parent: Internals, isAlike: boolean): void {
  child[boundSym].note(child, parent, isAlike && !stateWatch.isActive ? stateVersion.count : -1)
}

/**
 * Whether nothing has been done to a child of `parent`, or to a child of such, that its lines could
 * show.
 */
function isAsMade(logger: Internals, parent: Internals): boolean {
  let at = logger
  do {
    const bound = at[boundSym]
    if (bound.owner !== at || bound.parent === null || bound.version !== stateVersion.count) return false
    at = bound.parent as Internals
  } while (at !== parent)
  return true
}

const isProxy = (logger: Internals): boolean => logger[boundSym].owner !== logger && types.isProxy(logger)

/** Whether the options of `logger` make other fields of those that are logged. */
export const shapesFields = (logger: Internals): boolean => Boolean(logger[mixinSym] || logger[formattersSym].log)

const isShapedFor = (logger: Internals): boolean => shapesFields(logger) || typeof logger[msgPrefixSym] === 'string'

/** @param isShaped whether options make other fields or messages of those that are logged */
const traitsOf = (logger: Internals, format: LoggerFormat, isShaped: boolean): number =>
  (isShaped || format.asksForMore ? SHAPED : 0) + (Object.hasOwn(logger, boundSym) ? 0 : HEIR)

/** The fields that the options `mixin` and `formatters.log` make of those that are logged. */
function shaped(logger: Internals, fields: object | null, level: number): object | null {
  const mixin = logger[mixinSym]
  const mixed = mixin ? mixIn(logger, mixin, fields ?? {}, level) : fields
  const format = logger[formattersSym].log
  return format ? format((mixed ?? {}) as Fields) : mixed
}

/** What lines end with unless somebody has said otherwise. */
const PLAIN_END = '}\n'

/**
 * Whether lines of `logger` are such that records can be made into: no fields below a key of their
 * own, no other ends, no hook that sees each line.
 */
export function hasPlainLines(logger: Internals): boolean {
  return !logger[nestedKeySym] && logger[endSym] === PLAIN_END && !logger[hooksSym].streamWrite
}

/** What is true of a path, a bit for each; see the fields of it. */
const SHAPED = 1
const HEIR = 2

/**
 * For a logger whose records are made of its formats, fields and message alone. Each request of a
 * service has one. Its private methods have no #, with which V8 marks each object as it is made.
 */
export class LogFastPath {
  readonly #logger: Internals | null
  readonly #write: Internals[typeof writeSym] | null
  readonly #version: number
  /** The first one of the logger's calls. */
  readonly #format: LoggerFormat
  readonly #writer: RecordWriter
  /** Whether there is more to a line than the format, and the fields and the message as logged. */
  readonly #isShaped: boolean
  /** Whether its bindings are another logger's, which may get others. */
  readonly #isHeir: boolean

  /**
   * @param logger null: nobody's
   * @param format the first one of its calls
   * @param write what the logger does with a record
   * @param traits SHAPED, HEIR
   */
  constructor(
    logger: Internals | null,
    format: LoggerFormat,
    writer: RecordWriter,
    write: Internals[typeof writeSym] | null,
    traits: number
  ) {
    this.#logger = logger
    this.#write = write
    this.#version = stateVersion.count
    this.#format = format
    this.#writer = writer
    this.#isShaped = (traits & SHAPED) !== 0
    this.#isHeir = (traits & HEIR) !== 0
  }

  /**
   * That of `logger`.
   *
   * @param base a format of the logger, or of one that it is a child of
   */
  static of(logger: Internals, base: LoggerFormat, writer: RecordWriter): LogFastPath {
    const isShaped = isShapedFor(logger)
    const format = base.derive(logger, !isShaped)
    return new LogFastPath(logger, format, writer, logger[writeSym], traitsOf(logger, format, isShaped))
  }

  /** Whether the message of a record may be a FilledMessage. */
  get takesFilled(): boolean {
    return this.#writer.takesFilled === true && !this.#format.convertsMessages
  }

  /** Whether the records of a child may have its bindings' values. */
  get takesInline(): boolean {
    return this.#logger !== null && this.#writer.takesInline === true
  }

  /** Whether it was made for `logger`, which no proxy answers for then. */
  isOf(logger: Internals): boolean {
    return this.#logger === logger
  }

  /**
   * Whether it is that of `logger` as it is now: nothing has been put in the place of what it was
   * made of.
   */
  isValidFor(logger: Internals): boolean {
    return this.#logger === logger && this.isCurrent(logger)
  }

  private isCurrent(logger: Internals): boolean {
    if (stateWatch.isActive) {
      heed(logger)
      if (stateWatch.isComputed) return false
    }
    if (this.#version !== stateVersion.count || this.#write !== logger[writeSym]) return false
    if (this.#isHeir && !this.#format.isBoundAs(logger)) return false
    // Tools that follow lines are given text; written out (`hasSubscribers`), as this is in the
    // path of every call.
    const { start, end, error } = lineChannels
    const isFollowed = isTaken || start.hasSubscribers || end.hasSubscribers || error.hasSubscribers
    return logger[asJsonSym] === tracedAsJson && !isFollowed
  }

  /**
   * That of a logger which has inherited this one: a child. Null if its lines have to be made in
   * the call.
   *
   * @param level that of its first line
   * @param isOfLine whether that comes with its fields' keys, as all but events do
   */
  deriveForChild(logger: Internals, level: number, isOfLine: boolean): LogFastPath | null {
    const parent = this.#logger
    if (parent === null || !this.isCurrent(logger)) return null
    const { owner, parent: nearest } = logger[boundSym]
    if (owner === logger && nearest !== parent && nearest !== null) {
      const path = this.deriveForParent(nearest as Internals, level)
      if (path !== null) return path.deriveForChild(logger, level, isOfLine)
    }
    const takesInline = isOfLine && this.takesInline
    const path = isAsMade(logger, parent)
      ? this.deriveAlike(logger, level, takesInline)
      : this.deriveForAny(logger, level, takesInline)
    if (path !== null) keepFastPath(logger, path)
    return path
  }

  /**
   * That of a logger that has not logged by itself, for its children; null as long as it has but
   * one.
   */
  private deriveForParent(parent: Internals, level: number): LogFastPath | null {
    if (parent[boundSym].asked++ === 0 || !this.isCurrent(parent)) return null
    const path = this.deriveForAny(parent, level, false)
    if (path !== null) keepFastPath(parent, path)
    return path
  }

  private deriveAlike(logger: Internals, level: number, takesInline: boolean): LogFastPath {
    const format = this.#format.deriveAlike(logger, level, takesInline)
    return new LogFastPath(logger, format, this.#writer, this.#write, this.#isShaped ? SHAPED : 0)
  }

  private deriveForAny(logger: Internals, level: number, takesInline: boolean): LogFastPath | null {
    if (isProxy(logger) || logger[streamSym] !== this.#logger![streamSym] || !hasPlainLines(logger)) return null
    const isShaped = isShapedFor(logger)
    const format = this.#format.deriveOther(logger, level, !isShaped, takesInline)
    return new LogFastPath(logger, format, this.#writer, this.#write, traitsOf(logger, format, isShaped))
  }

  /**
   * Records a call of `(message)`, `(fields, message?)` or `(message, fields)`.
   *
   * @param count the number of arguments
   * @returns false if the call takes more than that; nothing has been done then
   */
  take(logger: Internals, level: number, count: number, first: unknown, second: unknown): boolean {
    let path: LogFastPath | null = this
    if (this.#logger !== logger || !this.isCurrent(logger)) {
      path = this.deriveForChild(logger, level, true)
      if (path === null) return false
    }
    // What is commonest stands alone, written out: V8 takes little code into its callers, and no
    // more.
    let fields: object | null = null
    let message = first
    if (
      count === 2 &&
      typeof second === 'string' &&
      typeof first === 'object' &&
      first !== null &&
      !path.#isShaped &&
      // An object of no class is neither an error, a request nor a response; the encoder looks at
      // keys that make it one. Its prototype is asked, not `constructor`, which may be a field.
      Object.getPrototypeOf(first) === Object.prototype
    ) {
      fields = first
      message = second
    } else if (count !== 1 || typeof first !== 'string' || path.#isShaped) {
      return path.takeOther(logger, level, count, first, second)
    }
    const { recent } = path.#format
    const format = recent.level === level ? recent : path.#format.of(level)
    path.#writer.record(format, recordTime(), '', fields, message)
    return true
  }

  private takeOther(logger: Internals, level: number, count: number, first: unknown, second: unknown): boolean {
    if (count > 2) return false
    if (typeof first === 'object' && first !== null) {
      if (typeof second !== 'string' && second !== undefined) return false
      this.write(logger, level, loggedObject(first), second === undefined ? undefined : this.prefixed(logger, second))
      return true
    }
    if (typeof first !== 'string') return false
    const text = this.prefixed(logger, first)
    let fields: object | null = null
    if (count === 2) {
      fields = text.includes('%') ? null : trailingFields(logger, level, first, second)
      if (fields === null) return false
    }
    this.write(logger, level, fields === null ? null : loggedObject(fields), text)
    return true
  }

  private prefixed(logger: Internals, message: string): string {
    return this.#isShaped ? (withPrefix(logger[msgPrefixSym], message) as string) : message
  }

  /** Records what a call has come to: fields that are logged, and a message with its prefix. */
  write(logger: Internals, level: number, object: object | null, text: unknown): void {
    const fields = object === null ? null : asFields(logger, object)
    this.record(logger, level, fields, text === undefined && object !== null ? errorMessage(logger, object) : text)
  }

  private record(logger: Internals, level: number, fields: object | null, message: unknown): void {
    // Before the mixin, as pino does.
    const time = this.#format.shared.timeOf(logger)
    const given = this.#isShaped ? shaped(logger, fields, level) : fields
    // A mixin or a getter may have given the logger other bindings.
    const isAsBefore = this.#format.isBoundAs(logger) && this.isCurrent(logger)
    const format = isAsBefore ? this.#format : this.#format.derive(logger, !this.#isShaped)
    const said = format.convertsMessages ? format.shared.serializers.messageOf(logger, message) : message
    this.#writer.record(format.of(level), recordTime(), time, given, said)
  }

  /** Works out beforehand what lines of a level have in common. */
  prepare(level: number): void {
    if (Number.isFinite(level)) this.#format.of(level)
  }

  /** Records a compiled event. False if there is more to it than its values. */
  event(event: CompiledEvent, values: readonly unknown[]): boolean {
    const first = this.#format
    first.endInline()
    if (this.#isShaped || !event.resolve(first.tree)) return false
    this.#writer.event(first.of(event.level), recordTime(), '', event, values)
    return true
  }
}

/** Has the next call of `logger` find `path`. */
export function keepFastPath(logger: Internals, path: LogFastPath | null): void {
  try {
    logger[fastPathSym] = path
  } catch {
    define(logger, fastPathSym, path)
  }
}

/**
 * For an assignment that has failed. The logger is frozen, and has nothing made for it kept, or one
 * that it descends from is. To ask beforehand takes a hundred times as long as the assignment.
 */
export function define(logger: Internals, key: symbol, value: unknown): void {
  if (Object.isExtensible(logger)) Object.defineProperty(logger, key, { value, writable: true, configurable: true })
}

/** The fast path of `logger` for an event of `level`; null if it has none, or none any more. */
export function fastPathOf(logger: Internals, level: number): LogFastPath | null {
  const path = logger[fastPathSym]
  return path === null || path.isValidFor(logger) ? path : path.deriveForChild(logger, level, false)
}

/** In the place of a fast path, for loggers that must not have one: it is nobody's. */
const NO_FAST_PATH = new LogFastPath(null, null as unknown as LoggerFormat, null as unknown as RecordWriter, null, 0)

const behindProxy: PropertyDescriptorMap = { [fastPathSym]: { get: () => NO_FAST_PATH, set: () => {} } }

/**
 * An object for a child of a logger behind a proxy: it and its children have no fast path, and are
 * told by that.
 */
export function childBehindProxy(parent: Internals): object {
  return Object.create(parent, behindProxy)
}

/** Whether a proxy answers for `logger`, or for one that it descends from. */
export function isProxied(logger: Internals): boolean {
  const path = logger[fastPathSym]
  // What has a fast path of its own is no proxy, and need not be looked at.
  if (path?.isOf(logger)) return false
  return path === NO_FAST_PATH || types.isProxy(logger)
}

/**
 * `logger` as it is to be read. The proxy answers to pino's symbols, which do not hold the state
 * here: what it says is put where the state is looked for, on an object that inherits all else from
 * it.
 */
export function viewOf(logger: Internals): Internals {
  if (!isProxied(logger) || !types.isProxy(logger)) return logger
  const answers = shadowed(logger)
  return answers === null ? logger : (Object.create(logger, answers) as Internals)
}

// The methods of the levels.

const NO_ARGUMENTS: readonly unknown[] = []

/** `(fields, message?, ...values)`. */
function logObject(logger: Internals, level: number, first: object | null, rest: readonly unknown[]): void {
  // A null by itself is the message.
  const message = first === null && rest.length === 0 ? null : rest[0]
  write(logger, level, first === null ? null : loggedObject(first), message, valuesOf(rest))
}

/** `(message, ...values)` or `(message, fields)`; or an undefined before that. */
function logMessage(logger: Internals, level: number, first: unknown, rest: readonly unknown[]): void {
  const message = first === undefined ? rest[0] : first
  const values = first === undefined ? valuesOf(rest) : rest
  const fields = rest.length === 1 && first !== undefined ? trailingFields(logger, level, message, rest[0]) : null
  write(logger, level, fields === null ? null : loggedObject(fields), message, values)
}

/** What follows a message. */
function valuesOf(args: readonly unknown[]): readonly unknown[] {
  return args.length > 1 ? args.slice(1) : NO_ARGUMENTS
}

function withPrefix(prefix: string | undefined, message: unknown): unknown {
  if (typeof prefix !== 'string') return message
  return typeof message === 'symbol' ? prefix + String(message) : prefix + (message as string)
}

function write(logger: Internals, level: number, fields: object | null, message: unknown, values: readonly unknown[]) {
  const prefixed = message === undefined || message === null ? message : withPrefix(logger[msgPrefixSym], message)
  const path = logger[fastPathSym]
  const isDirect = path?.isValidFor(logger)
  const filled = isDirect && values.length > 0 && path!.takesFilled ? filledMessage(prefixed, values) : null
  const text = filled ?? (values.length === 0 ? prefixed : formatMessage(prefixed, values, logger[formatOptsSym]))
  // What is formatted may change the logger.
  if (isDirect && (filled !== null || path!.isValidFor(logger))) path!.write(logger, level, fields, text)
  else logger[writeSym](fields, text, level)
}

const patterns = new MessagePatterns()

/** The message with its values, for a record; null if it has to be put together here. */
function filledMessage(message: unknown, values: readonly unknown[]): FilledMessage | null {
  const pattern = typeof message === 'string' ? patterns.of(message) : null
  return pattern === null ? null : pattern.fill(values)
}

/** Whether the methods of a level can be called on it. */
function isLogger(value: unknown): value is Internals {
  try {
    return typeof value === 'object' && value !== null && (value as Internals)[streamSym] !== undefined
  } catch {
    return false // A proxy; loggers do not throw.
  }
}

/** Calls that left no line, not even one that says so: where the stack is full, for one. */
let lost = 0

/** Tells of them, by a process warning. */
function tellLost(): void {
  process.emitWarning(`${lost} log calls left no line: there was not room enough on the stack`, {
    code: 'SHARDLOG_LOST_CALLS'
  })
  lost = 0
}

/**
 * The method that writes at `level`. Its name is what pino's hooks and stack traces show.
 *
 * @param home the logger that writes for callers who have taken the method off theirs:
 *   `promise.catch(log.error)`
 */
function plainMethod(level: number, home: Internals): LogMethod {
  // Itself rather than by a function of its own: some tools find the caller by counting calls.
  function logOther(this: Internals, first: unknown, ...rest: unknown[]): void {
    if (lost > 0) tellLost()
    heed(this)
    const logger = viewOf(this)
    if (typeof first === 'object') logObject(logger, level, first, rest)
    else if (rest.length === 0) write(logger, level, null, first, NO_ARGUMENTS)
    else logMessage(logger, level, first, rest)
  }
  function logFailure(logger: unknown, args: unknown[], thrown: unknown): void {
    if (isLogger(logger)) writeErrorLine(logger, level, args, thrown)
    else LOG.apply(home, args as [unknown])
  }
  function LOG(this: Internals, first: unknown): void {
    try {
      const path = this[fastPathSym]
      // biome-ignore lint/complexity/noArguments: rest parameters would be an array for each call
      if (path?.take(this, level, arguments.length, first, arguments[1])) return
      // biome-ignore lint/complexity/noArguments: see above
      logOther.apply(this, arguments as never)
    } catch (thrown) {
      try {
        // Copied one by one: there may be no room to pass them on.
        const args: unknown[] = []
        // biome-ignore lint/complexity/noArguments: see above
        for (let i = 0; i < arguments.length; i++) args.push(arguments[i])
        logFailure(this, args, thrown)
      } catch {
        // Nothing is called here, since there may be no room for it; a later call tells.
        lost++
      }
    }
  }
  return LOG
}

/** As `method`, and what it wrote is flushed when it returns: the process is likely to end next. */
function flushingMethod(method: LogMethod, home: Internals): LogMethod {
  return function LOG(...args: unknown[]): void {
    const logger = isLogger(this) ? this : home
    method.apply(logger, args)
    try {
      logger[streamSym].flushSync?.()
    } catch {
      // A destination that is not ready cannot be flushed; its own exit handler still will.
    }
  }
}

function hookedMethod(method: LogMethod, level: number, hook: LogMethodHook, home: Internals): LogMethod {
  return function hookWrappedLog(...args: unknown[]): void {
    const logger = isLogger(this) ? this : home
    try {
      hook.call(logger, args, method, level)
    } catch (thrown) {
      try {
        writeHookErrorLine(logger, level, args, thrown)
      } catch {
        lost++
      }
    }
  }
}

/**
 * The methods of a logger and its children: one for each level, so that all of them share what the
 * compiler learns about it.
 */
export class LevelMethods {
  readonly #home: Internals
  readonly #plain = new Map<number, LogMethod>()

  /** @param home the logger that writes for callers who have taken a method off theirs */
  constructor(home: Internals) {
    this.#home = home
  }

  /**
   * The method of a level.
   *
   * @param flushes whether to flush the destination after each call
   * @param hook the hook `logMethod`, which is given the call instead
   */
  of(level: number, flushes: boolean, hook: LogMethodHook | undefined): LogMethod {
    const plain = this.#plainOf(level)
    const method = hook ? hookedMethod(plain, level, hook, this.#home) : plain
    return flushes ? flushingMethod(method, this.#home) : method
  }

  #plainOf(level: number): LogMethod {
    const known = this.#plain.get(level)
    if (known) return known
    const method = plainMethod(level, this.#home)
    this.#plain.set(level, method)
    return method
  }
}
