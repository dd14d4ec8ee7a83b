'use strict'

/**
 * A Fastify service in a process of its own: `node service.js LOGGING FILE`. Its parent hears of
 * the port, and of its figures when it sends a message; when the parent disconnects, it ends.
 */
const { threadUsage } = require('../floor')
const { loggings } = require('./loggings')

const [name, file] = process.argv.slice(2)

const figures = () => ({
  cpuNs: Object.values(process.cpuUsage()).reduce((a, b) => a + b) * 1000,
  main: threadUsage(),
  loop: performance.eventLoopUtilization()
})

async function main() {
  const app = require('fastify')(await loggings[name].open(file))
  app.get('/items/:id', async request => ({ item: request.params.id, name: 'cup', price: 4.2 }))
  await app.listen({ host: '127.0.0.1', port: 0 })
  process.on('message', () => process.send(figures()))
  process.send({ port: app.server.address().port })
  process.once('disconnect', async () => {
    await app.close()
    process.exit(0)
  })
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
