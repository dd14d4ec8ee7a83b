'use strict'

/**
 * A recorder by itself: what is too detailed to log, and a file of it when it is wanted.
 *
 *   node simple.js [DIRECTORY]
 */
const os = require('node:os')
const { Recorder, readSnapshot } = require('shardlog')

async function main() {
  const recorder = new Recorder({ service: 'simple', directory: process.argv[2] ?? os.tmpdir(), capacity: 10_000 })

  recorder.record('info', 'app', 'started')
  for (let i = 0; i < 100; i++)
    recorder.record('debug', 'app', 'item processed', { item: i, ms: i / 10, last: i === 99 })
  recorder.event().level('warn').target('db').message('slow query').field('table', 'carts').field('ms', 512).record()

  console.log(`${recorder.length} events, ${(100 * recorder.utilization).toFixed(2)} % of the ring`)
  const file = await recorder.snapshot('checkpoint')
  const { service, events } = readSnapshot(file)
  console.log(`${file}: ${events.length} events of ${service}, the last: ${events.at(-1).message}`)
  recorder.close()
}

main()
