/**
 * The timers and clocks that this package works by: Node's own, whatever a test framework puts in
 * their place before or after this module is loaded. A logger whose flusher waited for a fake clock
 * would never write. (The time that a line carries is `Date`'s, as pino's is, faked or not.)
 */

import * as timers from 'node:timers'

/**
 * `present`, or what it stands in for: a function of @sinonjs/fake-timers, on which those of Jest,
 * Vitest and Sinon are built, knows its clock, which keeps what it replaced under `_name`. A
 * framework puts them into `node:timers` too.
 */
function own<Timer extends (...args: never[]) => unknown>(present: Timer, name: string): Timer {
  const { clock } = present as { clock?: Record<string, unknown> }
  const kept = clock?.[`_${name}`]
  return typeof kept === 'function' ? (kept as Timer) : present
}

export const setTimeout: typeof timers.setTimeout = own(timers.setTimeout, 'setTimeout')
export const clearTimeout: typeof timers.clearTimeout = own(timers.clearTimeout, 'clearTimeout')
export const setImmediate: typeof timers.setImmediate = own(timers.setImmediate, 'setImmediate')
export const nextTick: typeof process.nextTick = own(process.nextTick, 'nextTick')

const hrtime = own(process.hrtime, 'hrtime')

export const performance = {
  /**
   * Milliseconds of the monotonic clock. Not that of `node:perf_hooks`, which takes milliseconds to
   * load.
   */
  now: (): number => {
    const [seconds, nanoseconds] = hrtime()
    return seconds * 1e3 + nanoseconds / 1e6
  }
}
