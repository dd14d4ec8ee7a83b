/** The message of a record that is logged without one. */

import type { Fields, Internals } from './internals'
import { errorKeySym, messageKeySym } from './symbols'

/** That of the error that is logged, by itself or among fields; none if the fields have a message. */
export function errorMessage(logger: Internals, logged: object): unknown {
  if (logged instanceof Error) return logged.message
  const fields = logged as Fields
  if (fields[logger[messageKeySym]] !== undefined) return undefined
  const error = fields[logger[errorKeySym]] as { message?: unknown } | undefined
  return error ? error.message : undefined
}
