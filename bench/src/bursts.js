'use strict'

const { now } = require('./clock')
const { median, mean } = require('./numbers')

const BURST = 1000
/** However slow a sink is, that many are measured. */
const LEAST_BURSTS = 10

/** For how long bursts are measured, the waits between them included, in ns. */
const burstTime = quick => (quick ? 0.3e9 : 1.5e9)

/**
 * ns per call of one burst, and the last call's result. `from` numbers its first call, for the
 * loops that number theirs.
 */
function timeBurst(loop, target, value, from = 0) {
  const start = now()
  const last = loop(target, value, BURST, from)
  return { ns: (now() - start) / BURST, last }
}

/**
 * ns per call of bursts of a logger that writes on its own, with a wait between them until it has.
 */
async function peerBursts({ target, settle }, loop, value, quick) {
  const samples = []
  const warmup = quick ? 30 : 100
  const deadline = now() + burstTime(quick)
  for (let i = 0; now() < deadline || samples.length < LEAST_BURSTS; i++) {
    const { ns, last } = timeBurst(loop, target, value, i * BURST)
    if (i >= warmup) samples.push(ns)
    await settle(last)
  }
  return samples
}

const summary = samples => ({ median: median(samples), mean: mean(samples), least: Math.min(...samples) })

module.exports = { BURST, LEAST_BURSTS, burstTime, timeBurst, peerBursts, summary }
