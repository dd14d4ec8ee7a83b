/**
 * Every public name of `shardlog/pino`: pino's. `scripts/public-surface.js` makes both module
 * systems' surfaces of this list.
 */

import type { SonicBoom, SonicBoomOpts } from 'sonic-boom'
import { destination as openDestination } from './destination'
import { levelMapping } from './levels'
import { multistream as joinStreams } from './multistream'
import type { RecordDestination, RecordDestinationOptions } from './record-destination'
import { transport as openTransport } from './transport'
import type {
  AnyTransportOptions,
  DestinationStream,
  Level,
  MultiStreamOptions,
  MultiStreamRes,
  StreamEntry,
  TransportMultiOptions,
  TransportPipelineOptions,
  TransportSingleOptions
} from './types'

import type ThreadStream = require('thread-stream')

// Gives loggers what they have beyond pino's, and their types.
import '../features/plugin'

export { version } from '../own-place'
export { stdSerializers } from './fields'
export { stdTimeFunctions } from './json-line'
export { symbols } from './symbols'

/** Numbers and names of the standard levels. */
export const levels = levelMapping(undefined, false)

/** The names of the engine's options, none of which pino's stream has. */
type NotOfTheEngine = { [Name in Exclude<keyof RecordDestinationOptions, 'dest'>]?: undefined }

/**
 * Options of pino's stream: for a path, or for a descriptor with options that only that stream has.
 */
type StreamDestinationOptions = Omit<SonicBoomOpts, 'dest'> & NotOfTheEngine & { dest?: string | number | URL }

/** Options of a descriptor by way of the engine. */
interface DescriptorDestinationOptions extends Omit<RecordDestinationOptions, 'dest' | 'format'> {
  /** Default standard output. */
  dest?: number
  format?: 'ndjson' | undefined
}

/**
 * A destination that writes to a file or descriptor.
 *
 * @param dest path, file: URL, descriptor, or options with one of them as `dest`, default standard
 *   output; with a `format`, a destination whose lines are made off the caller's thread and that a
 *   kill cannot take anything from
 * @throws ShardlogError as `Logger` does, with a `format`
 */
export function destination(options: RecordDestinationOptions): RecordDestination
export function destination(
  dest?: number | string | URL | StreamDestinationOptions | DescriptorDestinationOptions | DestinationStream
): SonicBoom
export function destination(dest?: unknown): SonicBoom | RecordDestination {
  return openDestination(dest)
}

/**
 * A destination that hands lines to a worker thread, where a transport's module sends them on.
 *
 * @throws if a target cannot be found
 */
export function transport<TransportOptions = AnyTransportOptions>(
  options:
    | TransportSingleOptions<TransportOptions>
    | TransportMultiOptions<TransportOptions>
    | TransportPipelineOptions<TransportOptions>
): ThreadStream {
  return openTransport(options)
}

/** A destination that writes to several, each from its level on. */
export function multistream<TLevel = Level>(
  streamsArray?: (DestinationStream | StreamEntry<TLevel>)[] | DestinationStream | StreamEntry<TLevel>,
  options?: MultiStreamOptions
): MultiStreamRes<TLevel> {
  return joinStreams(streamsArray, options) as unknown as MultiStreamRes<TLevel>
}

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
  LogFn,
  Logger,
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
} from './types'
