'use strict'

const path = require('node:path')
const { asciiText, asciiBytes } = require('../entries')
const { callOf } = require('../loops')
const { EMPTY, FLUSH_INTERVAL_MS, emptyFunction, idOf, measure, report } = require('../paced-calls')
const peers = require('../peers')
const subject = require('../subject')

const RATES = [100_000, 1_000_000]
/** Peers are asked for the lower rate only: most cannot keep the higher one up. */
const PEER_RATE = RATES[0]

function cases({ peers: wanted }) {
  return [
    ...RATES.flatMap(rate => [
      { id: idOf(EMPTY, rate), params: { subject: 'empty', rate } },
      { id: idOf('shardlog log', rate), params: { subject: 'shardlog', method: 'log', rate } },
      { id: idOf('shardlog logBytes', rate), params: { subject: 'shardlog', method: 'logBytes', rate } }
    ]),
    ...peers.ofEntries(wanted).map(peer => ({
      id: idOf(peer.name, PEER_RATE),
      params: { subject: 'peer', name: peer.name, rate: PEER_RATE }
    }))
  ]
}

async function run(params, context) {
  const open = await openSubject(params, context)
  return measure({ value: asciiText(), ...open, call: callOf(open.method) }, params.rate, secondsFor(params, context))
}

function secondsFor({ subject: kind }, { quick }) {
  if (quick) return 0.3
  return kind === 'peer' ? 2 : 5
}

function openSubject({ subject: kind, method, name }, { folder }) {
  const file = path.join(folder, 'latency.log')
  if (kind === 'shardlog') return openShardlog(file, method)
  return kind === 'empty' ? emptyFunction() : peers.find(name).open(file, 'string')
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

module.exports = {
  name: 'latency',
  title: 'Latency of single calls',
  cases,
  run,
  report: results => report(results, RATES, 'Latency')
}
