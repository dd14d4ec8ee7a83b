'use strict'

/**
 * The ways in which the service logs. Files are all on the same file system; standard output is a
 * file too.
 * @type {Record<string, {note: string, kind?: 'pino' | 'none', open: (file: string) => object |
 *                        Promise<object>}>} `open` returns options of Fastify
 */
const { once } = require('node:events')
const subject = require('../subject')

function silent() {}

/** What Fastify itself does more when there is a logger: with one that does nothing. */
const nothing = { level: 'info', child: () => nothing }
for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) nothing[level] = silent

/** Reads what a line would be made of: a value, and if it is an object, all that is in it. */
function readAll(value) {
  if (typeof value !== 'object') return
  for (const key in value) readAll(value[key])
}

/** The values that Fastify's own serializers read. */
const SERIALIZERS = {
  req: request => ({
    method: request.method,
    url: request.url,
    version: request.headers?.['accept-version'],
    host: request.host,
    remoteAddress: request.ip,
    remotePort: request.socket?.remotePort
  }),
  res: reply => ({ statusCode: reply.statusCode })
}

/**
 * A logger that runs serializers and reads every value, and writes nothing: no logger can do with
 * less.
 */
const reading = {
  level: 'info',
  child(bindings) {
    readAll(bindings)
    return reading
  },
  info(fields) {
    for (const key in fields) {
      const serializer = SERIALIZERS[key]
      readAll(serializer ? serializer(fields[key]) : fields[key])
    }
  },
  ...Object.fromEntries(['trace', 'debug', 'warn', 'error', 'fatal'].map(level => [level, silent]))
}

const loggings = {
  'logger: false': { note: 'Fastify without logging', kind: 'none', open: () => ({ logger: false }) },
  'a logger that does nothing': {
    note: 'what Fastify itself does more once there is a logger',
    kind: 'none',
    open: () => ({ loggerInstance: nothing })
  },
  'a logger that reads the values': {
    note: 'runs the serializers of requests and responses, reads what they return, writes nothing',
    kind: 'none',
    open: () => ({ loggerInstance: reading })
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
