/** Every public name of the package. `index.ts` hangs them on the callable default, the ESM facade exports them by name. */

export { defaultConfig } from './config'
export { ShardlogError } from './errors'
export type { SamplingStats } from './features/adaptive-sampler'
export type { CallerStats } from './features/caller-info'
export type { CircuitBreakerOptions, CircuitBreakerStats } from './features/circuit-breaker'
export { CircuitBreaker, circuitBreaker } from './features/circuit-breaker'
export type { CircuitStateName } from './features/circuit-state'
export type { DedupeStats } from './features/deduplicator'
export type { LoggerStats } from './features/logger-stats'
export { getLoggerStats } from './features/logger-stats'
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
export type { TraceStats } from './features/trace-context'
export { Logger } from './logger'
export { destination, levels, multistream, stdSerializers, stdTimeFunctions, symbols, transport } from './pino/statics'
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
  LogFn,
  Logger as StructuredLogger,
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
export type { Config, FlushMetrics, ShardStats, StatsSnapshot } from './types'
export { version } from './version'
