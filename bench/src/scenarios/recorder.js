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
const scriptCases = [
  { id: 'JavaScript, a recorder alone', params: { script: 'recordAlone' } },
  { id: 'JavaScript, a logger', params: { script: 'recordByLogger' } },
  { id: 'memory matrix', params: { script: 'memoryMatrix' } },
  { id: 'snapshot of 100,000 events', params: { script: 'snapshotWhileRecording' } },
  { id: 'distributed simulation, 8 processes', params: { script: 'distributed' } }
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
  const [alone, logger, snapshot, nodes] = [0, 1, 3, 4].map(i => scriptCases[i].id)
  return [
    [alone, 'ns per event of 4 fields', format(of(alone, 'ns'))],
    [alone, 'bytes per event of 4 fields', format(of(alone, 'bytes'), 1)],
    [logger, 'ns per call below the level', format(of(logger, 'below'))],
    [logger, 'ns per call that is logged, without a recorder', format(of(logger, 'alone'))],
    [logger, 'ns per call that is logged, with one', format(of(logger, 'both'))],
    [snapshot, 'ms until the file is written', format(of(snapshot, 'ms'))],
    [snapshot, '% of the size as JSON', format(100 * of(snapshot, 'share'), 1)],
    [snapshot, 'ns, p50 / p99.9 of a producer beside it', pairOf(results[snapshot], 'busy')],
    [snapshot, 'ns, p50 / p99.9 of a producer without it', pairOf(results[snapshot], 'idle')],
    [nodes, 'M events per second of one process', million(of(nodes, 'perProcess'))],
    [nodes, 'ms to read and merge the snapshots', format(of(nodes, 'mergeMs'))]
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
  const [alone, logger, , snapshot] = scriptCases.map(({ id }) => results[id] ?? [])
  const ns = medianOf(alone, 'ns')
  add('an event of 4 fields from JavaScript', '≤ 120 ns', ns, `${format(ns)} ns`, ns <= 120)
  const bytes = medianOf(alone, 'bytes')
  add('bytes of an event of 4 fields', '≤ 64', bytes, format(bytes, 1), bytes <= 64)
  const more = medianOf(logger, ({ both, alone: without }) => both - without)
  add('more than the log call alone', '≤ 30 ns', more, `${format(more)} ns`, more <= 30)
  const ms = medianOf(snapshot, 'ms')
  add('a snapshot of 100,000 events', '≤ 500 ms', ms, `${format(ms)} ms`, ms <= 500)
  const share = 100 * medianOf(snapshot, 'share')
  add('its size beside JSON', '≤ 15 %', share, `${format(share, 1)} %`, share <= 15)
  return found
}

function report(results) {
  const scripts = scriptCases.filter(({ id, params }) => results[id] && params.script !== 'memoryMatrix')
  const tables = [
    ringTable(results),
    { title: 'from JavaScript', head: ['', '', ''], rows: figuresOf(results) },
    {
      title: 'from JavaScript, events',
      head: ['', ...COUNTS],
      rows: scripts.map(({ id }) => [id, ...countsOf(results[id])])
    },
    matrixTable(results['memory matrix'] ?? [])
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
