/** Functions for what programs log again and again: operations, exceptions, changes of state, slowness. */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import type { Bindings } from '../pino/types'
import { refuse } from './check'

/** Any logger with the methods of pino's. */
export type AnyLogger = object

type LevelName = 'debug' | 'info' | 'warn' | 'error'
type Method = (fields: object, message: string) => void

/** Logs at a level. */
function emit(log: AnyLogger, level: LevelName, fields: object, message: string): void {
  const method = (log as Record<string, Method | undefined>)[level]
  if (typeof method !== 'function') {
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', `the logger must have a method ${level}, got ${inspect(method)}`)
  }
  method.call(log, fields, message)
}

/** Milliseconds since `start`, to the microsecond. */
function since(start: number): number {
  return Math.round((performance.now() - start) * 1_000) / 1_000
}

interface Then {
  then(done: (value: unknown) => unknown, failed: (error: unknown) => unknown): unknown
}

function isPromise(value: unknown): value is Then {
  return typeof (value as Then | null | undefined)?.then === 'function'
}

/**
 * Calls `fn` and logs its start ('debug'), its end ('info') or its failure ('error'), each with `operation`, the latter two with
 * `durationMs`. If it returns a promise, its end is the promise's.
 *
 * @param fields of all these lines
 * @returns what `fn` returns; a promise stays one
 * @throws what `fn` throws
 */
export function operation<Result>(log: AnyLogger, name: string, fn: () => Result): Result
export function operation<Result>(log: AnyLogger, name: string, fields: Bindings, fn: () => Result): Result
export function operation(log: AnyLogger, name: string, ...rest: [() => unknown] | [Bindings, () => unknown]): unknown {
  const fields = rest.length === 1 ? {} : rest[0]
  const fn = rest.length === 1 ? rest[0] : rest[1]
  if (typeof fn !== 'function') refuse('fn of operation', fn, 'a function')
  const about = { operation: name, ...fields }
  const start = performance.now()
  const ended = <Value>(value: Value): Value => {
    emit(log, 'info', { ...about, durationMs: since(start) }, `${name} ended`)
    return value
  }
  const failed = (error: unknown): never => {
    emit(log, 'error', { ...about, durationMs: since(start), err: error }, `${name} failed`)
    throw error
  }
  emit(log, 'debug', about, `${name} started`)
  return settled(fn, ended, failed)
}

/** Calls `fn` and one of the others, now or when its promise settles. */
function settled(fn: () => unknown, ended: <Value>(value: Value) => Value, failed: (error: unknown) => never): unknown {
  let result: unknown
  try {
    result = fn()
  } catch (error) {
    return failed(error)
  }
  return isPromise(result) ? result.then(ended, failed) : ended(result)
}

/**
 * Logs an error at 'error'.
 *
 * @param error anything that was thrown
 * @param message default the error's own
 */
export function exception(log: AnyLogger, error: unknown, fields: Bindings = {}, message?: string): void {
  const own = error instanceof Error ? error.message : String(error)
  emit(log, 'error', { ...fields, err: error }, message ?? own)
}

/** Logs at 'info' that `entity` went from one state to another. */
export function stateChange(log: AnyLogger, entity: string, from: unknown, to: unknown, fields: Bindings = {}): void {
  emit(log, 'info', { ...fields, entity, from, to }, `${entity} changed from ${String(from)} to ${String(to)}`)
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
  const slow = durationMs > thresholdMs
  const message = slow ? `${name} took ${durationMs} ms, more than ${thresholdMs} ms` : `${name} took ${durationMs} ms`
  emit(log, slow ? 'warn' : 'debug', { ...fields, operation: name, durationMs, thresholdMs }, message)
}

type AnyFunction<This, Args extends unknown[], Result> = (this: This, ...args: Args) => Result

/** A function that does what `fn` does, as an `operation` of its name. Arguments are not logged. */
export function logCalls<This, Args extends unknown[], Result>(
  log: AnyLogger,
  fn: AnyFunction<This, Args, Result>,
  fields: Bindings = {}
): AnyFunction<This, Args, Result> {
  const name = fn.name || 'anonymous function'
  return function logged(...args) {
    return operation(log, name, fields, () => fn.apply(this, args))
  }
}

/** A function that does what `fn` does, and logs what it throws (or its promise's rejection) as `exception` before it throws it. */
export function captureErrors<This, Args extends unknown[], Result>(
  log: AnyLogger,
  fn: AnyFunction<This, Args, Result>,
  fields: Bindings = {}
): AnyFunction<This, Args, Result> {
  const failed = (error: unknown): never => {
    exception(log, error, fields)
    throw error
  }
  return function captured(...args) {
    return settled(
      () => fn.apply(this, args),
      value => value,
      failed
    ) as Result
  }
}
