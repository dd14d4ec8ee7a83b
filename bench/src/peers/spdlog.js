'use strict'

const { setImmediate: tick } = require('node:timers/promises')

const { head } = require('../record-text')

const NO_ROTATION = 2 ** 31 - 1

const peer = {
  name: '@vscode/spdlog',
  package: '@vscode/spdlog',
  kinds: ['string'],
  note: "info(text), pattern '%v', synchronous",
  sustainedEntries: 2_000_000,
  records: {
    note: 'info(JSON.stringify(record)), the record with level, time, pid, hostname',
    call: ({ bindings, fields, message }) =>
      `target.info(JSON.stringify({ level: 30, time: Date.now(), ${head}, ${bindings} ${fields}, msg: ${message} }))`
  },
  async open(file) {
    const spdlog = require('@vscode/spdlog')
    const logger = await spdlog.createRotatingLogger('bench', file, NO_ROTATION, 1)
    logger.setPattern('%v')
    return {
      target: logger,
      method: 'info',
      settle: () => tick(),
      close: async () => {
        logger.flush()
        logger.drop()
      }
    }
  }
}

module.exports = { peer }
