'use strict'

/**
 * The service: a small shop on 127.0.0.1, written as one with Fastify's own logger would be. Its
 * logger is ours: that is one line. Its parent hears of the port, and twice a second of the
 * logger's counters.
 */
const fastify = require('fastify')
const shardlog = require('..')

const REPORT_INTERVAL_MS = 500

const destination = shardlog.destination({ dest: process.argv[2], format: 'ndjson' })
const app = fastify({
  loggerInstance: shardlog({ level: 'info' }, destination),
  requestIdHeader: 'x-request-id'
})

app.get('/items/:id', async request => ({ request: request.id, item: request.params.id, price: 4.2 }))

app.post('/orders', async (request, reply) => {
  const { item, quantity } = request.body
  request.log.info({ item, quantity }, 'order placed')
  reply.code(201)
  return { request: request.id, item, quantity }
})

const report = () =>
  process.send({
    stats: destination.getStatsSnapshot(),
    flushes: destination.getFlushMetrics(),
    shards: destination.getShardStats()
  })

async function stop() {
  clearInterval(reports)
  await app.close()
  process.disconnect()
}

const reports = setInterval(report, REPORT_INTERVAL_MS)
process.once('SIGTERM', stop)
// Without its parent the service has nobody to serve.
process.once('disconnect', () => process.exit())
app.listen({ host: '127.0.0.1', port: 0 }).then(url => process.send({ url }))
