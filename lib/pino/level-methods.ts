/** The methods behind `log.info` and its like: they sort out their arguments and hand the record on. */

import { fastPathSym, viewOf } from './fast-path'
import { formatMessage } from './format-args'
import { loggedObject } from './http-objects'
import type { Internals, LogMethod, LogMethodHook } from './internals'
import { writeRescued, writeUnhooked } from './rescue'
import { heed } from './state-access'
import { formatOptsSym, msgPrefixSym, streamSym, writeSym } from './symbols'
import { trailingFields } from './trailing-fields'

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
  const text = values.length === 0 ? prefixed : formatMessage(prefixed, values, logger[formatOptsSym])
  logger[writeSym](fields, text, level)
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
 * @param home the logger that writes for callers who have taken the method off theirs: `promise.catch(log.error)`
 */
function plainMethod(level: number, home: Internals): LogMethod {
  return function LOG(first: unknown): void {
    // Rest parameters would be an array for each call.
    // biome-ignore lint/complexity/noArguments: see above
    const args = arguments
    try {
      const path = this[fastPathSym]
      if (path !== null && path?.take(this, level, args.length, first, args[1])) return
      logArguments(this, level, first, Array.prototype.slice.call(args, 1))
    } catch (thrown) {
      try {
        if (isLogger(this)) writeRescued(this, level, Array.from(args), thrown)
        else LOG.apply(home, Array.from(args) as [unknown])
      } catch {
        // Nothing is called here, since there may be no room for it; a later call tells.
        lost++
      }
    }
  }
}

function logArguments(caller: Internals, level: number, first: unknown, rest: readonly unknown[]): void {
  if (lost > 0) tellLost()
  heed(caller)
  const logger = viewOf(caller)
  if (typeof first === 'object') logObject(logger, level, first, rest)
  else if (rest.length === 0) write(logger, level, null, first, NO_ARGUMENTS)
  else logMessage(logger, level, first, rest)
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
        writeUnhooked(logger, level, args, thrown)
      } catch {
        lost++
      }
    }
  }
}

/** The methods of a logger and its children: one for each level, so that all of them share what the compiler learns about it. */
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
