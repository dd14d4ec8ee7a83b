/**
 * Every public name of the package: `scripts/public-surface.js` makes both module systems' surfaces
 * of this list.
 */

import { Logger as RawLogger } from './logger'
import type { Logger as LoggerType } from './pino/logger'

export type { Appender, AppenderContext, AppenderKind, AppenderStats } from './appenders/kinds'
export type { ConfigureOptions, Logging } from './appenders/logging'
export type { ConfigProblem, ConfigurationError } from './appenders/source'
export type { CallSiteStats as CallerStats } from './call-origin'
export { defaultConfig } from './config'
export { configure } from './configure'
export { ShardlogError } from './errors'
export type { CircuitBreakerOptions, CircuitBreakerStats, CircuitStateName } from './features/circuit-breaker'
export { CircuitBreaker, circuitBreaker } from './features/circuit-breaker'
export type { DedupeStats } from './features/dedupe'
export type { LoggerOf, PerformanceOptions } from './features/operations'
export {
  captureErrors,
  exception,
  logCalls,
  logPerformance,
  operation,
  performanceIssue,
  stateChange
} from './features/operations'
export type { CallerOptions, DedupeOptions, FeatureOptions, OtelOptions, SamplingOptions } from './features/options'
export type { LoggerStats } from './features/plugin'
export { getLoggerStats, registerMetrics } from './features/plugin'
export type { SamplingStats } from './features/sampling'
export { Recorder, readSnapshot } from './flight-recorder'
export type { MetricLabels, MetricsModule, MetricsRegistry } from './metrics'
export { RawLogger }

/**
 * The raw engine's logger, for lines and bytes that are made already:
 * `new Logger({ logFilePath })`. Its type is `RawLogger`.
 */
export const Logger: typeof RawLogger = RawLogger
/** The type of a structured logger; pino's, where the package is installed under its name. */
export type Logger<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean> = LoggerType<
  CustomLevels,
  UseOnlyCustomLevels
>

export type { TraceStats } from './call-origin'
export { version } from './own-place'
export type { LogFn, StructuredLogger } from './pino/logger'
export { destination, levels, multistream, stdSerializers, stdTimeFunctions, symbols, transport } from './pino/public'
export type { RecordDestination, RecordDestinationOptions } from './pino/record-destination'
export type {
  BaseLogger,
  Bindings,
  ChildLoggerOptions,
  DestinationStream,
  DestinationStreamWithMetadata,
  Level,
  LevelChangeEventListener,
  LevelMapping,
  LevelOrString,
  LevelWithSilent,
  LevelWithSilentOrString,
  LogDescriptor,
  LogEvent,
  Logger as PinoLogger,
  LoggerExtras,
  LoggerOptions,
  MultiStreamOptions,
  MultiStreamRes,
  redactOptions,
  SerializedError,
  SerializedRequest,
  SerializedResponse,
  SerializerFn,
  StreamEntry,
  TransportBaseOptions,
  TransportMultiOptions,
  TransportPipelineOptions,
  TransportSingleOptions,
  TransportTargetOptions,
  WriteFn
} from './pino/types'
export type {
  BlockInfo,
  Damage,
  DamageKind,
  Entry,
  FormatChoice,
  LogEntries,
  LogFormat,
  ReadOptions,
  RecoveredArena,
  RecoverOptions,
  RecoverReport,
  SequenceRange,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
  WaitingReport
} from './reader'
export { readLog, recoverLog, verifyLog } from './reader'
export type { CaptureOptions } from './recorder/capture'
export type { RecordedEvent } from './recorder/decode'
export type { EventBuilder, EventDraft, EventFields } from './recorder/events'
export type { RecorderOptions, RetentionOptions } from './recorder/options'
export type { RecorderStats, SnapshotOptions } from './recorder/recorder'
export type { Snapshot, SnapshotCounters } from './recorder/snapshot'
export type { S3Options, UploadHook } from './recorder/upload'
export type { UploadInfo } from './recorder/upload-mark'
export type { Config, FlushBucket, FlushMetrics, ShardStats, StatsSnapshot } from './types'
