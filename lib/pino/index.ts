import { loggerInPinosPlace as logger } from './logger'
import * as names from './public'

/**
 * A structured logger, under pino's names: `import pino from 'shardlog/pino'` stands in for `import
 * pino from 'pino'`, types included.
 *
 * @param optionsOrStream options, or the destination
 * @throws if an option is wrong
 */
function pino<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  optionsOrStream?: names.LoggerOptions<CustomLevels, UseOnlyCustomLevels> | names.DestinationStream
): names.Logger<CustomLevels, UseOnlyCustomLevels>
/**
 * A structured logger, under pino's names.
 *
 * @param options the options
 * @param stream where lines go; default standard output
 * @throws if an option is wrong
 */
function pino<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  options: names.LoggerOptions<CustomLevels, UseOnlyCustomLevels>,
  stream?: names.DestinationStream | undefined
): names.Logger<CustomLevels, UseOnlyCustomLevels>
function pino(first?: object, second?: names.DestinationStream): object {
  return logger(first as names.DestinationStream, second)
}

namespace pino {
  /** Augment it to say which fields log calls must or must not carry. */
  // biome-ignore lint/suspicious/noEmptyInterface: it exists to be augmented
  export interface LogFnFields {}
}

// The names of public.ts are properties of the function; its declarations get them when they are
// written.
Object.assign(pino, names, { default: pino, pino })

export = pino
