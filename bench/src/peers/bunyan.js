'use strict'

const fs = require('node:fs')
const { once } = require('node:events')
const { setImmediate: tick } = require('node:timers/promises')

const peer = {
  name: 'bunyan',
  package: 'bunyan',
  kinds: ['string'],
  note: 'info(text) as JSON, a file stream',
  sustainedEntries: 200_000,
  async open(file) {
    const bunyan = require('bunyan')
    const stream = fs.createWriteStream(file)
    await once(stream, 'open')
    return {
      target: bunyan.createLogger({ name: 'bench', streams: [{ stream }] }),
      method: 'info',
      settle: async () => {
        if (stream.writableNeedDrain) await once(stream, 'drain')
        else await tick()
      },
      close: () => new Promise((resolve, reject) => stream.end(error => (error ? reject(error) : resolve())))
    }
  }
}

module.exports = { peer }
