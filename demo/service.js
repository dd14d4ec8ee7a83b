'use strict'

/**
 * The service: a small shop on 127.0.0.1. Every request leaves an access line, logged before its answer is sent; orders
 * leave an event as well. Its parent hears of the port, and twice a second of the logger's counters.
 */
const fastify = require('fastify')
const { Logger } = require('..')

const LINE_BYTES = 1024
const REPORT_INTERVAL_MS = 500

const logger = new Logger({ logFilePath: process.argv[2], flushInterval: 1000 })
const app = fastify()
/** Lines are put together here and copied out during the call: no garbage per request but the line's text. */
const scratch = Buffer.allocUnsafe(LINE_BYTES)

/** Common log format, the request's id at the end. */
function logAccess(request, reply) {
  const stamp = new Date().toISOString()
  const text = `${request.ip} - - [${stamp}] "${request.method} ${request.url} HTTP/${request.raw.httpVersion}" ${reply.statusCode} id=${request.headers['x-request-id']}`
  logger.logBytes(scratch, 0, scratch.write(text, 'utf8'))
}

app.addHook('onSend', async (request, reply) => logAccess(request, reply))

app.get('/items/:id', async request => ({
  request: request.headers['x-request-id'],
  item: request.params.id,
  price: 4.2
}))

app.post('/orders', async (request, reply) => {
  const { item, quantity } = request.body
  logger.log(`{"event":"order placed","item":${JSON.stringify(item)},"quantity":${quantity}}`)
  reply.code(201)
  return { request: request.headers['x-request-id'], item, quantity }
})

const report = () =>
  process.send({ stats: logger.getStatsSnapshot(), flushes: logger.getFlushMetrics(), shards: logger.getShardStats() })

async function stop() {
  clearInterval(reports)
  await app.close()
  await logger.close()
  process.disconnect()
}

const reports = setInterval(report, REPORT_INTERVAL_MS)
process.once('SIGTERM', stop)
// Without its parent the service has nobody to serve.
process.once('disconnect', () => process.exit())
app.listen({ host: '127.0.0.1', port: 0 }).then(url => process.send({ url }))
