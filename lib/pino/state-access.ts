/** A logger's state by pino's symbols, for integrations that read or replace it. */

import { stateSymbols } from './symbols'

/** Grows when state is replaced from outside: what was derived from it is out of date then. */
export const stateChanges = { count: 0 }

function accessor(inner: symbol): PropertyDescriptor {
  return {
    get(this: Record<symbol, unknown>) {
      return this[inner]
    },
    set(this: Record<symbol, unknown>, value: unknown) {
      stateChanges.count++
      this[inner] = value
    }
  }
}

/** For the prototype behind all loggers. */
export const stateAccessors: PropertyDescriptorMap = Object.fromEntries(
  stateSymbols.map(([outer, inner]) => [outer, accessor(inner)])
)
