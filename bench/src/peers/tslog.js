'use strict'

const { openFileStream } = require('./file-stream')

/** Its meta data have the host's name and not the process id. */
const OWN = { pid: process.pid }

const peer = {
  name: 'tslog',
  package: 'tslog',
  kinds: [],
  records: {
    note: 'info(record) as JSON with pid and its meta data but for the position in the code; a file stream',
    call: ({ fields, message }) => `target.info({ ${fields}, msg: ${message} })`,
    child: (logger, bindings) => logger.getSubLogger({}, { ...OWN, ...bindings })
  },
  async open(file) {
    const { Logger } = require('tslog')
    const { stream, settle, close } = await openFileStream(file)
    const logger = new Logger(
      {
        type: 'hidden',
        hideLogPositionForProduction: true,
        attachedTransports: [record => stream.write(`${JSON.stringify(record)}\n`)]
      },
      OWN
    )
    return { target: logger, method: 'info', settle, close }
  }
}

module.exports = { peer }
