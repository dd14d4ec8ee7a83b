/**
 * What this folder adds to the loggers of `lib/pino`: options, the methods of contexts, and a stage
 * between loggers and their sink. The entries of the package load it.
 */

import { inspect } from 'node:util'
import type { CallSiteStats, TraceStats } from '../call-origin'
import { ShardlogError } from '../errors'
import {
  type MetricLabels,
  type MetricsModule,
  type MetricsRegistry,
  openMetrics,
  type Reading,
  recorderReading,
  register
} from '../metrics'
import type { Internals } from '../pino/context'
import { addPlugin, addStage } from '../pino/prototype'
import { familySym, keepsLevelSym, readingsSym, setLevelSym, streamSym, writeSym } from '../pino/symbols'
import type { Bindings } from '../pino/types'
import type { RecorderStats, SnapshotOptions } from '../recorder/recorder'
import { CircuitBreaker, type CircuitBreakerStats, targetSym } from './circuit-breaker'
import type { DedupeStats } from './dedupe'
import { Features } from './features'
import type { FeatureOptions } from './options'
import { Recording } from './recording'
import type { SamplingStats } from './sampling'

declare module '../pino/types' {
  interface PluginOptions extends FeatureOptions {}

  interface PluginMethods extends ContextMethods, RecorderMethods, MetricsMethods {}
}

declare module '../pino/context' {
  interface Family {
    [featuresSym]?: Features
    [recordingSym]?: Recording
  }

  interface Internals {
    [featuresSym]?: Features
    [recordingSym]?: Recording
  }
}

/** The features that a family of loggers uses; undefined while it uses none. */
export const featuresSym: unique symbol = Symbol('shardlog.features')

/** The recorder of a family of loggers; undefined: it has none. */
export const recordingSym: unique symbol = Symbol('shardlog.recording')

interface RecorderMethods {
  /**
   * Writes a file of what the logger's recorder holds at the call.
   *
   * @param reason becomes part of the file's name. Default 'manual'
   * @param options `drain`: takes the events out of the recorder. Default: they stay
   * @returns its path. Rejects with ShardlogError `ERR_SHARDLOG_SNAPSHOT`, `ERR_SHARDLOG_PACKAGE`;
   *   `ERR_SHARDLOG_CONFIG` if there is no recorder, or for an option that is unknown
   */
  snapshot(reason?: string, options?: SnapshotOptions): Promise<string>
}

interface MetricsMethods {
  /**
   * All counters as OpenMetrics text: of the destination or of its streams, with histograms of
   * their flushes, of features that are on, circuit breakers and the recorder.
   *
   * @param labels of all samples; those of a log have its `path`
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for labels that the format has no place for
   */
  metrics(labels?: MetricLabels): string
}

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

/** Writes a file of what the logger's recorder holds; its path. */
async function snapshot(this: Internals, reason = 'manual', options: SnapshotOptions = {}): Promise<string> {
  const recording = this[recordingSym]
  if (recording !== undefined) return recording.recorder.snapshot(reason, options)
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    'snapshot: the logger has no recorder; the option recorder gives it one'
  )
}

/** What of a logger's options its recorder looks at beside its own. */
interface RecordedOptions extends FeatureOptions {
  enabled?: boolean
  name?: string
}

/** The recorder that the options ask for; null for none. */
function recordingOf(logger: Internals, options: RecordedOptions): Recording | null {
  const { recorder, enabled, name } = options
  return recorder === undefined || enabled === false ? null : new Recording(logger, recorder, name)
}

/**
 * Puts a recorder around what a logger does with a record, once `inner` has been put behind that.
 */
function installAround(logger: Internals, recording: Recording, features: Features | undefined): void {
  const family = logger[familySym]
  addStage(logger, recording.outer(family[writeSym], features))
  family[recordingSym] = recording
  family[keepsLevelSym] = level => recording.takes(level)
  // Its methods of levels that the recorder keeps.
  logger[setLevelSym](logger.level)
}

/** Of features that are off: null. A logger and its children have the same. */
export interface LoggerStats {
  sampling: SamplingStats | null
  dedupe: DedupeStats | null
  otel: TraceStats | null
  caller: CallSiteStats | null
  /** `entered`: calls of `withContext`. */
  context: { entered: number } | null
  recorder: RecorderStats | null
  /** Those of the destination, or of its streams. */
  circuitBreakers: CircuitBreakerStats[]
}

function breakersOf(stream: unknown): CircuitBreaker[] {
  if (stream instanceof CircuitBreaker) return [stream]
  const { streams } = stream as { streams?: unknown }
  return Array.isArray(streams) ? streams.flatMap(entry => breakersOf((entry as { stream: unknown }).stream)) : []
}

/** What is counted where lines go, and on the way there. */
function readingsBehind(stream: unknown): Reading[] {
  if (stream instanceof CircuitBreaker) {
    const behind = readingsBehind(stream[targetSym])
    const path = behind.find(({ kind }) => kind === 'engine')?.path ?? null
    return [...behind, { kind: 'breaker', of: stream, path, stats: stream.stats() }]
  }
  const { streams, [readingsSym]: read } = (stream ?? {}) as { streams?: unknown; [readingsSym]?: () => Reading[] }
  if (typeof read === 'function') return read.call(stream)
  return Array.isArray(streams) ? streams.flatMap(entry => readingsBehind((entry as { stream: unknown }).stream)) : []
}

/** All that is counted of a structured logger. */
function readings(this: Internals): Reading[] {
  const behind = readingsBehind(this[streamSym])
  const path = behind.find(({ kind }) => kind === 'engine')?.path ?? null
  const recording = this[recordingSym]
  return [
    ...behind,
    { kind: 'features', of: this[familySym], path, stats: getLoggerStats(this) },
    ...(recording === undefined ? [] : [recorderReading(recording.recorder)])
  ]
}

/** All counters of a logger as OpenMetrics text, with these labels beside the log's path. */
function metrics(this: Internals, labels: MetricLabels = {}): string {
  return openMetrics(readings.call(this), labels)
}

/** What has counters: loggers, recorders, destinations with a format. */
interface Counting {
  [readingsSym]?: () => Reading[]
}

/**
 * Adds what a logger counts to a registry of prom-client, which asks for it when it is scraped.
 * What several handles share is there once.
 *
 * @param registry prom-client's registry, or its module for the default one
 * @param handle a structured logger, a `Logger`, a `Recorder`, or a destination with a format
 * @param labels of all its samples; those of a log have its `path`
 * @returns a function that takes it out of the registry's metrics
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`; what the registry throws if others have its names
 */
export function registerMetrics(
  registry: MetricsRegistry | MetricsModule,
  handle: object,
  labels: MetricLabels = {}
): () => void {
  const counting = handle as Counting | null | undefined
  const read = counting?.[readingsSym]
  if (typeof read === 'function') return register(registry, handle, () => read.call(counting), labels)
  return failOption('registerMetrics', 'the handle', 'a logger, a recorder or a destination with a format', handle)
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
    recorder: logger[recordingSym]?.recorder.stats ?? null,
    circuitBreakers: breakersOf(logger[streamSym] ?? {}).map(breaker => breaker.stats())
  }
}

addPlugin({
  options: ['sampling', 'maxEventsPerSecond', 'dedupe', 'otel', 'caller', 'recorder'],
  // The symbol is found here rather than behind the proxy at the end of the prototype chain.
  properties: {
    addContext,
    clearContext,
    context,
    withContext,
    snapshot,
    metrics,
    [readingsSym]: readings,
    [featuresSym]: undefined,
    [recordingSym]: undefined
  },
  install(logger, options) {
    const recording = recordingOf(logger, options)
    if (recording !== null) addStage(logger, recording.inner(logger[familySym][writeSym]))
    const features = made(logger, options)
    if (features.any) install(logger, features)
    if (recording !== null) installAround(logger, recording, features.any ? features : undefined)
  }
})
