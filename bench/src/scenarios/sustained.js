'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { MB, account, logInSlices, mostLost, rates, table } = require('../account')
const { ENTRY_BYTES, asciiText, asciiBytes } = require('../entries')
const floor = require('../floor')
const { walkLog } = require('../log-walker')
const { repeat, repeatNumbered } = require('../loops')
const { medianOf, format } = require('../numbers')
const peers = require('../peers')
const subject = require('../subject')
const { bars } = require('../report/charts')

/** 40 million entries of 100 bytes: 4 GB of payload, 4.2 GB of file. */
const ENTRIES = 40_000_000
const JS_ENGINE_ENTRIES = 4_000_000
const RAW_BYTES = 4e9
/**
 * The engine writes at most 32 MiB at a time; the raw figure is the better of the two, so that it
 * does not flatter.
 */
const RAW_CHUNKS = [4, 32].map(mebibytes => mebibytes * 1024 * 1024)

function cases({ peers: wanted }) {
  return [
    ...RAW_CHUNKS.map(chunk => ({ id: rawId(chunk), params: { subject: 'raw', chunk } })),
    { id: 'shardlog logBytes', params: { subject: 'shardlog', method: 'logBytes', entries: ENTRIES } },
    { id: 'shardlog log', params: { subject: 'shardlog', method: 'log', entries: ENTRIES } },
    {
      id: 'shardlog logBytes, js engine',
      params: { subject: 'shardlog', method: 'logBytes', entries: JS_ENGINE_ENTRIES, engine: 'js' }
    },
    ...wanted.flatMap(peer =>
      peer.kinds.map(kind => ({
        id: kind === 'bytes' ? `${peer.name} (Buffer)` : peer.name,
        params: { subject: 'peer', name: peer.name, kind }
      }))
    )
  ]
}

const rawId = chunk => `raw O_DIRECT|O_DSYNC, ${chunk / 1024 / 1024} MiB writes`

function run(params, context) {
  if (params.subject === 'raw') return runRaw(params, context)
  return params.subject === 'shardlog' ? runShardlog(params, context) : runPeer(params, context)
}

async function runRaw({ chunk }, { folder, quick }) {
  const { bytes, seconds, direct } = floor.rawWrite(
    path.join(folder, 'raw.bin'),
    quick ? RAW_BYTES / 20 : RAW_BYTES,
    chunk
  )
  return { mbPerSecond: bytes / MB / seconds, direct }
}

const bandwidth = ({ entriesPerSecond }) => (entriesPerSecond * ENTRY_BYTES) / MB

async function runShardlog({ method, entries, engine }, { folder, quick }) {
  const file = path.join(folder, 'sustained.log')
  const count = quick ? entries / 20 : entries
  const logger = subject.open(file, {
    onFull: 'block',
    blockTimeout: Infinity,
    engine: engine ?? 'auto',
    crashSafe: engine === 'js' ? false : 'file'
  })
  let stats
  const figures = await account(async () => {
    logAll(logger, method, count)
    await logger.close()
    stats = logger.getStatsSnapshot()
    return count
  })
  return {
    ...figures,
    fileMbPerSecond: stats.bytesWritten / MB / figures.seconds,
    lost: verify(file, stats, count, method),
    inForce: subject.inForce(stats)
  }
}

function logAll(logger, method, count) {
  if (method === 'log') return repeat('log')(logger, asciiText(), count)
  const bytes = asciiBytes()
  repeatNumbered('logBytes')(logger, bytes, new Uint32Array(bytes.buffer, 0, 1), 0, count)
}

/**
 * Reads the whole file back. Returns how many entries are not there; throws if one is out of its
 * place or changed.
 */
function verify(file, stats, count, method) {
  let next = 0
  const { entries } = walkLog(file, (window, at, length) => {
    if (length !== ENTRY_BYTES) throw new Error(`entry ${next} has ${length} bytes`)
    if (method === 'logBytes' && window.readUInt32LE(at) !== next)
      throw new Error(`entry ${next} says it is ${window.readUInt32LE(at)}`)
    next++
  })
  if (stats.droppedLogs !== count - entries)
    throw new Error(`${stats.droppedLogs} counted as dropped, ${count - entries} missing`)
  return count - entries
}

async function runPeer({ name, kind }, { folder, quick }) {
  const peer = peers.find(name)
  const file = path.join(folder, 'sustained.log')
  const count = quick ? peer.sustainedEntries / 10 : peer.sustainedEntries
  const open = await peer.open(file, kind)
  const value = kind === 'string' ? asciiText() : asciiBytes()
  const figures = await account(() => logInSlices(open, repeat(open.method), value, count))
  const bytes = fs.statSync(file).size
  return {
    ...figures,
    mbPerSecond: bandwidth(figures),
    lost: bytes < count * ENTRY_BYTES ? count - Math.floor(bytes / ENTRY_BYTES) : 0
  }
}

function bestRaw(results) {
  const raw = RAW_CHUNKS.filter(chunk => results[rawId(chunk)]).map(chunk =>
    medianOf(results[rawId(chunk)], 'mbPerSecond')
  )
  return raw.length > 0 ? Math.max(...raw) : Number.NaN
}

function bestPeer(results) {
  const found = Object.entries(results)
    .filter(([id]) => !id.startsWith('shardlog') && !id.startsWith('raw'))
    .map(([id, rounds]) => ({ id, rate: medianOf(rounds, 'entriesPerSecond') }))
  return found.sort((a, b) => b.rate - a.rate)[0]
}

function comparisons(results) {
  const found = []
  const raw = bestRaw(results)
  const peer = bestPeer(results)
  for (const method of ['logBytes', 'log']) {
    const rounds = results[`shardlog ${method}`]
    if (!rounds) continue
    const lost = mostLost(rounds)
    const gigabytes = (rounds[0].entries * ENTRY_BYTES) / 1e9
    found.push({
      measure: `${method}, ${format(gigabytes, 1)} GB sustained, entries lost`,
      bound: '0',
      figure: format(lost),
      ok: lost === 0
    })
    if (Number.isFinite(raw)) {
      const share = medianOf(rounds, 'fileMbPerSecond') / raw
      found.push({
        measure: `${method}, sustained, of the raw bandwidth`,
        bound: '≥ 70 %',
        figure: `${format(share * 100)} % of ${format(raw)} MB/s`,
        ok: share >= 0.7
      })
    }
    if (peer) {
      const times = medianOf(rounds, 'entriesPerSecond') / peer.rate
      found.push({
        measure: `${method}, sustained, against the best peer`,
        bound: '≥ 4 ×',
        figure: `${format(times, 1)} × ${peer.id}`,
        ok: times >= 4
      })
    }
  }
  return found
}

function report(results) {
  return {
    comparisons: comparisons(results),
    tables: [table(results, 'one producer, 100-byte entries, until the file is complete', 'entries')],
    charts: [
      {
        title: 'Sustained throughput',
        caption:
          'Entries per second until the file is complete, log scale: more is better. shardlog’s are on the device (O_DSYNC); the peers’ are in the page cache.',
        spec: bars(rates(results), { x: 'entries per second', log: true, digits: 0, descending: true })
      }
    ],
    notes: [
      'shardlog blocks when its buffers are full; its file is read back entry by entry, each logBytes entry carrying its number',
      'peers log fewer entries, since their rate does not depend on it; nothing is flushed to the device for them'
    ]
  }
}

module.exports = { name: 'sustained', title: 'Sustained throughput', cases, run, report }
