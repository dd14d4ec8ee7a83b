'use strict'

const { once } = require('node:events')

/** Waits until a destination with pino's methods has written what it was given. */
function flushed(destination) {
  return new Promise((resolve, reject) => destination.flush(error => (error ? reject(error) : resolve())))
}

/** Ends such a destination and waits until its file is complete. */
async function closed(destination) {
  const done = once(destination, 'close')
  destination.end()
  await done
}

module.exports = { flushed, closed }
