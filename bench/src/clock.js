'use strict'

const floor = require('./floor')

const { stamp, clock } = floor

/** Nanoseconds from an arbitrary start, as a double; costs about 25 ns and allocates nothing. */
function now() {
  stamp()
  return clock[0]
}

/** The step in which durations grow, in ns: what a single one can be off by. */
function step() {
  const durations = new Set()
  for (let i = 0; i < 20_000; i++) {
    const before = now()
    durations.add(Math.round(now() - before))
  }
  const sorted = [...durations].sort((a, b) => a - b)
  return sorted.slice(1).reduce((least, ns, i) => Math.min(least, ns - sorted[i]), Number.POSITIVE_INFINITY)
}

module.exports = { now, step, source: floor.clockSource }
