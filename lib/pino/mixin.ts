/** The option `mixin`: fields added to each record. */

import type { Internals } from './internals'
import { mixinMergeStrategySym } from './symbols'

/** The mixin's result takes in the logged fields, which thereby win. */
function loggedFieldsWin(fields: object, mixed: object): object {
  return Object.assign(mixed, fields)
}

/** The fields of a record joined with those of the mixin. */
export function mixIn(logger: Internals, mixin: NonNullable<MixinOf>, fields: object, level: number): object {
  const merge = logger[mixinMergeStrategySym] ?? loggedFieldsWin
  return merge(fields, mixin(fields, level, logger))
}

type MixinOf = Internals[typeof import('./symbols').mixinSym]
