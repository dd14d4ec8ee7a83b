'use strict'

/**
 * A service in a process of its own: `node service.js FRAMEWORK LOGGING FILE`. Its parent hears of
 * the port, and of its figures when it sends a message; when the parent disconnects, it ends.
 */
const { threadUsage } = require('../floor')
const { frameworks } = require('./frameworks')
const { loggings } = require('./loggings')

const [framework, logging, file] = process.argv.slice(2)

const figures = () => ({
  cpuNs: Object.values(process.cpuUsage()).reduce((a, b) => a + b) * 1000,
  main: threadUsage(),
  loop: performance.eventLoopUtilization()
})

async function main() {
  const service = await frameworks[framework].start(await loggings[logging].open(file))
  process.on('message', () => process.send(figures()))
  process.send({ port: service.port })
  process.once('disconnect', async () => {
    await service.close()
    process.exit(0)
  })
}

main().catch(error => {
  console.error(error)
  process.exit(1)
})
