/** Keys that a logger's bindings have already: no line has one twice for what features add. */

import type { Internals } from '../pino/internals'
import { chindingsSym } from '../pino/symbols'

type Fields = Record<string, unknown>

interface Unbound {
  bindings: string
  logger: Internals
}

const unbound = new WeakMap<Internals, Unbound>()

function bindingsOf(logger: Internals): Fields {
  return JSON.parse(`{${logger[chindingsSym].slice(1)}}`) as Fields
}

/** Whether a binding has the key; of what is nested in one the text alone cannot tell. */
function isBound(logger: Internals, key: string): boolean {
  const mayBe = logger[chindingsSym].includes(`${JSON.stringify(key)}:`)
  return mayBe && Object.hasOwn(bindingsOf(logger), key)
}

/** The fields without those that are bound: the binding is the logger's own. */
export function withoutBound<Added extends object | null>(logger: Internals, added: Added): Added {
  if (added === null || logger[chindingsSym] === '') return added
  const bound = Object.keys(added).filter(key => isBound(logger, key))
  if (bound.length === 0) return added
  return Object.fromEntries(Object.entries(added).filter(([key]) => !bound.includes(key))) as Added
}

/** The logger, or one without its binding of `key`. */
export function withoutBinding(logger: Internals, key: string): Internals {
  const bindings = logger[chindingsSym]
  const known = unbound.get(logger)
  if (known?.bindings === bindings) return known.logger
  if (!isBound(logger, key)) return logger
  const made = Object.create(logger) as Internals
  const rest = Object.entries(bindingsOf(logger)).filter(([name]) => name !== key)
  made[chindingsSym] = rest.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`).join('')
  unbound.set(logger, { bindings, logger: made })
  return made
}
