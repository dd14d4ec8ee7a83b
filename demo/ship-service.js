'use strict'

// The service of `npm run demo:ship`: logs 2,000 records a second by a configuration, and tells its
// parent how many calls returned, how long they took and what its shipping thread has counted.
//
//   node demo/ship-service.js CONFIG

const { createHistogram } = require('node:perf_hooks')
const { configure } = require('..')

const RATE = 2_000
const TICK_MS = 10
const TELL_MS = 500
const NS_PER_US = 1e3

const logging = configure(process.argv[2], { onError: () => undefined })
const log = logging.getLogger('shop.orders')
const calls = createHistogram()
const start = Date.now()
let n = 0

const work = setInterval(() => {
  for (const due = ((Date.now() - start) * RATE) / 1000; n < due; n++) {
    const before = process.hrtime.bigint()
    log.info({ order: n }, 'order taken')
    calls.record(Math.max(1, Number(process.hrtime.bigint() - before)))
  }
}, TICK_MS)

function tell() {
  const { shipped = 0, lagBytes = 0, circuit = 'closed' } = logging.stats().remote
  const [p50, p999] = [50, 99.9].map(share => calls.percentile(share) / NS_PER_US)
  process.send({ accepted: n, shipped, lagBytes, circuit, p50, p999, rss: process.memoryUsage().rss })
}
const telling = setInterval(tell, TELL_MS)

process.on('message', async () => {
  clearInterval(work)
  clearInterval(telling)
  await logging.close()
  tell()
  process.disconnect()
})
