'use strict'

/**
 * The same as an Express service.
 *
 *   PORT=3000 node server-express.js [DIRECTORY]
 */
const os = require('node:os')
const path = require('node:path')
const express = require('express')
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

const app = express()

app.use((request, response, next) => {
  log.debug({ method: request.method, url: request.url }, 'request')
  response.once('finish', () => log.debug({ url: request.url, status: response.statusCode }, 'response'))
  next()
})

app.get('/orders/:id', (request, response) => {
  if (request.params.id === '13') throw new Error('order 13 is broken')
  response.json({ id: request.params.id })
})

// Express knows it for an error handler by its four parameters.
app.use(async (error, _request, response, _next) => {
  log.error(error)
  const snapshot = await log.snapshot('request failed')
  response.status(500).json({ error: error.message, snapshot: path.basename(snapshot) })
})

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`listening at http://127.0.0.1:${server.address().port}`)
})
process.once('SIGTERM', () => server.close(() => log.close()))
