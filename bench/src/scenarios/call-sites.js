'use strict'

const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const { makeLoop, makeOrder, makeSites } = require('../call-sites')
const { now } = require('../clock')
const { median, medianOf, format } = require('../numbers')
const peers = require('../peers')
const { bars } = require('../report/charts')
const subject = require('../subject')

const OWN = 'shardlog ndjson'
const PEERS = peers.pinos(peers.peers).map(({ name }) => name)
const SITES = [1, 20, 200]
const WARMUP_CALLS = 300_000
/** Calls between two waits for the sink, so that it keeps up. */
const SETTLE_CALLS = 20_000
const TOUCHED_BYTES = 2 * 1024 * 1024
const CACHE_LINE = 64

/** How many calls follow each other, and how many such bursts are measured. */
const MODES = {
  'bursts of 500': { calls: 500, bursts: 400 },
  'bursts of 10': { calls: 10, bursts: 2500 },
  'single calls': { calls: 1, bursts: 2500 }
}
/**
 * How much cheaper than pino's fastest mode: by the number of sites where all calls are hot, else
 * by the mode.
 */
const TIMES = {
  'bursts of 500': { 1: 10, 20: 5, 200: 3.5 },
  'bursts of 10': { 1: 3.5, 20: 3.5, 200: 3.5 },
  'single calls': { 1: 2, 20: 2, 200: 2 }
}
const TOUCHED = 'after 2 MiB of memory'
const VARIANTS = Object.keys(MODES).flatMap(mode => [mode, `${mode}, ${TOUCHED}`])

const idOf = (name, sites) => `${name}, ${sites} ${sites === 1 ? 'site' : 'sites'}`

function cases({ peers: wanted }) {
  const names = [OWN, ...peers.pinos(wanted).map(({ name }) => name)]
  return SITES.flatMap(sites => names.map(name => ({ id: idOf(name, sites), params: { name, sites } })))
}

async function open(name, file) {
  if (name === OWN) {
    const own = subject.openRecords(file, { format: 'ndjson', onFull: 'drop' })
    return { ...own, settle: own.flush }
  }
  return peers.find(name).open(file, 'record', {})
}

const EMPTY = { info() {} }

/** Memory that other parts of a service would touch between two calls. */
const memory = new Uint8Array(TOUCHED_BYTES)
function touch() {
  for (let i = 0; i < memory.length; i += CACHE_LINE) memory[i]++
}

async function run({ name, sites: count }, { folder, quick }) {
  const logger = await open(name, path.join(folder, 'call-sites.ndjson'))
  const order = makeOrder(count)
  // Beside the logger an empty function is called in the same way: what is left is the logger's.
  const lanes = [logger.target, EMPTY].map(target => ({ target, sites: makeSites(count), loop: makeLoop() }))
  const share = quick ? 0.02 : 1
  let unsettled = 0
  let from = 0
  const settled = async calls => {
    unsettled += calls
    if (unsettled < SETTLE_CALLS) return
    unsettled = 0
    await logger.settle()
  }
  for (let called = 0; called < WARMUP_CALLS * share; called += 500, from += 500) {
    for (const { target, sites, loop } of lanes) loop(target, sites, order, from, from + 500)
    await settled(500)
    await tick()
  }
  const result = {}
  for (const variant of VARIANTS) {
    const { calls, bursts } = MODES[variant.split(',')[0]]
    const touches = variant.endsWith(TOUCHED)
    const samples = lanes.map(() => [])
    for (let burst = 0; burst < Math.ceil(bursts * share); burst++, from += calls) {
      for (const [i, { target, sites, loop }] of lanes.entries()) {
        await tick()
        if (touches) touch()
        const start = now()
        loop(target, sites, order, from, from + calls)
        samples[i].push((now() - start) / calls)
      }
      await settled(calls)
    }
    const [whole, floor] = samples.map(median)
    result[variant] = { ns: whole - floor, floor }
  }
  const { droppedLogs = 0 } = logger.stats?.() ?? {}
  await logger.close()
  if (droppedLogs > 0) throw new Error(`${droppedLogs} lines were dropped: the sink did not keep up`)
  return result
}

const cost = (results, name, sites, variant) => medianOf(results[idOf(name, sites)] ?? [], round => round[variant]?.ns)

function comparisons(results) {
  return VARIANTS.flatMap(variant =>
    SITES.flatMap(sites => {
      const own = cost(results, OWN, sites, variant)
      const pino = peers.cheapestPino(name => cost(results, name, sites, variant))
      if (!Number.isFinite(own) || !pino) return []
      const times = TIMES[variant.split(',')[0]][sites]
      const ratio = pino.ns / own
      return {
        measure: `structured call, ${sites} ${sites === 1 ? 'site' : 'sites'}, ${variant}`,
        bound: `≥ ${times} × cheaper than pino`,
        figure: `${format(ratio, 1)} × (${format(own)} ns, ${pino.name} ${format(pino.ns)} ns)`,
        ok: ratio >= times
      }
    })
  )
}

function tableOf(results, variants, title) {
  const names = [OWN, ...PEERS].filter(name => SITES.some(sites => results[idOf(name, sites)]))
  const head = variants.flatMap(variant => SITES.map(sites => `${variant.split(',')[0]}: ${sites}`))
  const floorOf = (sites, variant) =>
    medianOf(
      names.flatMap(name => results[idOf(name, sites)] ?? []),
      round => round[variant]?.floor
    )
  const rowOf = pick => variants.flatMap(variant => SITES.map(sites => format(pick(sites, variant))))
  const rows = names.map(name => [name, ...rowOf((sites, variant) => cost(results, name, sites, variant))])
  if (rows.length > 0) rows.push(['floor: empty function', ...rowOf(floorOf)])
  return { title, head: ['', ...head], rows }
}

function report(results) {
  const plain = VARIANTS.filter(variant => !variant.endsWith(TOUCHED))
  const touched = VARIANTS.filter(variant => variant.endsWith(TOUCHED))
  return {
    comparisons: comparisons(results),
    tables: [
      tableOf(
        results,
        plain,
        'ns per call from 1, 20 and 200 call sites in random order, the empty function taken off'
      ),
      tableOf(results, touched, 'the same when the service has touched 2 MiB of memory before each burst')
    ].filter(({ rows }) => rows.length > 0),
    charts: charts(results),
    notes: [
      '300,000 calls of warming up; sites of 2 to 7 fields of mixed types; a turn of the event loop before each burst',
      'floor: the same sites with a logger whose method is empty, in turn with the logger in the same process'
    ]
  }
}

function charts(results) {
  const values = SITES.flatMap(sites =>
    [OWN, ...PEERS]
      .map(name => ({ name, kind: `${sites} sites`, value: cost(results, name, sites, 'bursts of 500') }))
      .filter(({ value }) => Number.isFinite(value))
  )
  if (values.length === 0) return []
  return [
    {
      title: 'Cost of a structured call across call sites',
      caption: 'Median ns per call in bursts of 500, log scale: less is better.',
      spec: bars(values, { x: 'ns per call', log: true, digits: 0 })
    }
  ]
}

module.exports = {
  name: 'call-sites',
  title: 'Structured logging: calls from many sites',
  timeoutMs: 90_000,
  cases,
  run,
  report
}
