/** `log.withContext`: fields that belong to what runs at present, whoever logs. */

import { AsyncLocalStorage } from 'node:async_hooks'
import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import type { Internals } from '../pino/internals'
import type { Bindings } from '../pino/types'
import { featuresOf } from './features'
import { featuresSym } from './symbols'

/** The contexts of one family of loggers. */
export class LogContext {
  readonly #storage = new AsyncLocalStorage<Bindings>()
  #entered = 0

  /** Calls `fn` within the present context and `fields`, which win. */
  run<Result>(fields: Bindings, fn: () => Result): Result {
    this.#entered++
    return this.#storage.run({ ...this.#storage.getStore(), ...fields }, fn)
  }

  /** undefined outside of any. */
  get present(): Bindings | undefined {
    return this.#storage.getStore()
  }

  /** Number of `run`s. */
  get entered(): number {
    return this.#entered
  }
}

function refuse(what: string, allowed: string, given: unknown): never {
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `withContext: ${what} must be ${allowed}, got ${inspect(given, { depth: 0 })}`
  )
}

/**
 * Calls `fn`; until what it began has ended, across awaits and timers, records of this logger, its parents and its children carry `fields`.
 *
 * @returns what `fn` returns
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the arguments are not an object and a function
 */
export function withContext<Result>(this: Internals, fields: Bindings, fn: () => Result): Result {
  if (typeof fields !== 'object' || fields === null) refuse('fields', 'an object', fields)
  if (typeof fn !== 'function') refuse('fn', 'a function', fn)
  const features = featuresOf(this)
  features.context ??= new LogContext()
  return features.context.run(fields, fn)
}

/** The fields of the present context; an object of the caller's own, empty outside of any. */
export function context(this: Internals): Bindings {
  return { ...this[featuresSym]?.context?.present }
}
