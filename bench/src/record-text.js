'use strict'

const os = require('node:os')

/** The inside of an object literal: `a: 1, b: "x"`. */
const literal = object =>
  Object.entries(object)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join(', ')

/** What loggers put into every line by themselves, for those that are handed a finished one. */
const head = literal({ pid: process.pid, hostname: os.hostname() })

/** How pino is called, and those that took its way over. */
const asPino = {
  call: ({ fields, message }) => `target.info({ ${fields} }, ${message})`,
  child: (logger, bindings) => logger.child(bindings)
}

module.exports = { literal, head, asPino }
