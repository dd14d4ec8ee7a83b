/**
 * Loggers behind a proxy: a tool's that puts a property of its own in the place of one of the logger's, or an application's that stands for
 * another logger in each request. What such a logger has may be otherwise at each call, so that nothing is kept of it.
 */

import { types } from 'node:util'
import type { Internals } from './internals'
import { NO_PLAN, planSym } from './line-plan'
import { shadowed } from './state-access'

const behindProxy: PropertyDescriptorMap = { [planSym]: { get: () => NO_PLAN, set: () => {} } }

/** An object for a child of a logger behind a proxy: it and its children have no plan, and are told by that. */
export function childBehindProxy(parent: Internals): object {
  return Object.create(parent, behindProxy)
}

/** Whether a proxy answers for `logger`, or for one that it descends from. */
export function isProxied(logger: Internals): boolean {
  const plan = logger[planSym]
  // What has a plan of its own is no proxy, and need not be looked at.
  if (plan?.isOf(logger)) return false
  return plan === NO_PLAN || types.isProxy(logger)
}

/**
 * `logger` as it is to be read. The proxy answers to pino's symbols, which do not hold the state here: what it says is put where the state is
 * looked for, on an object that inherits all else from it.
 */
export function viewOf(logger: Internals): Internals {
  if (!isProxied(logger) || !types.isProxy(logger)) return logger
  const answers = shadowed(logger)
  return answers === null ? logger : (Object.create(logger, answers) as Internals)
}
