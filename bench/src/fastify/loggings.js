'use strict'

/**
 * The ways in which the service logs. Files are all on the same file system; standard output is a file too.
 * @type {Record<string, {note: string, kind?: 'pino' | 'none',
 *                        open: (file: string) => object | Promise<object>}>} `open` returns options of Fastify
 */
const { once } = require('node:events')
const subject = require('../subject')

function silent() {}

/** What Fastify itself does more when there is a logger: with one that does nothing. */
const nothing = { level: 'info', child: () => nothing }
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) nothing[level] = silent

const loggings = {
  'logger: false': { note: 'Fastify without logging', kind: 'none', open: () => ({ logger: false }) },
  'a logger that does nothing': {
    note: 'what Fastify itself does more once there is a logger',
    kind: 'none',
    open: () => ({ loggerInstance: nothing })
  },
  'shardlog ndjson': {
    note: "loggerInstance: shardlog({}, shardlog.destination({ dest, format: 'ndjson' }))",
    open(file) {
      const shardlog = subject.load()
      return { loggerInstance: shardlog({}, shardlog.destination({ dest: file, format: 'ndjson' })) }
    }
  },
  'shardlog stdout': {
    note: 'loggerInstance: shardlog(); standard output is a file',
    open: () => ({ loggerInstance: subject.load()() })
  },
  'pino default': { note: 'logger: true; standard output is a file', kind: 'pino', open: () => ({ logger: true }) },
  'pino async': {
    note: 'loggerInstance: pino to a file, sync: false, minLength 4096; over sonic-boom 4.2.0',
    kind: 'pino',
    async open(file) {
      const pino = require('pino')
      const destination = pino.destination({ dest: file, sync: false, minLength: 4096 })
      await once(destination, 'ready')
      return { loggerInstance: pino({}, destination) }
    }
  },
  'pino worker': {
    note: "loggerInstance: pino with the transport 'pino/file' in its worker thread",
    kind: 'pino',
    async open(file) {
      const pino = require('pino')
      const transport = pino.transport({ target: 'pino/file', options: { destination: file } })
      await once(transport, 'ready')
      return { loggerInstance: pino({}, transport) }
    }
  }
}

module.exports = { loggings }
