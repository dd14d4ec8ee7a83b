'use strict'

const assert = require('node:assert')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { MB, account, logInSlices, mostLost, rates, table } = require('../account')
const { verifyLines } = require('../line-walker')
const { repeatCall } = require('../loops')
const { medianOf, format } = require('../numbers')
const peers = require('../peers')
const { callText, fieldsOf, workloads } = require('../record-workloads')
const { bars } = require('../report/charts')
const subject = require('../subject')

/** 1.4 GB of lines. */
const LINES = 10_000_000
const PINO_INFO = 30
/** 64 MiB are what `new Logger` has; the difference is what a destination's default of 8 costs. */
const OWN = {
  'shardlog ndjson': {},
  'shardlog ndjson off': { crashSafe: false },
  'shardlog ndjson, 64 MiB': { bufferSize: 64 * 1024 * 1024 }
}
const { login } = workloads

function cases({ peers: wanted }) {
  return [
    ...Object.entries(OWN).map(([id, config]) => ({ id, params: { subject: 'shardlog', config } })),
    ...peers.pinos(wanted).map(({ name }) => ({ id: name, params: { subject: 'peer', name } }))
  ]
}

async function run(params, { folder, quick }) {
  const file = path.join(folder, 'records.ndjson')
  const began = Date.now()
  const figures =
    params.subject === 'shardlog' ? await runShardlog(params, file, quick) : await runPeer(params, file, quick)
  return {
    ...figures,
    fileMbPerSecond: fs.statSync(file).size / MB / figures.seconds,
    lost: verify(file, figures.entries, began)
  }
}

async function runShardlog({ config }, file, quick) {
  const count = quick ? LINES / 20 : LINES
  const open = subject.openRecords(file, { format: 'ndjson', onFull: 'block', blockTimeout: Infinity, ...config })
  const loop = repeatCall(callText(login))
  const figures = await account(async () => {
    loop(open.target, login.value, count, 0)
    await open.close()
    return count
  })
  return { ...figures, inForce: subject.inForce(open.stats()) }
}

async function runPeer({ name }, file, quick) {
  const peer = peers.find(name)
  const count = quick ? peer.sustainedEntries / 10 : peer.sustainedEntries
  const open = await peer.open(file, 'record')
  const loop = repeatCall(callText(login, peer.records))
  return account(() => logInSlices(open, loop, login.value, count))
}

/**
 * Returns how many lines are not there; throws if one is out of its place, or one that is looked at
 * says something else.
 */
function verify(file, count, began) {
  const expected = fieldsOf(login)
  const own = { level: PINO_INFO, pid: process.pid, hostname: os.hostname(), msg: 'user login' }
  return verifyLines(file, {
    count,
    marker: '"userId":',
    ending: ',"msg":"user login"}',
    check: ({ time, ...record }, number) => {
      assert.deepStrictEqual(record, { ...own, ...expected(number) })
      assert(time >= began && time <= Date.now(), `line ${number} has the time ${time}`)
    }
  })
}

/** The best that any mode of pino reaches. */
function best(results, figure, choose) {
  const found = peers
    .pinos(peers.peers)
    .filter(({ name }) => results[name])
    .map(({ name }) => ({ name, value: medianOf(results[name], figure) }))
  return found.length > 0 ? found.reduce((a, b) => (choose(a.value, b.value) === a.value ? a : b)) : undefined
}

function comparisons(results) {
  const rounds = results['shardlog ndjson']
  if (!rounds) return []
  const lost = mostLost(rounds)
  const found = [
    {
      measure: `${format(rounds[0].entries)} lines of NDJSON sustained, lost`,
      bound: '0',
      figure: format(lost),
      ok: lost === 0
    }
  ]
  const fastest = best(results, 'entriesPerSecond', Math.max)
  const leanest = best(results, 'cpuNsPerEntry', Math.min)
  if (!fastest) return found
  const faster = medianOf(rounds, 'entriesPerSecond') / fastest.value
  const leaner = leanest.value / medianOf(rounds, 'cpuNsPerEntry')
  found.push(
    {
      measure: "NDJSON sustained, lines/s against pino's fastest mode",
      bound: '≥ 10 ×',
      figure: `${format(faster, 1)} × ${fastest.name}`,
      ok: faster >= 10
    },
    {
      measure: "NDJSON sustained, CPU per line against pino's leanest mode",
      bound: '≥ 8 × less',
      figure: `${format(leaner, 1)} × less than ${leanest.name}`,
      ok: leaner >= 8
    }
  )
  return found
}

function report(results) {
  return {
    comparisons: comparisons(results),
    tables: [table(results, 'one producer, lines of 4 fields into a file, until it is complete', 'lines')],
    charts: [
      {
        title: 'Structured logging, sustained',
        caption:
          'Lines of JSON per second until the file is complete, log scale: more is better. shardlog’s are on the device (O_DSYNC); pino’s are in the page cache.',
        spec: bars(rates(results), { x: 'lines per second', log: true, digits: 0, descending: true })
      }
    ],
    notes: [
      'every file is read back: each line carries its number, all must be there, in order; every thousandth is parsed and compared',
      'shardlog blocks when its buffers are full; off: crashSafe false; pino logs fewer lines, since its rate does not depend on it'
    ]
  }
}

module.exports = { name: 'records-sustained', title: 'Structured logging: sustained', cases, run, report }
