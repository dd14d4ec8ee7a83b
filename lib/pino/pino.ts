/** The structured logger as the modules of this package use it: the typed function, and its statics. */

import { createLogger } from './create'
import type { StructuredLogger } from './structured-logger'
import type { DestinationStream, LoggerOptions } from './types'

export * from './statics'
export type { StructuredLogger as Logger } from './structured-logger'
export type { LoggerOptions } from './types'

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
): StructuredLogger<CustomLevels, UseOnlyCustomLevels> {
  return createLogger(optionsOrStream, stream) as unknown as StructuredLogger<CustomLevels, UseOnlyCustomLevels>
}

/** As `logger`, but by default a call's last argument does not join the line, as in pino: see the option `trailingFields`. */
export const loggerInPinosPlace: typeof logger = (optionsOrStream, stream) =>
  createLogger(optionsOrStream, stream, { trailingFields: false }) as never
