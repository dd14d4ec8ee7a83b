'use strict'

const os = require('node:os')
const { asPino } = require('../record-text')
const { openFileStream } = require('./file-stream')

const peer = {
  name: 'roarr',
  package: 'roarr',
  kinds: [],
  records: {
    note: 'info(fields, message) as JSON with its sequence and time, pid and hostname as context; a file stream',
    ...asPino
  },
  async open(file) {
    // Read when the package is loaded; without it nothing is logged.
    process.env.ROARR_LOG = 'true'
    const { Roarr, ROARR } = require('roarr')
    const { stream, settle, close } = await openFileStream(file)
    ROARR.write = line => stream.write(`${line}\n`)
    return { target: Roarr.child({ pid: process.pid, hostname: os.hostname() }), method: 'info', settle, close }
  }
}

module.exports = { peer }
