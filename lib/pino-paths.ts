/**
 * What modules of pino that are no part of its API hold, for the packages that import them by path
 * (`pino/lib/tools`): the parts that do the same here. `scripts/pino-paths.js` puts each at its
 * path.
 */

import { version } from './own-place'
import type { Internals, Stringify } from './pino/context'
import { openDestination, pathOrDescriptor } from './pino/destination'
import { tracedAsJson } from './pino/json-line'
import { redactionState, stringify } from './pino/json-text'
import {
  assertDefaultLevel,
  assertNoCollision,
  cacheLineStarts,
  getLevel,
  isLevelEnabled,
  levelComparison,
  levelMapping,
  STANDARD_LEVELS,
  setLevel
} from './pino/levels'
import { boundWith, loggerPrototype } from './pino/prototype'
import { stringifiersSym } from './pino/symbols'
import type { Bindings } from './pino/types'

const noop = (): void => {}

/** `pino/lib/tools` */
export const tools = {
  noop,
  asJson: tracedAsJson,
  asChindings: (logger: Internals, bindings: Bindings): string => boundWith(logger, bindings).text,
  buildSafeSonicBoom: openDestination,
  normalizeDestFileDescriptor: pathOrDescriptor,
  stringify
}

/** `pino/lib/levels` */
export const levels = {
  assertDefaultLevelFound: assertDefaultLevel,
  assertNoLevelCollisions: assertNoCollision,
  genLevelComparison: levelComparison,
  genLsCache: cacheLineStarts,
  getLevel,
  isLevelEnabled,
  mappings: (custom: Record<string, number> | null = null, only = false) => levelMapping(custom, only),
  setLevel
}

/** `pino/lib/constants` */
export const constants = {
  DEFAULT_LEVELS: STANDARD_LEVELS,
  SORTING_ORDER: { ASC: 'ASC', DESC: 'DESC' }
} as const

/** `pino/lib/meta` */
export const meta = { version }

/** `pino/lib/proto` */
export const proto = loggerPrototype

/** `pino/lib/redaction`: the stringifiers of the option `redact`. */
export function redaction(options: unknown, serialize: Stringify): object {
  return redactionState(options, serialize)[stringifiersSym]
}
