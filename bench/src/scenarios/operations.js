'use strict'

const path = require('node:path')
const Benchmark = require('benchmark')
const { asciiText, asciiBytes } = require('../entries')
const floor = require('../floor')
const { repeat } = require('../loops')
const { medianOf, format } = require('../numbers')
const peers = require('../peers')
const subject = require('../subject')

const SLICE = 1000

function cases({ peers: wanted }) {
  return [
    { id: 'shardlog and floors', params: { subject: 'shardlog' } },
    ...peers.ofEntries(wanted).map(peer => ({ id: peer.name, params: { subject: 'peer', name: peer.name } }))
  ]
}

async function run(params, { folder, quick }) {
  const options = { maxTime: quick ? 0.1 : 0.3, minSamples: 5 }
  return params.subject === 'shardlog' ? runShardlog(folder, options) : runPeer(params, folder, options)
}

/**
 * Operations per second of a test as the `benchmark` package finds them, and its relative margin of
 * error in per cent.
 */
function measure(options, test) {
  return new Promise((resolve, reject) => {
    new Benchmark({
      ...options,
      ...test,
      async: true,
      onComplete: ({ target }) => resolve({ perSecond: target.hz * SLICE, margin: target.stats.rme }),
      onError: ({ target }) => reject(target.error)
    }).run()
  })
}

/**
 * One operation of `benchmark` is a thousand calls: its own cost per operation is that of a call
 * here.
 */
async function runShardlog(folder, options) {
  const logger = subject.open(path.join(folder, 'operations.log'), { onFull: 'block' })
  const lanes = [
    ['shardlog log', 'log', logger, asciiText()],
    ['shardlog logBytes', 'logBytes', logger, asciiBytes()],
    ['floor: N-API copy of the string', 'copyUtf8', floor, asciiText()],
    ['floor: N-API copy of the Buffer', 'copyBuffer', floor, asciiBytes()],
    ['floor: empty N-API call', 'empty', floor, undefined]
  ]
  const result = {}
  for (const [name, method, target, value] of lanes) {
    const loop = repeat(method)
    result[name] = await measure(options, { fn: () => void loop(target, value, SLICE) })
    await logger.flush()
  }
  const { droppedLogs } = logger.getStatsSnapshot()
  await logger.close()
  if (droppedLogs > 0) throw new Error(`${droppedLogs} entries were dropped`)
  return result
}

/**
 * A peer that buffers without bound must be let write between two thousands, so its sink's time is
 * in the figure.
 */
async function runPeer({ name }, folder, options) {
  const peer = peers.find(name)
  const result = {}
  for (const kind of peer.kinds) {
    const { target, method, settle, close } = await peer.open(path.join(folder, `${kind}.log`), kind)
    const loop = repeat(method)
    const value = kind === 'string' ? asciiText() : asciiBytes()
    result[kind === 'bytes' ? `${name} (Buffer)` : name] = await measure(options, {
      defer: true,
      fn: deferred => settle(loop(target, value, SLICE)).then(() => deferred.resolve())
    })
    await close()
  }
  return result
}

function report(results) {
  const rows = Object.values(results).flatMap(rounds =>
    Object.keys(rounds[0]).map(name => [
      name,
      format(medianOf(rounds, round => round[name].perSecond)),
      `± ${format(
        medianOf(rounds, round => round[name].margin),
        1
      )} %`
    ])
  )
  return {
    comparisons: [],
    tables: [
      {
        title: 'calls per second, the sink’s time included (benchmark 2.1.4)',
        head: ['', 'calls/s', 'within a run'],
        rows
      }
    ],
    charts: [],
    notes: ["shardlog: onFull 'block'; the producer waits for the disk when its buffers are full"]
  }
}

module.exports = { name: 'operations', title: 'Operations per second', timeoutMs: 40_000, cases, run, report }
