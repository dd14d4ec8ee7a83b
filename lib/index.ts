import { logger } from './pino/pino'

import names = require('./public')

/**
 * A structured logger: pino's call, options and output.
 *
 * @param optionsOrStream options, or the destination
 * @returns the logger
 * @throws if an option is wrong
 */
function shardlog<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  optionsOrStream?: names.LoggerOptions<CustomLevels, UseOnlyCustomLevels> | names.DestinationStream | string | null
): names.StructuredLogger<CustomLevels, UseOnlyCustomLevels>
/**
 * A structured logger: pino's call, options and output.
 *
 * @param options the options, null for none
 * @param stream where lines go: a stream, the result of `destination`, `multistream` or `transport`, or a path.
 *   Default standard output
 * @throws if an option is wrong
 */
function shardlog<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  options: names.LoggerOptions<CustomLevels, UseOnlyCustomLevels> | null | undefined,
  stream?: names.DestinationStream | string
): names.StructuredLogger<CustomLevels, UseOnlyCustomLevels>
function shardlog(first?: object | string | null, second?: names.DestinationStream | string): object {
  return logger(first as names.DestinationStream, second)
}

// One function with every public name as a property, so that `require('shardlog')` can be called and `import shardlog, {
// Logger } from 'shardlog'` means the same in both module systems.
namespace shardlog {
  export import CircuitBreaker = names.CircuitBreaker
  export import Logger = names.Logger
  export import ShardlogError = names.ShardlogError
  export import captureErrors = names.captureErrors
  export import circuitBreaker = names.circuitBreaker
  export import defaultConfig = names.defaultConfig
  export import destination = names.destination
  export import exception = names.exception
  export import getLoggerStats = names.getLoggerStats
  export import levels = names.levels
  export import logCalls = names.logCalls
  export import logPerformance = names.logPerformance
  export import multistream = names.multistream
  export import operation = names.operation
  export import performanceIssue = names.performanceIssue
  export import readLog = names.readLog
  export import recoverLog = names.recoverLog
  export import stateChange = names.stateChange
  export import stdSerializers = names.stdSerializers
  export import stdTimeFunctions = names.stdTimeFunctions
  export import symbols = names.symbols
  export import transport = names.transport
  export import verifyLog = names.verifyLog
  export import version = names.version

  /** The function itself, for code that imports `{ pino }` or `{ shardlog }`. */
  export const pino: typeof shardlog = shardlog

  export type BaseLogger = names.BaseLogger
  export type Bindings = names.Bindings
  export type BlockInfo = names.BlockInfo
  export type CallerOptions = names.CallerOptions
  export type ChildLoggerOptions<CustomLevels extends string = never> = names.ChildLoggerOptions<CustomLevels>
  export type CircuitBreakerOptions = names.CircuitBreakerOptions
  export type CircuitBreakerStats = names.CircuitBreakerStats
  export type Config = names.Config
  export type Damage = names.Damage
  export type DamageKind = names.DamageKind
  export type DedupeOptions = names.DedupeOptions
  export type DestinationStream = names.DestinationStream
  export type DestinationStreamWithMetadata = names.DestinationStreamWithMetadata
  export type Entry = names.Entry
  export type FeatureOptions = names.FeatureOptions
  export type FlushMetrics = names.FlushMetrics
  export type FormatChoice = names.FormatChoice
  export type Level = names.Level
  export type LevelMapping = names.LevelMapping
  export type LevelOrString = names.LevelOrString
  export type LevelWithSilent = names.LevelWithSilent
  export type LevelWithSilentOrString = names.LevelWithSilentOrString
  export type LogDescriptor = names.LogDescriptor
  export type LogEntries = names.LogEntries
  export type LogFn = names.LogFn
  export type LogFormat = names.LogFormat
  /** Augment it to say which fields log calls must or must not carry. */
  // biome-ignore lint/suspicious/noEmptyInterface: it exists to be augmented
  export interface LogFnFields {}
  export type LoggerOptions<
    CustomLevels extends string = never,
    UseOnlyCustomLevels extends boolean = boolean
  > = names.LoggerOptions<CustomLevels, UseOnlyCustomLevels>
  export type LoggerStats = names.LoggerStats
  export type MultiStreamOptions = names.MultiStreamOptions
  export type MultiStreamRes<TOriginLevel = names.Level> = names.MultiStreamRes<TOriginLevel>
  export type OtelOptions = names.OtelOptions
  export type ReadOptions = names.ReadOptions
  export type RecoveredArena = names.RecoveredArena
  export type RecoverOptions = names.RecoverOptions
  export type RecoverReport = names.RecoverReport
  export type SamplingOptions = names.SamplingOptions
  export type SequenceRange = names.SequenceRange
  export type SerializerFn = names.SerializerFn
  export type ShardStats = names.ShardStats
  export type StatsSnapshot = names.StatsSnapshot
  export type StreamEntry<TLevel = names.Level> = names.StreamEntry<TLevel>
  export type StructuredLogger<
    CustomLevels extends string = never,
    UseOnlyCustomLevels extends boolean = boolean
  > = names.StructuredLogger<CustomLevels, UseOnlyCustomLevels>
  export type TransportMultiOptions = names.TransportMultiOptions
  export type TransportPipelineOptions = names.TransportPipelineOptions
  export type TransportSingleOptions = names.TransportSingleOptions
  export type VerifyOptions = names.VerifyOptions
  export type VerifyProgress = names.VerifyProgress
  export type VerifyReport = names.VerifyReport
  export type WaitingReport = names.WaitingReport
}

// Compiled modules that know no `export =` look for it; pino has it too.
Object.assign(shardlog, { default: shardlog, shardlog })

export = shardlog
