'use strict'

const { once } = require('node:events')
const { setImmediate: tick } = require('node:timers/promises')
const { closed, flushed } = require('../destinations')
const { asPino } = require('../record-text')

const DRAIN_WAIT_MS = 5

/**
 * Waits for the 'drain' that follows when a sonic-boom has written down to minLength; not long, as
 * it may have been before.
 */
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

const pinoAsync = {
  name: 'pino async',
  package: 'pino',
  kinds: ['string'],
  note: 'info(text) as JSON; sync: false, minLength 4096; over sonic-boom 4.2.0',
  sustainedEntries: 500_000,
  records: { note: 'info(fields, message); sync: false, minLength 4096; over sonic-boom 4.2.0', ...asPino },
  async open(file, _kind, options = {}) {
    const pino = require('pino')
    const destination = pino.destination({ dest: file, sync: false, minLength: 4096 })
    await once(destination, 'ready')
    return {
      target: pino(options, destination),
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
  records: { note: "info(fields, message); transport 'pino/file' in its worker thread", ...asPino },
  async open(file, _kind, options = {}) {
    const pino = require('pino')
    const transport = pino.transport({ target: 'pino/file', options: { destination: file } })
    await once(transport, 'ready')
    return {
      target: pino(options, transport),
      method: 'info',
      settle: () => flushed(transport),
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
  records: { note: 'info(fields, message); sync: true, a system call per line', ...asPino },
  async open(file, _kind, options = {}) {
    const pino = require('pino')
    const destination = pino.destination({ dest: file, sync: true })
    return {
      target: pino(options, destination),
      method: 'info',
      settle: () => tick(),
      close: () => closed(destination)
    }
  }
}

module.exports = { peers: [pinoAsync, pinoWorker, pinoSync] }
