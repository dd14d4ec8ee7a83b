'use strict'

const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const hdr = require('hdr-histogram-js')
const { now } = require('../clock')
const { asciiText, asciiBytes } = require('../entries')
const floor = require('../floor')
const { paced, repeat } = require('../loops')
const { medianOf, format } = require('../numbers')
const peers = require('../peers')
const subject = require('../subject')
const { percentileCurves, histogramAreas } = require('../report/charts')

const PERCENTILES = { p50: 50, p90: 90, p99: 99, 'p99.9': 99.9, 'p99.99': 99.99, max: 100 }
const RATES = [100_000, 1_000_000]
/** Peers are asked for the lower rate only: most cannot keep the higher one up. */
const PEER_RATE = RATES[0]
/** The event loop runs this often, for the peers that write from it; shardlog's flusher needs no turn. */
const SLICES_PER_SECOND = 1000
/** Flushes go on all through the measurement, also at 100,000/s, where the buffers alone would last for three seconds. */
const FLUSH_INTERVAL_MS = 100
const EMPTY = 'empty function'
const rateName = rate => `${format(rate)}/s`

function cases({ peers: wanted }) {
  return [
    ...RATES.flatMap(rate => [
      { id: `${EMPTY}, ${rateName(rate)}`, params: { subject: 'empty', rate } },
      { id: `shardlog log, ${rateName(rate)}`, params: { subject: 'shardlog', method: 'log', rate } },
      { id: `shardlog logBytes, ${rateName(rate)}`, params: { subject: 'shardlog', method: 'logBytes', rate } }
    ]),
    ...wanted.map(peer => ({
      id: `${peer.name}, ${rateName(PEER_RATE)}`,
      params: { subject: 'peer', name: peer.name, rate: PEER_RATE }
    }))
  ]
}

async function run(params, context) {
  const open = await openSubject(params, context)
  const seconds = secondsFor(params, context)
  await warmUp(open)
  const samples = new Uint32Array(params.rate * seconds)
  samples.fill(1) // Touches every page now rather than inside a timed call.
  const elapsed = await measure(open, params.rate, samples)
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

function secondsFor({ subject: kind }, { quick }) {
  if (quick) return 0.3
  return kind === 'peer' ? 2 : 5
}

async function openSubject({ subject: kind, method, name }, { folder }) {
  const file = path.join(folder, 'latency.log')
  if (kind === 'shardlog') return openShardlog(file, method)
  const warmup = { bursts: 50, calls: 1000 }
  if (kind === 'empty') {
    return {
      target: { nothing() {} },
      method: 'nothing',
      value: 'x',
      warmup,
      settle: () => tick(),
      close: async () => ({})
    }
  }
  const open = await peers.find(name).open(file, 'string')
  return { ...open, value: asciiText(), warmup, close: async () => void (await open.close()) }
}

function openShardlog(file, method) {
  const logger = subject.open(file, { flushInterval: FLUSH_INTERVAL_MS })
  return {
    target: logger,
    method,
    value: method === 'log' ? asciiText() : asciiBytes(),
    // Both sets twice, nearly full each time (26 of 32 MiB), so that their pages are there.
    warmup: { bursts: 4, calls: 250_000 },
    settle: () => logger.flush(),
    close: () => closeSubject(logger)
  }
}

async function closeSubject(logger) {
  const stats = logger.getStatsSnapshot()
  await logger.close()
  if (stats.droppedLogs > 0) throw new Error(`${stats.droppedLogs} entries were dropped while latency was measured`)
  return { flushes: stats.flushes, inForce: subject.inForce(stats) }
}

async function warmUp({ target, method, value, settle, warmup }) {
  const loop = repeat(method)
  for (let i = 0; i < warmup.bursts; i++) await settle(loop(target, value, warmup.calls))
}

async function measure({ target, method, value }, rate, samples) {
  const loop = paced(method)
  const { clock, stamp } = floor
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

/** What a call that does nothing takes at this rate: the timer's own cost, taken off every figure. */
function timerCost(results, rate) {
  const rounds = results[`${EMPTY}, ${rateName(rate)}`]
  return rounds ? medianOf(rounds, round => round.percentiles.p50) : Number.NaN
}

const rateOf = id => RATES.find(rate => id.endsWith(`, ${rateName(rate)}`))
const overTimer = (rounds, name, timer) => Math.max(0, medianOf(rounds, round => round.percentiles[name]) - timer)

function report(results) {
  const goals = []
  const rows = []
  for (const [id, rounds] of Object.entries(results)) {
    const rate = rateOf(id)
    const timer = timerCost(results, rate)
    rows.push([
      id,
      ...Object.keys(PERCENTILES).map(name => format(overTimer(rounds, name, timer))),
      format(medianOf(rounds, 'achievedRate'))
    ])
    if (!id.startsWith('shardlog')) continue
    const tail = overTimer(rounds, 'p99.9', timer)
    goals.push({
      measure: `${id.replace('shardlog ', '')}, p99.9 while flushing`,
      goal: '≤ 1 µs',
      figure: `${format(tail)} ns`,
      ok: tail <= 1000
    })
  }
  return {
    goals,
    tables: [
      {
        title: 'ns of a single call over the timer’s own cost',
        head: ['', ...Object.keys(PERCENTILES), 'calls/s reached'],
        rows
      }
    ],
    charts: charts(results),
    notes: RATES.filter(rate => Number.isFinite(timerCost(results, rate))).map(
      rate =>
        `the timer's own cost at ${rateName(rate)}: ${format(timerCost(results, rate))} ns (an empty function's p50)`
    )
  }
}

function charts(results) {
  const merged = Object.entries(results).map(([id, rounds]) => ({
    id,
    rate: rateOf(id),
    histogram: merge(rounds),
    timer: timerCost(results, rateOf(id))
  }))
  return RATES.flatMap(rate => {
    const series = merged.filter(entry => entry.rate === rate && Number.isFinite(entry.timer))
    if (series.length === 0) return []
    const named = series.map(entry => ({ ...entry, name: entry.id.slice(0, entry.id.lastIndexOf(', ')) }))
    return [
      {
        title: `Latency at ${rateName(rate)}`,
        caption:
          'ns over the timer’s own cost by percentile, all rounds together, both axes logarithmic: lower and flatter is better.',
        spec: percentileCurves(named.flatMap(curve))
      },
      {
        title: `Distribution at ${rateName(rate)}`,
        caption: 'Share of calls by their duration in ns over the timer’s own cost.',
        spec: histogramAreas(named.filter(({ id }) => /shardlog|empty/.test(id)).flatMap(distribution))
      }
    ]
  })
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

/** Calls that took at most `value`. hdr-histogram-js has no cumulative count, but percentiles are monotonic: bisect. */
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

module.exports = { name: 'latency', title: 'Latency of single calls', cases, run, report }
