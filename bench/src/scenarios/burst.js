'use strict'

const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const { peerBursts, summary, timeBurst } = require('../bursts')
const { ENTRY_BYTES, asciiText, asciiBytes } = require('../entries')
const floor = require('../floor')
const { repeat } = require('../loops')
const { medianOf, format } = require('../numbers')
const peers = require('../peers')
const subject = require('../subject')
const { bars } = require('../report/charts')

/**
 * The bursts of a flush must fit the active buffer set: 250 x 1,000 x 104 bytes = 26 MB of 32 MiB.
 */
const BURSTS_PER_FLUSH = 250
const MODES = ['file', 'shm', false]
const modeName = mode => (mode === false ? 'off' : mode)

function cases({ peers: wanted }) {
  return [
    ...MODES.map(crashSafe => ({ id: `shardlog ${modeName(crashSafe)}`, params: { subject: 'shardlog', crashSafe } })),
    { id: 'shardlog js', params: { subject: 'shardlog', crashSafe: false, engine: 'js' } },
    ...peers.ofEntries(wanted).map(peer => ({ id: peer.name, params: { subject: 'peer', name: peer.name } }))
  ]
}

function run(params, context) {
  return params.subject === 'shardlog' ? runShardlog(params, context) : runPeer(params, context)
}

/**
 * Each floor in turn with the call it belongs to, all in this process, so that they meet the same
 * machine.
 */
async function runShardlog({ crashSafe, engine }, { folder, quick }) {
  const logger = subject.open(path.join(folder, 'burst.log'), { crashSafe, engine: engine ?? 'auto', flushInterval: 0 })
  const text = asciiText()
  const bytes = asciiBytes()
  const lanes = {
    log: [repeat('log'), logger, text],
    copyUtf8: [repeat('copyUtf8'), floor, text],
    streamUtf8: [repeat('streamUtf8'), floor, text],
    logBytes: [repeat('logBytes'), logger, bytes],
    copyBuffer: [repeat('copyBuffer'), floor, bytes],
    streamBuffer: [repeat('streamBuffer'), floor, bytes],
    empty: [repeat('empty'), floor, undefined]
  }
  const samples = Object.fromEntries(Object.keys(lanes).map(name => [name, []]))
  const warmup = quick ? 100 : 700
  const rounds = warmup + (quick ? 200 : 2000)
  for (let i = 0; i < rounds; i++) {
    for (const [name, [loop, target, value]] of Object.entries(lanes)) {
      const { ns } = timeBurst(loop, target, value)
      if (i >= warmup) samples[name].push(ns)
    }
    // Two bursts of shardlog a round.
    if (i % (BURSTS_PER_FLUSH / 2) === 0) await logger.flush()
    else await tick()
  }
  const stats = logger.getStatsSnapshot()
  await logger.close()
  if (stats.droppedLogs > 0) throw new Error(`${stats.droppedLogs} entries were dropped: the sink did not keep up`)
  return { ...mapValues(samples, summary), inForce: subject.inForce(stats) }
}

const mapValues = (object, f) => Object.fromEntries(Object.entries(object).map(([key, value]) => [key, f(value)]))

async function runPeer({ name }, { folder, quick }) {
  const peer = peers.find(name)
  const result = {}
  for (const kind of peer.kinds) {
    const open = await peer.open(path.join(folder, `${kind}.log`), kind)
    const value = kind === 'string' ? asciiText() : asciiBytes()
    result[kind === 'string' ? 'log' : 'logBytes'] = summary(await peerBursts(open, repeat(open.method), value, quick))
    await open.close()
  }
  return result
}

/** Median over rounds of a call's cost over its floor's, each pair from one process. */
const ratio = (rounds, call, floorName) => medianOf(rounds, round => round[call].median / round[floorName].median)

function comparisons(results) {
  const found = []
  const file = results['shardlog file']
  if (file) {
    found.push(
      atMost(`log, ${ENTRY_BYTES}-byte ASCII string, burst`, 1.5, file, 'log', 'copyUtf8'),
      atMost(`logBytes, ${ENTRY_BYTES}-byte Buffer, burst`, 1.1, file, 'logBytes', 'copyBuffer')
    )
  }
  const off = results['shardlog off']
  for (const mode of ['file', 'shm']) {
    const safe = results[`shardlog ${mode}`]
    if (!safe || !off) continue
    for (const [call, floorName] of [
      ['log', 'copyUtf8'],
      ['logBytes', 'copyBuffer']
    ]) {
      // Floors of the same process take the machine's drift out of the comparison of two processes.
      const extra = ratio(safe, call, floorName) / ratio(off, call, floorName) - 1
      found.push({
        measure: `crashSafe '${mode}' against false, ${call}`,
        bound: '≤ 10 %',
        figure: `${extra >= 0 ? '+' : ''}${format(extra * 100, 1)} %`,
        ok: extra <= 0.1
      })
    }
  }
  return found
}

/** A call beside the floor that it is held against. */
function atMost(measure, limit, rounds, call, floorName) {
  const value = ratio(rounds, call, floorName)
  const cost = `${format(
    medianOf(rounds, round => round[call].median),
    1
  )} ns over ${format(
    medianOf(rounds, round => round[floorName].median),
    1
  )} ns`
  return { measure, bound: `≤ ${limit} × the bare copy`, figure: `${format(value, 2)} × (${cost})`, ok: value <= limit }
}

function rowOf(name, rounds) {
  const cell = (call, which) =>
    rounds[0][call]
      ? format(
          medianOf(rounds, round => round[call][which]),
          1
        )
      : '–'
  return [name, ...['log', 'logBytes'].flatMap(call => ['median', 'mean', 'least'].map(which => cell(call, which)))]
}

function report(results) {
  const rows = Object.entries(results).map(([name, rounds]) => rowOf(name, rounds))
  const floors = Object.values(results)
    .filter(rounds => rounds[0].copyUtf8)
    .flat()
  if (floors.length > 0) {
    const floorRow = (title, text, bytes) =>
      rowOf(
        title,
        floors.map(round => ({ log: text && round[text], logBytes: bytes && round[bytes] }))
      )
    rows.push(
      floorRow('floor: N-API copy, one place', 'copyUtf8', 'copyBuffer'),
      floorRow('floor: N-API copy, through 64 MiB', 'streamUtf8', 'streamBuffer'),
      floorRow('floor: N-API call, nothing done', 'empty', 'empty')
    )
  }
  return {
    comparisons: comparisons(results),
    tables: [
      {
        title: 'ns per call, bursts of 1,000 while the sink keeps up',
        head: ['', 'string: median', 'mean', 'least', 'Buffer: median', 'mean', 'least'],
        rows
      }
    ],
    charts: [chart(results, floors)],
    notes: peers.peers
      .filter(peer => results[peer.name])
      .map(peer => `${peer.name} ${peers.version(peer)}: ${peer.note}`)
  }
}

function chart(results, floors) {
  const values = []
  const add = (name, rounds, call, kind) => {
    if (rounds[0]?.[call]) values.push({ name, kind, value: medianOf(rounds, round => round[call].median) })
  }
  for (const [name, rounds] of Object.entries(results)) {
    add(name, rounds, 'log', 'string')
    add(name, rounds, 'logBytes', 'Buffer')
  }
  add('floor: bare copy', floors, 'copyUtf8', 'string')
  add('floor: bare copy', floors, 'copyBuffer', 'Buffer')
  return {
    title: 'Cost of a call in a burst',
    caption:
      'Median ns per call of a 100-byte entry, log scale: less is better. Floors are N-API calls that only copy.',
    spec: bars(values, { x: 'ns per call', log: true, digits: 0 })
  }
}

module.exports = { name: 'burst', title: 'Cost of a call in bursts', cases, run, report }
