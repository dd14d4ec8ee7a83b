'use strict'

const { once } = require('node:events')
const subject = require('../subject')

const LEVELS = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 }
const BASE = 'no logging'
/** What no logger can do without: the serializers, and a look at each value. */
const FLOOR = 'a logger that reads the values'

function silent() {}

/** All of a logger that Fastify and pino-http ask for, apart from what `info` and `child` do. */
const shell = () => ({
  level: 'info',
  levels: { values: LEVELS },
  ...Object.fromEntries(Object.keys(LEVELS).map(level => [level, silent]))
})

/** What a framework itself does more when there is a logger: with one that does nothing. */
const nothing = { ...shell(), child: () => nothing }

/**
 * Reads what a line would be made of: a value, and if it is an object, all that is in it. Its own
 * keys only, as JSON has them: a `for in` is slow where a prototype has some too, as that of
 * pino-http's requests has.
 */
function readAll(value) {
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) readAll(value[key])
}

/**
 * A logger that runs the serializers that the framework hands to it, reads every value that they
 * return, and writes nothing: no logger can do with less. Its children are itself, unless they
 * bring serializers.
 */
function reading(serializers) {
  function read(fields) {
    for (const key of Object.keys(fields)) {
      const serializer = serializers[key]
      readAll(serializer ? serializer(fields[key]) : fields[key])
    }
  }
  const logger = {
    ...shell(),
    info: read,
    child(bindings, options) {
      read(bindings)
      return options?.serializers ? reading({ ...serializers, ...options.serializers }) : logger
    }
  }
  return logger
}

/**
 * The ways in which a service logs. Files are all on the same file system; standard output is a
 * file too.
 * @type {Record<string, {note: string, kind?: 'pino' | 'none', open: (file: string) => object |
 *                        boolean | Promise<object>}>} `open` returns a logger, false for none, or
 *   true for the one that Fastify makes by itself
 */
const loggings = {
  [BASE]: { note: 'the service without a logger', kind: 'none', open: () => false },
  'a logger that does nothing': {
    note: 'what the framework itself does more once there is a logger',
    kind: 'none',
    open: () => nothing
  },
  [FLOOR]: {
    note: 'runs the serializers of requests and responses, reads what they return, writes nothing',
    kind: 'none',
    open: () => reading({})
  },
  'shardlog ndjson': {
    note: "shardlog({}, shardlog.destination({ dest, format: 'ndjson' }))",
    open(file) {
      const shardlog = subject.load()
      return shardlog({}, shardlog.destination({ dest: file, format: 'ndjson' }))
    }
  },
  'shardlog stdout': { note: 'shardlog(); standard output is a file', open: () => subject.load()() },
  'pino default': {
    note: 'logger: true, what Fastify makes by itself; standard output is a file',
    kind: 'pino',
    open: () => true
  },
  'pino async': {
    note: 'pino to a file, sync: false, minLength 4096; over sonic-boom 4.2.0',
    kind: 'pino',
    async open(file) {
      const pino = require('pino')
      const destination = pino.destination({ dest: file, sync: false, minLength: 4096 })
      await once(destination, 'ready')
      return pino({}, destination)
    }
  },
  'pino worker': {
    note: "pino with the transport 'pino/file' in its worker thread",
    kind: 'pino',
    async open(file) {
      const pino = require('pino')
      const transport = pino.transport({ target: 'pino/file', options: { destination: file } })
      await once(transport, 'ready')
      return pino({}, transport)
    }
  }
}

module.exports = { loggings, BASE, FLOOR }
