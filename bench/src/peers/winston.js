'use strict'

const { once } = require('node:events')
const { setImmediate: tick } = require('node:timers/promises')

const peer = {
  name: 'winston',
  package: 'winston',
  kinds: ['string'],
  note: 'info(text) as JSON, File transport',
  sustainedEntries: 100_000,
  async open(file) {
    const winston = require('winston')
    const transport = new winston.transports.File({ filename: file })
    const logger = winston.createLogger({ format: winston.format.json(), transports: [transport] })
    await once(transport, 'open')
    return {
      target: logger,
      method: 'info',
      settle: async () => {
        while (logger.writableLength > 0 || transport.writableLength > 0) await tick()
      },
      close: async () => {
        const finished = once(transport, 'finish')
        logger.end()
        await finished
      }
    }
  }
}

module.exports = { peer }
