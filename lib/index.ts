import { logger } from './pino/logger'

import * as names from './public'

/**
 * A structured logger: pino's call, options and output.
 *
 * @param optionsOrStream options, or the destination
 * @returns the logger
 * @throws if an option is wrong
 */
function shardlog<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  optionsOrStream?: names.LoggerOptions<CustomLevels, UseOnlyCustomLevels> | names.DestinationStream | string | null
): names.Logger<CustomLevels, UseOnlyCustomLevels>
/**
 * A structured logger: pino's call, options and output.
 *
 * @param options the options, null for none
 * @param stream where lines go: a stream, the result of `destination`, `multistream` or
 *   `transport`, or a path. Default standard output
 * @throws if an option is wrong
 */
function shardlog<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  options: names.LoggerOptions<CustomLevels, UseOnlyCustomLevels> | null | undefined,
  stream?: names.DestinationStream | string
): names.Logger<CustomLevels, UseOnlyCustomLevels>
function shardlog(first?: object | string | null, second?: names.DestinationStream | string): object {
  return logger(first as names.DestinationStream, second)
}

namespace shardlog {
  /** Augment it to say which fields log calls must or must not carry. */
  // biome-ignore lint/suspicious/noEmptyInterface: it exists to be augmented
  export interface LogFnFields {}
}

// One function with every public name as a property, so that `require('shardlog')` can be called
// and `import shardlog, { Logger } from 'shardlog'` means the same in both module systems. Its
// declarations get the names when they are written.
Object.assign(shardlog, names, { default: shardlog, pino: shardlog, shardlog })

export = shardlog
