'use strict'

const os = require('node:os')
const { medianOf, format } = require('../numbers')
const { buildRing, runRing } = require('../recorder/native')
const script = require('../recorder/script')

/**
 * The flight recorder: its ring from C++ by the names of a suite that is known for its figures, and
 * what JavaScript sees of it. Each line has what was attempted, accepted and overwritten.
 */

/** Segments of 120 MB: about 900,000 events of 136 bytes. */
const SEGMENTS = 30_000
/** Operations per second that suite tells of for so many threads, on a larger machine. */
const OTHERS = { '1P/1C': 5_411_406, '4P/4C': 16_757_007 }
const BUFFERS = ['1P/1C', '2P/2C', '4P/4C', '8P/8C', '8P/4C', '4P/8C']
const cores = os.availableParallelism()

const nativeCases = [
  { id: 'maximum throughput', params: { ring: 'throughput', producers: cores, consumers: 0 } },
  ...BUFFERS.map(name => {
    const [, producers, consumers] = /(\d+)P\/(\d+)C/.exec(name)
    return { id: `buffer ${name}`, params: { ring: 'throughput', producers, consumers } }
  }),
  { id: 'concurrency, 1,024 threads', params: { ring: 'threads', threads: 1024 } },
  { id: 'concurrency, 100,000 buffers', params: { ring: 'rings' } },
  { id: 'stress', params: { ring: 'stress', threads: 4 * cores } }
]
const ALONE = 'JavaScript, a recorder alone'
const LOGGER = 'JavaScript, a logger with a recorder'
const PLAIN = 'JavaScript, a logger without a recorder'
const SITES = 'JavaScript, 20 call sites'
const PINO = 'JavaScript, 20 call sites, pino'
const MATRIX = 'memory matrix'
const SNAPSHOT = 'snapshot of 100,000 events'
const NODES = 'distributed simulation, 8 processes'
const scriptCases = [
  { id: ALONE, params: { script: 'recordAlone' } },
  { id: LOGGER, params: { script: 'recordByLogger' } },
  { id: PLAIN, params: { script: 'logAlone' } },
  { id: SITES, params: { script: 'recordFromSites' } },
  { id: PINO, params: { script: 'pinoFromSites' } },
  { id: MATRIX, params: { script: 'memoryMatrix' } },
  { id: SNAPSHOT, params: { script: 'snapshotWhileRecording' } },
  { id: NODES, params: { script: 'distributed' } }
]

const cases = () => [...nativeCases, ...scriptCases]

function argumentsOf({ ring, producers, consumers, threads }, quick) {
  const seconds = quick ? 0.3 : 5
  switch (ring) {
    case 'throughput':
      return [ring, producers, consumers, SEGMENTS, seconds]
    case 'threads':
      return [ring, threads, quick ? 500 : 20_000, SEGMENTS]
    case 'rings':
      return [ring, quick ? 2000 : 100_000, 100]
    default:
      return [ring, threads, 1024, seconds]
  }
}

async function run(params, context) {
  if (params.script !== undefined) return script[params.script](context)
  return runRing(argumentsOf(params, context.quick))
}

const million = value => format(value / 1e6, 2)
const operations = ({ accepted, drained, seconds }) => (accepted + drained) / seconds
const perCore = result => (operations(result) * result.seconds) / result.cpuSeconds

const COUNTS = ['attempted', 'accepted', 'overwritten']
const countsOf = rounds => COUNTS.map(name => format(medianOf(rounds, name)))

function ringTable(results) {
  const rows = nativeCases
    .filter(({ id }) => results[id])
    .map(({ id }) => {
      const rounds = results[id]
      const read = [medianOf(rounds, 'drained'), medianOf(rounds, 'read')].map(value => format(value))
      return [
        id,
        million(medianOf(rounds, operations)),
        million(medianOf(rounds, perCore)),
        ...countsOf(rounds),
        ...read
      ]
    })
  const title = 'the ring alone: events of 136 bytes; an operation is one that is recorded, or taken out'
  const head = ['', 'M ops/s', 'M ops per core and s', ...COUNTS, 'taken out', 'read']
  return { title, head, rows }
}

function figuresOf(results) {
  const of = (id, pick) => medianOf(results[id] ?? [], pick)
  return [
    [ALONE, 'ns per event of 4 fields', format(of(ALONE, 'ns'))],
    [ALONE, 'bytes per event of 4 fields', format(of(ALONE, 'bytes'), 1)],
    [LOGGER, 'ns per call below the level', format(of(LOGGER, 'below'))],
    [LOGGER, 'ns per call that is logged', format(of(LOGGER, 'both'))],
    [PLAIN, 'ns per call that is logged', format(of(PLAIN, 'ns'))],
    [SITES, 'ns per call below the level', format(of(SITES, 'ns'))],
    [PINO, 'ns per call that is logged', format(of(PINO, 'ns'))],
    [SNAPSHOT, 'ms until the file is written', format(of(SNAPSHOT, 'ms'))],
    [SNAPSHOT, '% of the size as JSON', format(100 * of(SNAPSHOT, 'share'), 1)],
    [SNAPSHOT, 'ns, p50 / p99.9 of a producer beside it', pairOf(results[SNAPSHOT], 'busy')],
    [SNAPSHOT, 'ns, p50 / p99.9 of a producer without it', pairOf(results[SNAPSHOT], 'idle')],
    [NODES, 'M events per second of one process', million(of(NODES, 'perProcess'))],
    [NODES, 'ms to read and merge the snapshots', format(of(NODES, 'mergeMs'))]
  ].filter(([id]) => results[id])
}

const pairOf = (rounds = [], name) =>
  ['p50', 'p999'].map(percentile => format(medianOf(rounds, round => round[name][percentile]))).join(' / ')

function matrixTable(rounds) {
  const rows = (rounds[0]?.cells ?? []).map(({ events, fields, message }, i) => [
    `${format(events)} events, ${fields} fields, message of ${message}`,
    format(
      medianOf(rounds, ({ cells }) => cells[i].bytes),
      1
    ),
    format(
      medianOf(rounds, ({ cells }) => cells[i].rss),
      1
    ),
    ...COUNTS.map(name => format(medianOf(rounds, ({ cells }) => cells[i][name])))
  ])
  return { title: 'memory matrix', head: ['', 'bytes per event', 'resident bytes per event', ...COUNTS], rows }
}

function comparisonsOf(results) {
  const found = []
  const add = (measure, bound, value, figure, ok) => {
    if (Number.isFinite(value)) found.push({ measure: `recorder, ${measure}`, bound, figure, ok })
  }
  for (const [name, others] of Object.entries(OTHERS)) {
    const value = medianOf(results[`buffer ${name}`] ?? [], perCore)
    const [, producers, consumers] = /(\d+)P\/(\d+)C/.exec(name)
    const bound = others / (Number(producers) + Number(consumers))
    add(`${name}, operations per core`, `≥ ${million(bound)} M/s`, value, `${million(value)} M/s`, value >= bound)
  }
  const of = (id, pick) => medianOf(results[id] ?? [], pick)
  const ns = of(ALONE, 'ns')
  add('an event of 4 fields from JavaScript', '≤ 120 ns', ns, `${format(ns)} ns`, ns <= 120)
  const bytes = of(ALONE, 'bytes')
  add('bytes of an event of 4 fields', '≤ 64', bytes, format(bytes, 1), bytes <= 64)
  const [both, plain] = [of(LOGGER, 'both'), of(PLAIN, 'ns')]
  const more = both - plain
  const figure = `${format(more)} ns (${format(both)} ns, without ${format(plain)} ns)`
  add('more than the log call alone', '≤ 30 ns', more, figure, more <= 30)
  const [sites, pino] = [of(SITES, 'ns'), of(PINO, 'ns')]
  const share20 = sites / pino
  const against = `${format(share20, 2)} (${format(sites)} ns, pino async ${format(pino)} ns)`
  add('across 20 call sites, of a pino call', '≤ 1/4', share20, against, share20 <= 1 / 4)
  const ms = of(SNAPSHOT, 'ms')
  add('a snapshot of 100,000 events', '≤ 500 ms', ms, `${format(ms)} ms`, ms <= 500)
  const share = 100 * of(SNAPSHOT, 'share')
  add('its size beside JSON', '≤ 15 %', share, `${format(share, 1)} %`, share <= 15)
  return found
}

function report(results) {
  const counting = [ALONE, LOGGER, SITES, SNAPSHOT, NODES]
  const scripts = scriptCases.filter(({ id }) => results[id] && counting.includes(id))
  const tables = [
    ringTable(results),
    { title: 'from JavaScript', head: ['', '', ''], rows: figuresOf(results) },
    {
      title: 'from JavaScript, events',
      head: ['', ...COUNTS],
      rows: scripts.map(({ id }) => [id, ...countsOf(results[id])])
    },
    matrixTable(results[MATRIX] ?? [])
  ]
  return {
    comparisons: comparisonsOf(results),
    tables: tables.filter(({ rows }) => rows.length > 0),
    charts: [],
    notes: [
      `${cores} cores; each run in which an event was torn, or that the counters did not account for, is an error`,
      'resident bytes are what the process grew by: of few events that is mostly its own heap',
      'per core: operations by processor time, since threads that wait do nothing'
    ]
  }
}

/** Cases of JavaScript alone need no program. */
function prepare(chosen) {
  if (chosen.some(({ params }) => params.ring !== undefined)) buildRing()
}

module.exports = {
  name: 'recorder',
  title: 'Flight recorder',
  timeoutMs: 300_000,
  prepare,
  cases,
  run,
  report
}
