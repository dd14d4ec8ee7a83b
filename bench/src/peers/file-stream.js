'use strict'

const fs = require('node:fs')
const { once } = require('node:events')
const { setImmediate: tick } = require('node:timers/promises')

/**
 * Opens a Node stream on a file: the stream, and the waits that a peer which writes to it needs.
 */
async function openFileStream(file) {
  const stream = fs.createWriteStream(file)
  await once(stream, 'open')
  return {
    stream,
    settle: async () => {
      if (stream.writableNeedDrain) await once(stream, 'drain')
      else await tick()
    },
    close: () => new Promise((resolve, reject) => stream.end(error => (error ? reject(error) : resolve())))
  }
}

module.exports = { openFileStream }
