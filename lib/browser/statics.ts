/** What the function for browsers carries, as far as it makes sense there. */

import type { LevelMapping } from '../pino/types'

/** Numbers and names of the standard levels. */
export const levels: LevelMapping = {
  values: { fatal: 60, error: 50, warn: 40, info: 30, debug: 20, trace: 10 },
  labels: { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
}

/** An error as an object: the console of a service that gets it has no use for the error itself. */
function errorFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = { type: error.constructor.name, msg: error.message, stack: error.stack }
  const all = error as unknown as Record<string, unknown>
  for (const key in all) fields[key] ??= all[key]
  return fields
}

const nothing = (): object => ({})
const same = <Value>(value: Value): Value => value

/** Requests and responses are of Node.js; their serializers are here so that options can be shared. */
export const stdSerializers = {
  mapHttpRequest: nothing,
  mapHttpResponse: nothing,
  wrapRequestSerializer: same,
  wrapResponseSerializer: same,
  wrapErrorSerializer: same,
  req: nothing,
  res: nothing,
  err: errorFields,
  errWithCause: errorFields
}

/** Values of the time in objects; not text, as in Node.js. */
export const stdTimeFunctions = {
  nullTime: (): false => false,
  epochTime: (): number => Date.now(),
  unixTime: (): number => Math.round(Date.now() / 1000),
  isoTime: (): string => new Date(Date.now()).toISOString()
}
