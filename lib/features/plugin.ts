/**
 * What this folder adds to the loggers of `lib/pino`: options, the methods of contexts, and a stage
 * between loggers and their sink. The entries of the package load it.
 */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import type { Internals } from '../pino/context'
import { addPlugin, addStage } from '../pino/prototype'
import { familySym, streamSym, writeSym } from '../pino/symbols'
import type { Bindings } from '../pino/types'
import { CircuitBreaker, type CircuitBreakerStats } from './circuit-breaker'
import type { DedupeStats } from './dedupe'
import { Features } from './features'
import type { FeatureOptions } from './options'
import type { CallerStats, TraceStats } from './origin'
import type { SamplingStats } from './sampling'

declare module '../pino/types' {
  interface PluginOptions extends FeatureOptions {}

  interface PluginMethods extends ContextMethods {}
}

declare module '../pino/context' {
  interface Family {
    [featuresSym]?: Features
  }

  interface Internals {
    [featuresSym]?: Features
  }
}

/** The features that a family of loggers uses; undefined while it uses none. */
export const featuresSym: unique symbol = Symbol('shardlog.features')

interface ContextMethods {
  /**
   * Calls `fn`; until what it began has ended, across awaits and timers, records of this logger,
   * its parents and its children carry `fields`. Contexts nest; inner fields win, and logged fields
   * win over both.
   *
   * @returns what `fn` returns
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the arguments are not an object and a function
   */
  withContext<Result>(fields: Bindings, fn: () => Result): Result
  /**
   * From now on records of this logger, its parents and its children carry `fields`, wherever they
   * are logged, until `clearContext`. Those of `withContext` win over them.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if `fields` is no object
   */
  addContext(fields: Bindings): void
  /** Takes back what `addContext` has added: the fields of these names, or all of them. */
  clearContext(...names: string[]): void
  /** A copy of the fields of the present context; empty outside of any. */
  context(): Bindings
}

function made(logger: Internals, options: FeatureOptions): Features {
  return new Features(logger, options, logger[familySym][writeSym])
}

function install(logger: Internals, features: Features): Features {
  logger[familySym][featuresSym] = features
  addStage(logger, features)
  return features
}

/** The features of a logger's family, which it has from now on. */
function featuresOf(logger: Internals): Features {
  return logger[featuresSym] ?? install(logger, made(logger, {}))
}

function failOption(method: string, what: string, allowed: string, given: unknown): never {
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `${method}: ${what} must be ${allowed}, got ${inspect(given, { depth: 0 })}`
  )
}

/**
 * Calls `fn`; until what it began has ended, across awaits and timers, records of this logger, its
 * parents and its children carry `fields`.
 *
 * @returns what `fn` returns
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the arguments are not an object and a function
 */
function withContext<Result>(this: Internals, fields: Bindings, fn: () => Result): Result {
  if (typeof fields !== 'object' || fields === null) failOption('withContext', 'fields', 'an object', fields)
  if (typeof fn !== 'function') failOption('withContext', 'fn', 'a function', fn)
  return featuresOf(this).ownContext().run(fields, fn)
}

/**
 * From now on records of this logger, its parents and its children carry `fields`, wherever they
 * are logged, until `clearContext`. Those of `withContext` win over them.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if `fields` is no object
 */
function addContext(this: Internals, fields: Bindings): void {
  if (typeof fields !== 'object' || fields === null) failOption('addContext', 'fields', 'an object', fields)
  featuresOf(this).ownContext().add(fields)
}

/** Takes back what `addContext` has added: the fields of these names, or all of them. */
function clearContext(this: Internals, ...names: string[]): void {
  this[featuresSym]?.context?.clear(names)
}

/** The fields of the present context; an object of the caller's own, empty outside of any. */
function context(this: Internals): Bindings {
  return { ...this[featuresSym]?.context?.present }
}

/** Of features that are off: null. A logger and its children have the same. */
export interface LoggerStats {
  sampling: SamplingStats | null
  dedupe: DedupeStats | null
  otel: TraceStats | null
  caller: CallerStats | null
  /** `entered`: calls of `withContext`. */
  context: { entered: number } | null
  /** Those of the destination, or of its streams. */
  circuitBreakers: CircuitBreakerStats[]
}

function breakersOf(stream: unknown): CircuitBreaker[] {
  if (stream instanceof CircuitBreaker) return [stream]
  const { streams } = stream as { streams?: unknown }
  return Array.isArray(streams) ? streams.flatMap(entry => breakersOf((entry as { stream: unknown }).stream)) : []
}

/** @param log a structured logger of this package */
export function getLoggerStats(log: object): LoggerStats {
  const logger = log as Internals
  const features = logger[featuresSym]
  return {
    sampling: features?.sampler?.stats() ?? null,
    dedupe: features?.deduplicator?.stats() ?? null,
    otel: features?.trace?.stats() ?? null,
    caller: features?.caller?.stats() ?? null,
    context: features?.context ? { entered: features.context.entered } : null,
    circuitBreakers: breakersOf(logger[streamSym] ?? {}).map(breaker => breaker.stats())
  }
}

addPlugin({
  options: ['sampling', 'maxEventsPerSecond', 'dedupe', 'otel', 'caller'],
  // The symbol is found here rather than behind the proxy at the end of the prototype chain.
  properties: { addContext, clearContext, context, withContext, [featuresSym]: undefined },
  install(logger, options) {
    const features = made(logger, options)
    if (features.any) install(logger, features)
  }
})
