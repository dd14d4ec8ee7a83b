/**
 * Loggers behind a proxy: a tool's that puts a property of its own in the place of one of the logger's, or an application's that stands for
 * another logger in each request. What such a logger has may be otherwise at each call, so that nothing is kept of it.
 */

import { types } from 'node:util'
import type { Internals } from './internals'
import { planSym } from './line-plan'
import { shadowed } from './state-access'

/** On children of a logger behind a proxy, which inherit from it, and on theirs. */
export const behindProxySym: unique symbol = Symbol('shardlog.behindProxy')

/** An object for such a child. It has no plan, and does not look for one behind the proxy. */
export function childBehindProxy(parent: Internals): object {
  return Object.create(parent, { [behindProxySym]: { value: true }, [planSym]: { value: null, writable: true } })
}

/** Whether a proxy answers for `logger`, or for one that it descends from. */
export function isProxied(logger: Internals): boolean {
  return logger[behindProxySym] === true || types.isProxy(logger)
}

/**
 * `logger` as it is to be read. The proxy answers to pino's symbols, which do not hold the state here: what it says is put where the state is
 * looked for, on an object that inherits all else from it.
 */
export function viewOf(logger: Internals): Internals {
  if (!types.isProxy(logger)) return logger
  const answers = shadowed(logger)
  return answers === null ? logger : (Object.create(logger, answers) as Internals)
}
