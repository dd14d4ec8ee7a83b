'use strict'

const subject = require('../subject')

/**
 * Loggers whose lines go to standard output.
 * @type {Record<string, {note: string, open: () => {log: object, dropped: () => number}}>}
 *   `dropped`: lines that the logger says it dropped
 */
const loggings = {
  shardlog: {
    note: "shardlog.destination({ dest: 1, format: 'ndjson', onFull: 'drop' }), what shardlog() opens by itself",
    open() {
      const shardlog = subject.load()
      const destination = shardlog.destination({ dest: 1, format: 'ndjson', onFull: 'drop' })
      return { log: shardlog({}, destination), dropped: () => destination.getStatsSnapshot().droppedLogs }
    }
  },
  'pino default': {
    note: 'pino(): each line written by itself, asynchronously',
    open: () => ({ log: require('pino')(), dropped: () => 0 })
  },
  'pino sync': {
    note: 'pino.destination({ sync: true })',
    open() {
      const pino = require('pino')
      return { log: pino({}, pino.destination({ dest: 1, sync: true })), dropped: () => 0 }
    }
  },
  'pino async': {
    note: 'pino.destination({ sync: false, minLength: 4096 }); over sonic-boom 4.2.0',
    open() {
      const pino = require('pino')
      return { log: pino({}, pino.destination({ dest: 1, sync: false, minLength: 4096 })), dropped: () => 0 }
    }
  }
}

module.exports = { loggings }
