/** Every public name of the package. `index.ts` hangs them on the callable default, the ESM facade exports them by name. */

export { defaultConfig } from './config'
export { ShardlogError } from './errors'
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
  LogEntries,
  ReadOptions,
  RecoveredArena,
  RecoverOptions,
  RecoverReport,
  SequenceRange,
  VerifyOptions,
  VerifyProgress,
  VerifyReport
} from './reader'
export { readLog, recoverLog, verifyLog } from './reader'
export type { Config, FlushMetrics, ShardStats, StatsSnapshot } from './types'
export { version } from './version'
