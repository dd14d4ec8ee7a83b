'use strict'

const path = require('node:path')
const { EMPTY, FLUSH_INTERVAL_MS, emptyFunction, idOf, measure, report } = require('../paced-calls')
const peers = require('../peers')
const { callText, workloads } = require('../record-workloads')
const subject = require('../subject')

const RATE = 100_000
const SECONDS = 5
const OWN = 'shardlog ndjson, 4 fields'
const { login } = workloads

function cases({ peers: wanted }) {
  return [
    { id: idOf(EMPTY, RATE), params: { subject: 'empty' } },
    { id: idOf(OWN, RATE), params: { subject: 'shardlog' } },
    ...peers.pinos(wanted).map(({ name }) => ({ id: idOf(name, RATE), params: { subject: 'peer', name } }))
  ]
}

async function run(params, { folder, quick }) {
  const open = await openSubject(params, path.join(folder, 'latency.ndjson'))
  return measure({ ...open, value: login.value }, RATE, quick ? 0.3 : SECONDS)
}

async function openSubject({ subject: kind, name }, file) {
  // The same call, though V8 may leave the object out where it inlines the function: making it
  // counts as the logger's then.
  if (kind === 'empty')
    return {
      ...emptyFunction(),
      call: callText(login, { call: ({ fields, message }) => `target.nothing({ ${fields} }, ${message})` })
    }
  if (kind === 'shardlog') return openShardlog(file)
  const peer = peers.find(name)
  return { ...(await peer.open(file, 'record')), call: callText(login, peer.records) }
}

function openShardlog(file) {
  const { target, flush, close, stats } = subject.openRecords(file, {
    format: 'ndjson',
    onFull: 'drop',
    flushInterval: FLUSH_INTERVAL_MS
  })
  return {
    target,
    call: callText(login),
    // Both sets twice, nearly full each time, so that their pages are there.
    warmup: { bursts: 4, calls: 250_000 },
    settle: flush,
    close: async () => {
      const { droppedLogs, flushes, ...rest } = stats()
      await close()
      if (droppedLogs > 0) throw new Error(`${droppedLogs} lines were dropped while latency was measured`)
      return { flushes, inForce: subject.inForce(rest) }
    }
  }
}

module.exports = {
  name: 'records-latency',
  title: 'Structured logging: latency of single calls',
  cases,
  run,
  report: results => report(results, [RATE], 'Structured logging: latency')
}
