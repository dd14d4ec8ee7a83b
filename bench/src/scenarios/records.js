'use strict'

const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const { BURST, LEAST_BURSTS, burstTime, peerBursts, summary, timeBurst } = require('../bursts')
const { now } = require('../clock')
const { walkLines } = require('../line-walker')
const { repeatCall } = require('../loops')
const { medianOf, format } = require('../numbers')
const peers = require('../peers')
const { callText, loggerFor, workloads } = require('../record-workloads')
const { bars } = require('../report/charts')
const subject = require('../subject')

/** How shardlog is opened. */
const OWN = {
  'shardlog ndjson': { format: 'ndjson' },
  'shardlog shard': { format: 'shard' },
  'shardlog ndjson off': { format: 'ndjson', crashSafe: false }
}
const DEFAULT = 'shardlog ndjson'
/**
 * Logged by every peer; the others with pino's options, by pino alone, in the modes that can be its
 * fastest.
 */
const COMMON = ['login', 'child']
const FEATURES = ['request', 'error', 'nested', 'redact', 'mixin', 'serializers']
const FEATURE_PEERS = ['pino async', 'pino worker']
const DISABLED_PEER = 'pino async'
/** Logged by shardlog alone, and what it is compared with. */
const EVENT = 'event'
const OF_EVENT = 'login'
/** How much cheaper than pino's fastest mode. */
const TIMES = { login: 10, event: 14, child: 8, request: 1, error: 1, nested: 1, redact: 1, mixin: 1, serializers: 1 }
/**
 * Bytes of lines between two flushes: what makes them takes less room than they, so that the active
 * set holds it.
 */
const FLUSH_BYTES = 3_000_000
/** Both buffer sets twice, so that their pages are there. */
const WARMUP_FLUSHES = 4
const NOTHING = { target: { debug() {} } }

const idOf = (name, workload) => `${name}, ${workload}`

function cases({ peers: wanted }) {
  const of = (names, workload, kind) =>
    names.map(name => ({ id: idOf(name, workload), params: { kind, name, workload } }))
  const named = names => names.filter(name => wanted.some(peer => peer.name === name))
  const all = peers.ofRecords(wanted).map(({ name }) => name)
  return [
    ...COMMON.flatMap(workload => [...of(Object.keys(OWN), workload, 'shardlog'), ...of(all, workload, 'peer')]),
    ...of([DEFAULT], EVENT, 'shardlog'),
    ...of([DEFAULT], 'disabled', 'shardlog'),
    ...of(named([DISABLED_PEER]), 'disabled', 'peer'),
    ...FEATURES.flatMap(workload => [
      ...of([DEFAULT], workload, 'shardlog'),
      ...of(named(FEATURE_PEERS), workload, 'peer')
    ])
  ]
}

async function run({ kind, name, workload }, { folder, quick }) {
  const task = workloads[workload]
  const file = path.join(folder, 'records.ndjson')
  const open = kind === 'shardlog' ? openShardlog(name, file, task) : await openPeer(name, file, task)
  if (workload === 'disabled') return disabledBursts(open, task, quick)
  const { calls, ...result } = await runBursts(open, task, quick)
  const made = calls * (task.lines ?? 1)
  return kind === 'peer' ? { ...result, calls, lost: made - walkLines(file, () => {}) } : result
}

function openShardlog(name, file, { options }) {
  return subject.openRecords(file, { ...OWN[name], onFull: 'drop', flushInterval: 0 }, options)
}

async function openPeer(name, file, { options }) {
  const peer = peers.find(name)
  return { ...(await peer.open(file, 'record', options)), records: peer.records }
}

async function runBursts({ records, ...open }, task, quick) {
  const bare = repeatCall(callText(task, records))
  let calls = 0
  const loop = (target, value, count, from) => {
    calls += count
    return bare(target, value, count, from)
  }
  const called = { ...open, target: loggerFor(task, open.target, records) }
  const samples = open.flush
    ? await ownBursts(called, loop, task, quick)
    : await peerBursts(called, loop, task.value, quick)
  const facts = open.flush ? keptUp(open.stats()) : {}
  await open.close()
  return { ...summary(samples), ...facts, calls }
}

/**
 * A flush as often as the buffers need it, a turn of the event loop after each of the other bursts.
 */
async function ownBursts({ target, flush, stats }, loop, { value, lines = 1 }, quick) {
  timeBurst(loop, target, value)
  await flush()
  const { payloadBytes, writtenLogs } = stats()
  const perFlush = Math.ceil(FLUSH_BYTES / BURST / ((payloadBytes / writtenLogs) * lines))
  const samples = []
  let deadline = Number.POSITIVE_INFINITY
  for (let i = 1; now() < deadline || samples.length < LEAST_BURSTS; i++) {
    const { ns } = timeBurst(loop, target, value, i * BURST)
    if (i > WARMUP_FLUSHES * perFlush) samples.push(ns)
    if (samples.length === 1) deadline = now() + burstTime(quick)
    await (i % perFlush === 0 ? flush() : tick())
  }
  return samples
}

function keptUp(stats) {
  if (stats.droppedLogs > 0) throw new Error(`${stats.droppedLogs} lines were dropped: the sink did not keep up`)
  return { inForce: subject.inForce(stats) }
}

/** Beside an empty function in turn, each with a loop of its own. */
async function disabledBursts({ target, close }, task, quick) {
  const lanes = [target, NOTHING.target].map(callee => ({ callee, loop: repeatCall(callText(task)), samples: [] }))
  const [warmup, bursts] = quick ? [100, 200] : [700, 2000]
  for (let i = 0; i < warmup + bursts; i++) {
    for (const { callee, loop, samples } of lanes) {
      const { ns } = timeBurst(loop, callee, task.value, i * BURST)
      if (i >= warmup) samples.push(ns)
    }
    await tick()
  }
  await close()
  const [called, empty] = lanes.map(({ samples }) => summary(samples))
  return { ...called, empty }
}

const cost = (results, name, workload, which = 'median') => medianOf(results[idOf(name, workload)] ?? [], which)

function comparisons(results) {
  const found = Object.entries(TIMES).flatMap(([workload, times]) => {
    const own = cost(results, DEFAULT, workload)
    const pino = peers.cheapestPino(name => cost(results, name, workload === EVENT ? OF_EVENT : workload))
    if (!Number.isFinite(own) || !pino) return []
    const ratio = pino.ns / own
    return {
      measure: `structured call, ${workloads[workload].title}, burst`,
      bound: times === 1 ? 'no dearer than pino' : `≥ ${times} × cheaper than pino`,
      figure: `${format(ratio, 1)} × (${format(own, 1)} ns, ${pino.name} ${format(pino.ns, 1)} ns)`,
      ok: ratio >= times
    }
  })
  return [...found, ...disabledCost(results)]
}

function disabledCost(results) {
  const rounds = results[idOf(DEFAULT, 'disabled')]
  if (!rounds) return []
  const ratio = medianOf(rounds, round => round.median / round.empty.median)
  const [own, empty] = [medianOf(rounds, 'median'), medianOf(rounds, round => round.empty.median)]
  return [
    {
      measure: 'structured call, level off, burst',
      bound: '≤ 2 × an empty function',
      figure: `${format(ratio, 2)} × (${format(own, 2)} ns over ${format(empty, 2)} ns)`,
      ok: ratio <= 2
    }
  ]
}

/** Marks those whose file lacks lines. */
const LOSES = '†'

/** The rounds of a peer whose file lacked lines. */
const lossesOf = (results, name, list) =>
  list.flatMap(workload => results[idOf(name, workload)] ?? []).filter(({ lost }) => lost > 0)

function lossNotes(results) {
  const found = peers.peers.flatMap(({ name }) => {
    const rounds = lossesOf(results, name, [...COMMON, ...FEATURES])
    if (rounds.length === 0) return []
    const most = rounds.reduce((a, b) => (a.lost / a.calls > b.lost / b.calls ? a : b))
    return [`${LOSES} ${name} lost up to ${format(most.lost)} of ${format(most.calls)} lines`]
  })
  return found.length > 0 ? found : ['the lines in the files of the peers were counted: none was lost']
}

const FIGURES = ['median', 'mean', 'least']
const known = () => [...Object.keys(OWN), ...peers.ofRecords(peers.peers).map(({ name }) => name)]
const measured = (results, list) => known().filter(name => list.some(workload => results[idOf(name, workload)]))

function table(results, list, figures, title) {
  const head = list.flatMap(workload => {
    const text = workloads[workload].title
    return figures.length === 1 ? [text] : [`${text}: ${figures[0]}`, ...figures.slice(1)]
  })
  const rows = measured(results, list).map(name => [
    lossesOf(results, name, list).length > 0 ? `${name} ${LOSES}` : name,
    ...list.flatMap(workload => figures.map(which => format(cost(results, name, workload, which), 1)))
  ])
  return { title, head: ['', ...head], rows }
}

function disabledTable(results) {
  const names = measured(results, ['disabled'])
  const row = (name, get) => [
    name,
    ...FIGURES.map(which =>
      format(
        medianOf(get.flat(), round => round[which]),
        2
      )
    )
  ]
  const rounds = names.map(name => results[idOf(name, 'disabled')])
  const rows = names.map((name, i) => row(name, [rounds[i]]))
  if (rows.length > 0)
    rows.push(
      row(
        'floor: empty function',
        rounds.map(list => list.map(round => round.empty))
      )
    )
  return { title: 'ns per call of a level that is off', head: ['', ...FIGURES], rows }
}

function report(results) {
  return {
    comparisons: comparisons(results),
    tables: [
      table(results, COMMON, FIGURES, 'ns per call of a structured logger, bursts of 1,000 while the sink keeps up'),
      table(results, [...FEATURES, EVENT], ['median'], 'the same with other values and options, medians'),
      disabledTable(results)
    ].filter(({ rows }) => rows.length > 0),
    charts: charts(results),
    notes: [
      ...peers.peers
        .filter(peer => COMMON.some(workload => results[idOf(peer.name, workload)]))
        .map(peer => `${peer.name} ${peers.version(peer)}: ${peer.records.note}`),
      ...lossNotes(results),
      'off: crashSafe false'
    ]
  }
}

function charts(results) {
  const values = COMMON.flatMap(workload =>
    measured(results, [workload]).map(name => ({
      name,
      kind: workloads[workload].title,
      value: cost(results, name, workload)
    }))
  )
  if (values.length === 0) return []
  return [
    {
      title: 'Cost of a structured call in a burst',
      caption: 'Median ns per call, log scale: less is better.',
      spec: bars(values, { x: 'ns per call', log: true, digits: 0 })
    }
  ]
}

module.exports = {
  name: 'records',
  title: 'Structured logging: cost of a call in bursts',
  timeoutMs: 40_000,
  cases,
  run,
  report
}
