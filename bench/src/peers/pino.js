'use strict'

const { once } = require('node:events')
const { setImmediate: tick } = require('node:timers/promises')

const DRAIN_WAIT_MS = 5

/** Waits until a pino destination has written what it was given. */
function drained(destination) {
  return new Promise((resolve, reject) => destination.flush(error => (error ? reject(error) : resolve())))
}

/** Waits for the 'drain' that follows when a sonic-boom has written down to minLength; not long, as it may have been before. */
function nextDrain(destination) {
  return new Promise(resolve => {
    const timer = setTimeout(finish, DRAIN_WAIT_MS)
    destination.once('drain', finish)
    function finish() {
      clearTimeout(timer)
      destination.off('drain', finish)
      resolve()
    }
  })
}

async function closed(destination) {
  const done = once(destination, 'close')
  destination.end()
  await done
}

const pinoAsync = {
  name: 'pino async',
  package: 'pino',
  kinds: ['string'],
  note: 'info(text) as JSON; sync: false, minLength 4096; over sonic-boom 4.2.0',
  sustainedEntries: 500_000,
  async open(file) {
    const pino = require('pino')
    const destination = pino.destination({ dest: file, sync: false, minLength: 4096 })
    await once(destination, 'ready')
    return {
      target: pino(destination),
      method: 'info',
      settle: () => nextDrain(destination),
      close: () => closed(destination)
    }
  }
}

const pinoWorker = {
  name: 'pino worker',
  package: 'pino',
  kinds: ['string'],
  note: "info(text) as JSON; transport 'pino/file' in its worker thread",
  sustainedEntries: 500_000,
  async open(file) {
    const pino = require('pino')
    const transport = pino.transport({ target: 'pino/file', options: { destination: file } })
    await once(transport, 'ready')
    return {
      target: pino(transport),
      method: 'info',
      settle: () => drained(transport),
      breathe: () => (transport.writableNeedDrain ? once(transport, 'drain') : tick()),
      close: () => closed(transport)
    }
  }
}

const pinoSync = {
  name: 'pino sync',
  package: 'pino',
  kinds: ['string'],
  note: 'info(text) as JSON; sync: true, a system call per line',
  sustainedEntries: 300_000,
  async open(file) {
    const pino = require('pino')
    const destination = pino.destination({ dest: file, sync: true })
    return { target: pino(destination), method: 'info', settle: () => tick(), close: () => closed(destination) }
  }
}

module.exports = { peers: [pinoAsync, pinoWorker, pinoSync] }
