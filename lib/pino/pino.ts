/** The structured logger as a whole: the function that makes loggers, and what pino's users find on it. */

import type { SonicBoom } from 'sonic-boom'
import type ThreadStream from 'thread-stream'
import { createLogger } from './create'
import { destination as openDestination } from './destination'
import { levelMapping } from './levels'
import { multistream as joinStreams } from './multistream'
import { transport as openTransport } from './transport'
import type {
  AnyTransportOptions,
  DestinationStream,
  Level,
  Logger,
  LoggerOptions,
  MultiStreamOptions,
  MultiStreamRes,
  StreamEntry,
  TransportMultiOptions,
  TransportPipelineOptions,
  TransportSingleOptions
} from './types'

export { stdSerializers } from './serializers'
export { symbols } from './symbols'
export { stdTimeFunctions } from './time'

/** Numbers and names of the standard levels. */
export const levels = levelMapping(undefined, false)

/**
 * A structured logger.
 *
 * @param optionsOrStream options, or the destination
 * @param stream where lines go: a stream, the result of `destination`, `multistream` or `transport`, or a path.
 *   Default standard output
 * @throws if an option is wrong
 */
export function logger<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  optionsOrStream?: LoggerOptions<CustomLevels, UseOnlyCustomLevels> | DestinationStream | string | null,
  stream?: DestinationStream | string
): Logger<CustomLevels, UseOnlyCustomLevels> {
  return createLogger(optionsOrStream, stream) as unknown as Logger<CustomLevels, UseOnlyCustomLevels>
}

/**
 * A destination that writes to a file or descriptor.
 *
 * @param dest path, descriptor, or options with one of them as `dest`. Default standard output
 */
export function destination(dest?: number | object | string): SonicBoom {
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
