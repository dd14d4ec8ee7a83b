'use strict'

const path = require('node:path')
const { makeOrder, makeSites } = require('../call-sites')
const { EMPTY, FLUSH_INTERVAL_MS, SPREAD, emptyFunction, idOf, measure, report } = require('../paced-calls')
const peers = require('../peers')
const { callText, workloads } = require('../record-workloads')
const subject = require('../subject')

const RATE = 100_000
const SECONDS = 5
const OWN = 'shardlog ndjson, 4 fields'
const { login } = workloads
const SITES = 20

function cases({ peers: wanted }) {
  const one = (name, params) => ({ id: idOf(name, RATE), params })
  const pinos = peers.pinos(wanted).map(({ name }) => name)
  return [
    one(EMPTY, { subject: 'empty' }),
    one(OWN, { subject: 'shardlog' }),
    ...pinos.map(name => one(name, { subject: 'peer', name })),
    one(`${EMPTY}, ${SPREAD}`, { subject: 'empty', spread: true }),
    one(`shardlog ndjson, ${SPREAD}`, { subject: 'shardlog', spread: true }),
    ...pinos.map(name => one(`${name}, ${SPREAD}`, { subject: 'peer', name, spread: true }))
  ]
}

async function run(params, { folder, quick }) {
  const open = await openSubject(params, path.join(folder, 'latency.ndjson'))
  return measure(params.spread ? spread(open) : { ...open, value: login.value }, RATE, quick ? 0.3 : SECONDS)
}

/** The same, called from the sites of the scenario `call-sites`. */
function spread(open) {
  const order = makeOrder(SITES)
  const value = { sites: makeSites(SITES), order }
  return { ...open, call: `value.sites[value.order[i & ${order.length - 1}]](target, i)`, value }
}

async function openSubject({ subject: kind, name }, file) {
  // The same call, though V8 may leave the object out where it inlines the function: making it
  // counts as the logger's then.
  if (kind === 'empty')
    return {
      ...emptyFunction(),
      target: { nothing() {}, info() {} },
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
    // Each burst fills both sets, so that their pages are there, and not more than they take.
    warmup: { bursts: 50, calls: 20_000 },
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
