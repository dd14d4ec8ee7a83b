'use strict'

const { once } = require('node:events')
const os = require('node:os')
const { setImmediate: tick } = require('node:timers/promises')

const peer = {
  name: 'winston',
  package: 'winston',
  kinds: ['string'],
  note: 'info(text) as JSON, File transport',
  sustainedEntries: 100_000,
  records: {
    note: 'info(message, fields) as JSON with level, timestamp, pid, hostname; File transport',
    call: ({ fields, message }) => `target.info(${message}, { ${fields} })`,
    child: (logger, bindings) => logger.child(bindings)
  },
  async open(file, kind) {
    const winston = require('winston')
    const transport = new winston.transports.File({ filename: file })
    const { combine, json, timestamp } = winston.format
    const logger = winston.createLogger({
      transports: [transport],
      ...(kind === 'record'
        ? { format: combine(timestamp(), json()), defaultMeta: { pid: process.pid, hostname: os.hostname() } }
        : { format: json() })
    })
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
