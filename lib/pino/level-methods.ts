/** The methods behind `log.info` and its like: they sort out their arguments and hand the record on. */

import { formatMessage, trailingFields } from './format-args'
import { loggedObject } from './http-objects'
import type { Internals, LogMethod, LogMethodHook } from './internals'
import { planOf } from './line-plan'
import { writeRescued } from './rescue'
import { formatOptsSym, msgPrefixSym, streamSym, writeSym } from './symbols'

const NO_ARGUMENTS: readonly unknown[] = []

/** `(fields, message?, ...values)`. */
function logObject(logger: Internals, level: number, first: object | null, rest: readonly unknown[]): void {
  // A null by itself is the message.
  const message = first === null && rest.length === 0 ? null : rest[0]
  write(logger, level, first === null ? null : loggedObject(first), message, valuesOf(rest))
}

/** `(message, ...values, fields?)`, or an undefined before that. */
function logMessage(logger: Internals, level: number, first: unknown, rest: readonly unknown[]): void {
  const message = first === undefined ? rest[0] : first
  const values = first === undefined ? valuesOf(rest) : rest
  const fields = values.length === 0 ? null : trailingFields(message, values)
  write(logger, level, fields, message, values)
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

/** The short way, for `(message)` and `(fields, message)`. False: the call has to go the long way. */
function tookShortWay(logger: Internals, level: number, count: number, first: unknown, message: unknown): boolean {
  const plan = planOf(logger)
  if (plan === null) return false
  if (count === 2) {
    return (
      typeof message === 'string' && typeof first === 'object' && first !== null && plan.fields(level, first, message)
    )
  }
  if (count !== 1 || typeof first !== 'string') return false
  plan.message(level, first)
  return true
}

/** The method that writes at `level`. Its name is what pino's hooks and stack traces show. */
function plainMethod(level: number): LogMethod {
  return function LOG(first: unknown): void {
    // Rest parameters would be an array for each call.
    // biome-ignore lint/complexity/noArguments: see above
    const args = arguments
    try {
      if (tookShortWay(this, level, args.length, first, args[1])) return
      logArguments(this, level, first, Array.prototype.slice.call(args, 1))
    } catch (thrown) {
      writeRescued(this, level, Array.from(args), thrown)
    }
  }
}

function logArguments(logger: Internals, level: number, first: unknown, rest: readonly unknown[]): void {
  if (typeof first === 'object') logObject(logger, level, first, rest)
  else if (rest.length === 0) write(logger, level, null, first, NO_ARGUMENTS)
  else logMessage(logger, level, first, rest)
}

/** As `method`, and what it wrote is flushed when it returns: the process is likely to end next. */
function flushingMethod(method: LogMethod): LogMethod {
  return function LOG(...args: unknown[]): void {
    method.apply(this, args)
    const stream = this[streamSym]
    if (typeof stream.flushSync !== 'function') return
    try {
      stream.flushSync()
    } catch {
      // A destination that is not ready cannot be flushed; its own exit handler still will.
    }
  }
}

function hookedMethod(method: LogMethod, level: number, hook: LogMethodHook): LogMethod {
  return function hookWrappedLog(...args: unknown[]): void {
    try {
      hook.call(this, args, method, level)
    } catch (thrown) {
      writeRescued(this, level, args, thrown)
    }
  }
}

const plain = new Map<number, LogMethod>()

/** One method for each level of the process, so that all loggers share what the compiler learns about it. */
function sharedMethod(level: number): LogMethod {
  const known = plain.get(level)
  if (known) return known
  const method = plainMethod(level)
  plain.set(level, method)
  return method
}

/**
 * The method of a level.
 *
 * @param flushes whether to flush the destination after each call
 * @param hook the hook `logMethod`, which is given the call instead
 */
export function levelMethod(level: number, flushes: boolean, hook: LogMethodHook | undefined): LogMethod {
  const method = hook ? hookedMethod(sharedMethod(level), level, hook) : sharedMethod(level)
  return flushes ? flushingMethod(method) : method
}
