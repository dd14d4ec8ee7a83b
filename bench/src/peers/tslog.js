'use strict'

const { openFileStream } = require('./file-stream')

const peer = {
  name: 'tslog',
  package: 'tslog',
  kinds: [],
  records: {
    note: 'info(record) as JSON with its meta data but for the position in the code; a file stream',
    call: ({ fields, message }) => `target.info({ ${fields}, msg: ${message} })`,
    child: (logger, bindings) => logger.getSubLogger({}, bindings)
  },
  async open(file) {
    const { Logger } = require('tslog')
    const { stream, settle, close } = await openFileStream(file)
    const logger = new Logger({
      type: 'hidden',
      hideLogPositionForProduction: true,
      attachedTransports: [record => stream.write(`${JSON.stringify(record)}\n`)]
    })
    return { target: logger, method: 'info', settle, close }
  }
}

module.exports = { peer }
