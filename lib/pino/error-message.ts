/** The message of a record that is logged without one. */

import type { Fields, Internals } from './internals'
import { errorKeySym, messageKeySym } from './symbols'

/** That of its error, if it has one; none if the fields have one. */
export function errorMessage(logger: Internals, fields: Fields): unknown {
  if (fields[logger[messageKeySym]] !== undefined) return undefined
  const error = fields[logger[errorKeySym]] as { message?: unknown } | undefined
  return error ? error.message : undefined
}
