'use strict'

/**
 * A worker thread that records for as many ms as it is told, and answers with percentiles of its
 * calls in ns, the clock's own time included; it ends at 0.
 */
const { parentPort, workerData } = require('node:worker_threads')

const { Recorder } = require(workerData.root)
const recorder = new Recorder(workerData.options)
const MOST_NS = 1 << 16
/** Calls between two events, so that a second of them is not the whole ring many times over. */
const calls = new Uint32Array(MOST_NS)

function work(ms) {
  calls.fill(0)
  let count = 0
  const end = process.hrtime.bigint() + BigInt(ms) * 1_000_000n
  for (let before = process.hrtime.bigint(); before < end; ) {
    recorder.record('debug', 'bench', 'user login', { userId: count, ip: '10.0.0.1', ok: true, ms: 1.5 })
    const after = process.hrtime.bigint()
    calls[Math.min(MOST_NS - 1, Number(after - before))]++
    count++
    before = process.hrtime.bigint()
  }
  return { p50: percentile(count, 0.5), p999: percentile(count, 0.999), count }
}

function percentile(count, share) {
  let left = count * share
  for (let ns = 0; ns < MOST_NS; ns++) {
    left -= calls[ns]
    if (left <= 0) return ns
  }
  return MOST_NS
}

parentPort.on('message', ms => {
  if (ms > 0) parentPort.postMessage(work(ms))
  else {
    recorder.close()
    parentPort.close()
  }
})
work(50)
parentPort.postMessage('ready')
