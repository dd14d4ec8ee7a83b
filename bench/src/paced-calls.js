'use strict'

/** Single calls at a rate, timed one by one: what the scenarios of latency share. */
const { setImmediate: tick } = require('node:timers/promises')
const hdr = require('hdr-histogram-js')
const { now } = require('./clock')
const { clock, stamp } = require('./floor')
const { paced, repeatCall } = require('./loops')
const { medianOf, format } = require('./numbers')
const { percentileCurves, histogramAreas } = require('./report/charts')

const PERCENTILES = { p50: 50, p90: 90, p99: 99, 'p99.9': 99.9, 'p99.99': 99.99, max: 100 }
/**
 * The event loop runs this often, for the loggers that write from it; shardlog's flusher needs no
 * turn.
 */
const SLICES_PER_SECOND = 1000
/**
 * Flushes go on all through the measurement, also at 100,000/s, where the buffers alone would last
 * for three seconds.
 */
const FLUSH_INTERVAL_MS = 100
const EMPTY = 'empty function'
/** In the name of a case whose calls come from many call sites, and of the empty function's. */
const SPREAD = 'from 20 sites'
const WARMUP = { bursts: 50, calls: 1000 }
const idOf = (name, rate) => `${name}, ${format(rate)}/s`

/** What shows the timer's own cost: a function that does nothing, opened as a peer is. */
const emptyFunction = () => ({
  target: { nothing() {} },
  method: 'nothing',
  settle: () => tick(),
  close: async () => {}
})

/**
 * Times calls of what was opened, `rate` a second for `seconds`.
 * @param {{target: object, call: string, value: unknown, settle: (last: unknown) => Promise<void>,
 *          warmup?: {bursts: number, calls: number}, close: () => Promise<object | undefined>}}
 *          open as a peer; `call` is the expression to evaluate (see loops.js), `warmup` the bursts
 *          before, with a `settle` after each
 * @returns its percentiles in ns, its histogram, and what `close` gave
 */
async function measure(open, rate, seconds) {
  await warmUp(open)
  const samples = new Uint32Array(rate * seconds)
  samples.fill(1) // Touches every page now rather than inside a timed call.
  const elapsed = await makeCalls(open, rate, samples)
  const facts = await open.close()
  const histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 2 ** 32,
    numberOfSignificantValueDigits: 3
  })
  for (const ns of samples) histogram.recordValue(Math.max(1, ns))
  return {
    percentiles: Object.fromEntries(
      Object.entries(PERCENTILES).map(([name, p]) => [name, histogram.getValueAtPercentile(p)])
    ),
    achievedRate: samples.length / (elapsed / 1e9),
    encoded: hdr.encodeIntoCompressedBase64(histogram),
    ...facts
  }
}

async function warmUp({ target, call, value, settle, warmup = WARMUP }) {
  const loop = repeatCall(call)
  for (let i = 0; i < warmup.bursts; i++) await settle(loop(target, value, warmup.calls, i * warmup.calls))
}

async function makeCalls({ target, call, value }, rate, samples) {
  const loop = paced(call)
  const slice = rate / SLICES_PER_SECOND
  const interval = 1e9 / rate
  loop(target, value, clock, stamp, samples, 0, 1000, now(), 0)
  await tick()
  const start = now()
  for (let i = 0; i < samples.length; i += slice) {
    loop(target, value, clock, stamp, samples, i, Math.min(i + slice, samples.length), start, interval)
    await tick()
  }
  return now() - start
}

/**
 * What a call that does nothing takes at the rate of case `id`, made in the same way: the timer's
 * own cost, taken off every figure.
 */
function timerCost(results, id, rate) {
  const rounds = results[idOf(id.includes(SPREAD) ? `${EMPTY}, ${SPREAD}` : EMPTY, rate)]
  return rounds ? medianOf(rounds, round => round.percentiles.p50) : Number.NaN
}

const overTimer = (rounds, name, timer) => Math.max(0, medianOf(rounds, round => round.percentiles[name]) - timer)

/**
 * The report of a scenario whose case ids are made by `idOf`.
 * @param {number[]} rates those that the scenario knows
 * @param {string} calls what is called, for the titles of the plots
 */
function report(results, rates, calls) {
  const rateOf = id => rates.find(rate => id.endsWith(idOf('', rate)))
  const comparisons = []
  const rows = []
  for (const [id, rounds] of Object.entries(results)) {
    const timer = timerCost(results, id, rateOf(id))
    rows.push([
      id,
      ...Object.keys(PERCENTILES).map(name => format(overTimer(rounds, name, timer))),
      format(medianOf(rounds, 'achievedRate'))
    ])
    if (!id.startsWith('shardlog')) continue
    const tail = overTimer(rounds, 'p99.9', timer)
    comparisons.push({
      measure: `${id.replace('shardlog ', '')}, p99.9 while flushing`,
      bound: '≤ 1 µs',
      figure: `${format(tail)} ns`,
      ok: tail <= 1000
    })
  }
  return {
    comparisons,
    tables: [
      {
        title: 'ns of a single call over the timer’s own cost',
        head: ['', ...Object.keys(PERCENTILES), 'calls/s reached'],
        rows
      }
    ],
    charts: rates.flatMap(rate => charts(results, rate, calls)),
    notes: rates.flatMap(rate =>
      [EMPTY, `${EMPTY}, ${SPREAD}`].flatMap(name => {
        const cost = timerCost(results, name, rate)
        return results[idOf(name, rate)]
          ? `the timer's own cost at ${format(rate)}/s, ${name}: ${format(cost)} ns (p50)`
          : []
      })
    )
  }
}

function charts(results, rate, calls) {
  const ending = idOf('', rate)
  const series = Object.entries(results)
    .filter(([id]) => id.endsWith(ending))
    .map(([id, rounds]) => ({
      name: id.slice(0, -ending.length),
      histogram: merge(rounds),
      timer: timerCost(results, id, rate)
    }))
    .filter(({ timer }) => Number.isFinite(timer))
  if (series.length === 0) return []
  return [
    {
      title: `${calls} at ${format(rate)}/s`,
      caption:
        'ns over the timer’s own cost by percentile, all rounds together, both axes logarithmic: lower and flatter is better.',
      spec: percentileCurves(series.flatMap(curve))
    },
    {
      title: `${calls} at ${format(rate)}/s: distribution`,
      caption: 'Share of calls by their duration in ns over the timer’s own cost.',
      spec: histogramAreas(series.filter(({ name }) => /shardlog|empty/.test(name)).flatMap(distribution))
    }
  ]
}

function merge(rounds) {
  const histograms = rounds.map(round => hdr.decodeFromCompressedBase64(round.encoded))
  const all = histograms[0]
  for (const histogram of histograms.slice(1)) all.add(histogram)
  return all
}

const CURVE = [0, 25, 50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.995, 99.998, 99.999]

function curve({ name, histogram, timer }) {
  return CURVE.map(p => ({
    name,
    nines: 1 / (1 - p / 100),
    ns: Math.max(1, histogram.getValueAtPercentile(p) - timer)
  }))
}

/** Six buckets to a decade. */
function distribution({ name, histogram, timer }) {
  const edges = Array.from({ length: 31 }, (_, i) => 10 ** (i / 6))
  let before = 0
  return edges.map(edge => {
    const below = countUpTo(histogram, edge + timer)
    const share = (below - before) / histogram.totalCount
    before = below
    return { name, ns: edge, share }
  })
}

/**
 * Calls that took at most `value`. hdr-histogram-js has no cumulative count, but percentiles are
 * monotonic: bisect.
 */
function countUpTo(histogram, value) {
  let low = 0
  let high = 100
  if (histogram.maxValue <= value) return histogram.totalCount
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2
    if (histogram.getValueAtPercentile(middle) <= value) low = middle
    else high = middle
  }
  return Math.round((low / 100) * histogram.totalCount)
}

module.exports = { EMPTY, SPREAD, FLUSH_INTERVAL_MS, emptyFunction, idOf, measure, report }
