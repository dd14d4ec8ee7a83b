/** `log.withContext`: fields that belong to what runs at present, whoever logs. */

import { AsyncLocalStorage } from 'node:async_hooks'
import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import type { Internals } from '../pino/internals'
import type { Bindings } from '../pino/types'
import { featuresOf } from './features'
import { joined } from './joined'
import { featuresSym } from './symbols'

/** The contexts of one family of loggers. */
export class LogContext {
  readonly #storage = new AsyncLocalStorage<Bindings>()
  /** Of all records; null for none. */
  #everywhere: Bindings | null = null
  #entered = 0

  /** Calls `fn` within the present context and `fields`, which win. */
  run<Result>(fields: Bindings, fn: () => Result): Result {
    this.#entered++
    return this.#storage.run(joined(this.#storage.getStore(), fields), fn)
  }

  /** undefined outside of any. */
  get present(): Bindings | undefined {
    const here = this.#storage.getStore()
    return this.#everywhere === null ? here : joined(this.#everywhere, here)
  }

  /** From now on all records carry `fields`. */
  add(fields: Bindings): void {
    this.#everywhere = joined(this.#everywhere, fields)
  }

  /** Takes back fields that were added: those of these names, or all of them. */
  clear(names: readonly string[]): void {
    const kept = Object.entries(this.#everywhere ?? {}).filter(([name]) => !names.includes(name))
    this.#everywhere = names.length === 0 || kept.length === 0 ? null : Object.fromEntries(kept)
  }

  /** Number of `run`s. */
  get entered(): number {
    return this.#entered
  }
}

function refuse(method: string, what: string, allowed: string, given: unknown): never {
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `${method}: ${what} must be ${allowed}, got ${inspect(given, { depth: 0 })}`
  )
}

/**
 * Calls `fn`; until what it began has ended, across awaits and timers, records of this logger, its parents and its children carry `fields`.
 *
 * @returns what `fn` returns
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the arguments are not an object and a function
 */
export function withContext<Result>(this: Internals, fields: Bindings, fn: () => Result): Result {
  if (typeof fields !== 'object' || fields === null) refuse('withContext', 'fields', 'an object', fields)
  if (typeof fn !== 'function') refuse('withContext', 'fn', 'a function', fn)
  const features = featuresOf(this)
  features.context ??= new LogContext()
  return features.context.run(fields, fn)
}

/**
 * From now on records of this logger, its parents and its children carry `fields`, wherever they are logged, until `clearContext`. Those of
 * `withContext` win over them.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if `fields` is no object
 */
export function addContext(this: Internals, fields: Bindings): void {
  if (typeof fields !== 'object' || fields === null) refuse('addContext', 'fields', 'an object', fields)
  const features = featuresOf(this)
  features.context ??= new LogContext()
  features.context.add(fields)
}

/** Takes back what `addContext` has added: the fields of these names, or all of them. */
export function clearContext(this: Internals, ...names: string[]): void {
  this[featuresSym]?.context?.clear(names)
}

/** The fields of the present context; an object of the caller's own, empty outside of any. */
export function context(this: Internals): Bindings {
  return { ...this[featuresSym]?.context?.present }
}
