'use strict'

const { asPino } = require('../record-text')
const { openFileStream } = require('./file-stream')

const peer = {
  name: 'bunyan',
  package: 'bunyan',
  kinds: ['string'],
  note: 'info(text) as JSON, a file stream',
  sustainedEntries: 200_000,
  records: {
    note: 'info(fields, message) as JSON with name, level, time, pid, hostname; a file stream',
    ...asPino
  },
  async open(file) {
    const bunyan = require('bunyan')
    const { stream, settle, close } = await openFileStream(file)
    return {
      target: bunyan.createLogger({ name: 'bench', streams: [{ stream }] }),
      method: 'info',
      settle,
      close
    }
  }
}

module.exports = { peer }
