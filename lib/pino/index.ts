import { loggerInPinosPlace as logger } from './pino'
import * as impl from './statics'
import type * as types from './types'

/**
 * A structured logger, under pino's names: `import pino from 'shardlog/pino'` stands in for `import pino from 'pino'`, types
 * included.
 *
 * @throws if an option is wrong
 */
function pino<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  optionsOrStream?: types.LoggerOptions<CustomLevels, UseOnlyCustomLevels> | types.DestinationStream
): types.Logger<CustomLevels, UseOnlyCustomLevels>
function pino<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  options: types.LoggerOptions<CustomLevels, UseOnlyCustomLevels>,
  stream?: types.DestinationStream | undefined
): types.Logger<CustomLevels, UseOnlyCustomLevels>
function pino(first?: object, second?: types.DestinationStream): object {
  return logger(first as types.DestinationStream, second)
}

const self = pino

namespace pino {
  export import destination = impl.destination
  export import levels = impl.levels
  export import multistream = impl.multistream
  export import stdSerializers = impl.stdSerializers
  export import stdTimeFunctions = impl.stdTimeFunctions
  export import symbols = impl.symbols
  export import transport = impl.transport
  export import version = impl.version
  /** The function itself, for code that imports `{ pino }`. */
  export const pino: typeof self = self

  export type BaseLogger = types.BaseLogger
  export type Bindings = types.Bindings
  export type ChildLoggerOptions<CustomLevels extends string = never> = types.ChildLoggerOptions<CustomLevels>
  export type DestinationStream = types.DestinationStream
  export type DestinationStreamWithMetadata = types.DestinationStreamWithMetadata
  export type Level = types.Level
  export type LevelChangeEventListener<
    CustomLevels extends string = never,
    UseOnlyCustomLevels extends boolean = boolean
  > = types.LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>
  export type LevelMapping = types.LevelMapping
  export type LevelOrString = types.LevelOrString
  export type LevelWithSilent = types.LevelWithSilent
  export type LevelWithSilentOrString = types.LevelWithSilentOrString
  export type LogDescriptor = types.LogDescriptor
  export type LogEvent = types.LogEvent
  export type LogFn = types.LogFn
  /** Augment it to say which fields log calls must or must not carry. */
  // biome-ignore lint/suspicious/noEmptyInterface: it exists to be augmented
  export interface LogFnFields {}
  export type Logger<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean> = types.Logger<
    CustomLevels,
    UseOnlyCustomLevels
  >
  export type LoggerExtras<
    CustomLevels extends string = never,
    UseOnlyCustomLevels extends boolean = boolean
  > = types.LoggerExtras<CustomLevels, UseOnlyCustomLevels>
  export type LoggerOptions<
    CustomLevels extends string = never,
    UseOnlyCustomLevels extends boolean = boolean
  > = types.LoggerOptions<CustomLevels, UseOnlyCustomLevels>
  export type MultiStreamOptions = types.MultiStreamOptions
  export type MultiStreamRes<TOriginLevel = Level> = types.MultiStreamRes<TOriginLevel>
  export type redactOptions = types.redactOptions
  export type SerializedError = types.SerializedError
  export type SerializedRequest = types.SerializedRequest
  export type SerializedResponse = types.SerializedResponse
  export type SerializerFn = types.SerializerFn
  export type StreamEntry<TLevel = Level> = types.StreamEntry<TLevel>
  export type TransportBaseOptions<Options = types.AnyTransportOptions> = types.TransportBaseOptions<Options>
  export type TransportMultiOptions<Options = types.AnyTransportOptions> = types.TransportMultiOptions<Options>
  export type TransportPipelineOptions<Options = types.AnyTransportOptions> = types.TransportPipelineOptions<Options>
  export type TransportSingleOptions<Options = types.AnyTransportOptions> = types.TransportSingleOptions<Options>
  export type TransportTargetOptions<Options = types.AnyTransportOptions> = types.TransportTargetOptions<Options>
  export type WriteFn = types.WriteFn
}

// Compiled modules that know no `export =` look for it.
Object.assign(pino, { default: pino })

export = pino
