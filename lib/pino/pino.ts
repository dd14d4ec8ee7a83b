/** The structured logger as the modules of this package use it: the typed function, and its statics. */

import { createLogger } from './create'
import type { DestinationStream, Logger, LoggerOptions } from './types'

export * from './statics'
export type { Logger, LoggerOptions } from './types'

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

/** As `logger`, but by default a call's last argument does not join the line, as in pino: see the option `trailingFields`. */
export const loggerInPinosPlace: typeof logger = (optionsOrStream, stream) =>
  createLogger(optionsOrStream, stream, { trailingFields: false }) as never
