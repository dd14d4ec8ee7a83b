'use strict'

const { once } = require('node:events')
const { setImmediate: tick } = require('node:timers/promises')
const { openFileStream } = require('./file-stream')

/** Writes bytes as they are: no framing, no newline added. */
const fileStream = {
  name: 'fs.createWriteStream',
  package: 'node',
  kinds: ['string', 'bytes'],
  note: 'write(entry), no framing',
  sustainedEntries: 2_000_000,
  async open(file) {
    const { stream, settle, close } = await openFileStream(file)
    return { target: stream, method: 'write', settle, close }
  }
}

const sonicBoom = {
  name: 'sonic-boom',
  package: 'sonic-boom',
  kinds: ['string', 'bytes'],
  note: 'write(entry), minLength 4096, no framing',
  sustainedEntries: 2_000_000,
  async open(file, kind) {
    const SonicBoom = require('sonic-boom')
    const boom = new SonicBoom({
      dest: file,
      sync: false,
      minLength: 4096,
      contentMode: kind === 'bytes' ? 'buffer' : 'utf8'
    })
    await once(boom, 'ready')
    return {
      target: boom,
      method: 'write',
      // write() returns false while more than its high-water mark waits; 'drain' follows.
      settle: async last => {
        if (last === false) await once(boom, 'drain')
        else await tick()
      },
      close: async () => {
        const closed = once(boom, 'close')
        boom.end()
        await closed
      }
    }
  }
}

module.exports = { peers: [sonicBoom, fileStream] }
