/**
 * Functions for what programs log again and again: operations, exceptions, changes of state,
 * slowness. None of them changes what the program does: what a function returns, throws, is called
 * and takes stays what it is, whatever becomes of the log.
 */

import { inspect, types } from 'node:util'
import { joined } from '../joined'
import type { Bindings } from '../pino/types'
import { failOption, isOptions, type Rules, resolved } from './options'

/** Any logger with the methods of pino's. */
export type AnyLogger = object

type LevelName = 'debug' | 'info' | 'warn' | 'error'
type Method = (fields: object, message: string) => void

/** What has been warned about: once each. */
const warned = new Set<string>()

function warnOnce(text: string): void {
  if (warned.has(text)) return
  warned.add(text)
  process.emitWarning(text, { code: 'SHARDLOG_LOGGER' })
}

/** Logs at a level; a logger that cannot is told of by a process warning. Never throws. */
function emit(log: AnyLogger, level: LevelName, fields: object, message: string): void {
  try {
    const method = (log as Record<string, Method | undefined>)[level]
    if (typeof method === 'function') method.call(log, fields, message)
    else warnOnce(`a logger must have a method ${level}, got ${inspect(method)}`)
  } catch (error) {
    warnOnce(`a logger's method ${level} throws ${text(error)}`)
  }
}

/** A value in a message, whatever it is. */
function text(value: unknown): string {
  try {
    return String(value)
  } catch {
    // An object without a prototype, or whose toString throws.
    return typeof value === 'object' ? '[object]' : `[${typeof value}]`
  }
}

/** Milliseconds since `start`, to the microsecond. */
function since(start: number): number {
  return Math.round((performance.now() - start) * 1_000) / 1_000
}

type Ended = () => void
type Failed = (error: unknown) => void

/** The promise's own, since a program may have given it another. */
const { then } = Promise.prototype

/**
 * A promise that ends as `promise` does, when the end has been logged. It has what the program has
 * put on it, as execa's has methods of the process; what is no promise of the language (a query
 * that begins when it is waited for) is left alone.
 */
function followed(promise: Promise<unknown>, ended: Ended, failed: Failed): Promise<unknown> {
  const result = then.call(
    promise,
    value => {
      ended()
      return value
    },
    error => {
      failed(error)
      throw error
    }
  )
  return Object.defineProperties(result, Object.getOwnPropertyDescriptors(promise))
}

/**
 * Calls `fn`, and one of the others now or when its promise settles. Returns or throws what `fn`
 * does.
 */
function watched(fn: () => unknown, ended: Ended, failed: Failed): unknown {
  let result: unknown
  try {
    result = fn()
  } catch (error) {
    failed(error)
    throw error
  }
  if (!types.isPromise(result)) {
    ended()
    return result
  }
  try {
    return followed(result, ended, failed)
  } catch {
    // A subclass whose constructor cannot be called: it is the program's all the same.
    ended()
    return result
  }
}

/** An operation's lines: start, end and failure. */
function begin(log: AnyLogger, name: unknown, fields: object): { ended: Ended; failed: Failed } {
  const about = joined({ operation: name }, fields)
  const said = text(name)
  const start = performance.now()
  emit(log, 'debug', about, `${said} started`)
  return {
    ended: () => emit(log, 'info', joined(about, { durationMs: since(start) }), `${said} ended`),
    failed: err => emit(log, 'error', joined(about, { durationMs: since(start), err }), `${said} failed`)
  }
}

/**
 * Calls `fn` and logs its start ('debug'), its end ('info') or its failure ('error'), each with
 * `operation`, the latter two with `durationMs`. If it returns a promise, its end is the promise's.
 *
 * @param fields of all these lines
 * @returns what `fn` returns; a promise stays one
 * @throws what `fn` throws, and ShardlogError `ERR_SHARDLOG_CONFIG` if it is no function
 */
export function operation<Result>(log: AnyLogger, name: string, fn: () => Result): Result
export function operation<Result>(log: AnyLogger, name: string, fields: Bindings, fn: () => Result): Result
export function operation(log: AnyLogger, name: string, ...rest: [() => unknown] | [Bindings, () => unknown]): unknown {
  const fields = rest.length === 1 ? {} : rest[0]
  const fn = rest.length === 1 ? rest[0] : rest[1]
  if (typeof fn !== 'function') failOption('fn of operation', fn, 'a function')
  const { ended, failed } = begin(log, name, fields)
  return watched(fn, ended, failed)
}

/**
 * Logs an error at 'error'.
 *
 * @param error anything that was thrown
 * @param message default the error's own
 */
export function exception(log: AnyLogger, error: unknown, fields: Bindings = {}, message?: string): void {
  emit(log, 'error', joined(fields, { err: error }), message ?? ownMessage(error))
}

function ownMessage(error: unknown): string {
  try {
    return error instanceof Error ? text(error.message) : text(error)
  } catch {
    return '[object]' // A proxy that has been revoked, or an error whose message throws.
  }
}

/** Logs at 'info' that `entity` went from one state to another. */
export function stateChange(log: AnyLogger, entity: string, from: unknown, to: unknown, fields: Bindings = {}): void {
  const message = `${text(entity)} changed from ${text(from)} to ${text(to)}`
  emit(log, 'info', joined(fields, { entity, from, to }), message)
}

/**
 * Logs how long something took: at 'warn' if longer than `thresholdMs`, else at 'debug'.
 *
 * @param durationMs how long it took, in ms
 */
export function performanceIssue(
  log: AnyLogger,
  name: string,
  durationMs: number,
  thresholdMs: number,
  fields: Bindings = {}
): void {
  const slow = typeof durationMs === 'number' && typeof thresholdMs === 'number' && durationMs > thresholdMs
  const took = `${text(name)} took ${text(durationMs)} ms`
  const message = slow ? `${took}, more than ${text(thresholdMs)} ms` : took
  emit(log, slow ? 'warn' : 'debug', joined(fields, { operation: name, durationMs, thresholdMs }), message)
}

type AnyFunction<This, Args extends unknown[], Result> = (this: This, ...args: Args) => Result
type Callable = AnyFunction<unknown, unknown[], unknown>

/**
 * `fn` with something around each call. A proxy, so that it has name, arity, properties and kind of
 * `fn`: Express tells a handler from an error handler by its arity.
 */
function wrapped<Fn>(fn: Fn, option: string, around: (name: string, call: () => unknown) => unknown): Fn {
  if (typeof fn !== 'function') failOption(option, fn, 'a function')
  const { name } = fn as { name?: unknown }
  const called = typeof name === 'string' && name !== '' ? name : 'anonymous function'
  return new Proxy(fn as Callable, {
    apply: (target, self, args) => around(called, () => Reflect.apply(target, self, args)),
    construct: (target, args, newTarget) =>
      around(called, () => Reflect.construct(target, args, newTarget as Callable)) as object
  }) as Fn
}

function callsLogged<Fn>(log: AnyLogger, fn: Fn, fields: Bindings): Fn {
  return wrapped(fn, 'fn of logCalls', (name, call) => {
    const { ended, failed } = begin(log, name, fields)
    return watched(call, ended, failed)
  })
}

/** A function that does what `fn` does, as an `operation` of its name. Arguments are not logged. */
export function logCalls<This, Args extends unknown[], Result>(
  log: AnyLogger,
  fn: AnyFunction<This, Args, Result>,
  fields?: Bindings
): AnyFunction<This, Args, Result>
/**
 * `@logCalls(log)`: the same of a method. The logger may be looked up: `@logCalls(instance =>
 * instance.log)`.
 */
export function logCalls(log: LoggerOf, fields?: Bindings): MethodDecorator
export function logCalls(log: LoggerOf, second: unknown = {}, fields: Bindings = {}): unknown {
  if (typeof second === 'function') return callsLogged(log, second, fields)
  return decorator('logCalls', log, (own, method) => callsLogged(own, method, second as Bindings))
}

const noop = (): void => {}

function errorsCaptured<Fn>(log: AnyLogger, fn: Fn, fields: Bindings): Fn {
  const failed = (error: unknown): void => exception(log, error, fields)
  return wrapped(fn, 'fn of captureErrors', (_name, call) => watched(call, noop, failed))
}

/**
 * A function that does what `fn` does, and logs what it throws (or its promise's rejection) as
 * `exception` before it throws it.
 */
export function captureErrors<This, Args extends unknown[], Result>(
  log: AnyLogger,
  fn: AnyFunction<This, Args, Result>,
  fields?: Bindings
): AnyFunction<This, Args, Result>
/** `@captureErrors(log)`: the same of a method. */
export function captureErrors(log: LoggerOf, fields?: Bindings): MethodDecorator
export function captureErrors(log: LoggerOf, second: unknown = {}, fields: Bindings = {}): unknown {
  if (typeof second === 'function') return errorsCaptured(log, second, fields)
  return decorator('captureErrors', log, (own, method) => errorsCaptured(own, method, second as Bindings))
}

/** What `logPerformance` takes. */
export interface PerformanceOptions {
  /** A call that takes longer, in ms, is logged at 'warn'. Default 1,000. */
  thresholdMs?: number
  /** Of these lines. Default none. */
  fields?: Bindings
}

const RULES: Rules<PerformanceOptions> = {
  thresholdMs: {
    allowed: 'a number of milliseconds from 0',
    accepts: value => typeof value === 'number' && value >= 0
  },
  fields: { allowed: 'an object', accepts: isOptions }
}
const DEFAULTS: Required<PerformanceOptions> = { thresholdMs: 1_000, fields: {} }

function performanceLogged<Fn>(log: AnyLogger, fn: Fn, { thresholdMs, fields }: Required<PerformanceOptions>): Fn {
  return wrapped(fn, 'fn of logPerformance', (name, call) => {
    const start = performance.now()
    const took = (): void => performanceIssue(log, name, since(start), thresholdMs, fields)
    return watched(call, took, took)
  })
}

/**
 * A function that does what `fn` does, and logs how long it took (until its promise settles) as
 * `performanceIssue`.
 */
export function logPerformance<This, Args extends unknown[], Result>(
  log: AnyLogger,
  fn: AnyFunction<This, Args, Result>,
  options?: PerformanceOptions
): AnyFunction<This, Args, Result>
/** `@logPerformance(log, { thresholdMs })`: the same of a method. */
export function logPerformance(log: LoggerOf, options?: PerformanceOptions): MethodDecorator
export function logPerformance(log: LoggerOf, second: unknown = {}, options: PerformanceOptions = {}): unknown {
  const given = typeof second === 'function' ? options : second
  if (!isOptions(given)) failOption('logPerformance', given, 'an object')
  const all = resolved<PerformanceOptions>('logPerformance', given, RULES, DEFAULTS) as Required<PerformanceOptions>
  if (typeof second === 'function') return performanceLogged(log, second, all)
  return decorator('logPerformance', log, (own, method) => performanceLogged(own, method, all))
}

/** A logger, or where an instance has its own. */
export type LoggerOf = AnyLogger | ((instance: never) => AnyLogger)

/** A standard decorator, as TypeScript 5 compiles it, for methods. */
type MethodDecorator = <Decorated extends (this: never, ...args: never[]) => unknown>(
  method: Decorated,
  context: ClassMethodDecoratorContext
) => Decorated

function loggerFor(log: LoggerOf, instance: unknown): AnyLogger {
  if (typeof log !== 'function') return log
  try {
    return (log as (instance: unknown) => AnyLogger)(instance)
  } catch {
    return {} // The method is called all the same, and the warning says what is missing.
  }
}

/**
 * A decorator that replaces a method by what `wrap` makes of it, for the logger of the instance
 * that it is called on.
 */
function decorator(name: string, log: LoggerOf, wrap: (log: AnyLogger, method: Callable) => Callable): MethodDecorator {
  return (decorated, context) => {
    if (context?.kind !== 'method') failOption(`the place of @${name}`, context, 'a method')
    const method = decorated as unknown as Callable
    return new Proxy(method, {
      apply: (_method, self, args: unknown[]) => Reflect.apply(wrap(loggerFor(log, self), method), self, args)
    }) as unknown as typeof decorated
  }
}
