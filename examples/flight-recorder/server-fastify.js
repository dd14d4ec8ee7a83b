'use strict'

/**
 * A Fastify service. Its log has 'info' and graver; the recorder has every level, and what the
 * console, warnings and the event loop tell. What an error handler sees is worth a snapshot.
 *
 *   PORT=3000 node server-fastify.js [DIRECTORY]
 */
const os = require('node:os')
const path = require('node:path')
const fastify = require('fastify')
const shardlog = require('shardlog')

const directory = process.argv[2] ?? os.tmpdir()
const log = shardlog(
  {
    name: 'orders',
    level: 'info',
    recorder: { directory, capture: { console: true, warnings: true, stalls: 200 } }
  },
  shardlog.destination({ dest: path.join(directory, 'orders.log'), format: 'ndjson' })
)

const app = fastify({ loggerInstance: log })

app.get('/orders/:id', async request => {
  request.log.debug({ order: request.params.id }, 'order looked up')
  if (request.params.id === '13') throw new Error('order 13 is broken')
  return { id: request.params.id }
})

app.setErrorHandler(async (error, request, reply) => {
  request.log.error(error)
  const snapshot = await log.snapshot('request failed')
  reply.code(500).send({ error: error.message, snapshot: path.basename(snapshot) })
})

process.once('SIGTERM', () => app.close().then(() => log.close()))
app
  .listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 3000) })
  .then(url => console.log(`listening at ${url}`))
