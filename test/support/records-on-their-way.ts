/** Records that a child is making while something happens to the arena that it writes them to. */

export const RECORDS_ON_THEIR_WAY = [
  { format: 'ndjson', options: {} },
  { format: 'shard', options: {} },
  { format: 'ndjson', options: { recorder: { capacity: 1000, path: false } } }
]

/** Options of a destination that is flushed all the time, and drops nothing. */
export const BUSY = { engine: 'native', flushInterval: 1, bufferSize: 1 << 21, onFull: 'block' }

/**
 * Script of the child: opens a log by `config`, whose `options` are the logger's. `say()` makes 500
 * records, numbered by `n`, of which each tells the next number within; `told` are codes of errors.
 */
export const OPEN = `
  const fs = require('node:fs')
  const { options, ...rest } = config
  const told = []
  const destination = shardlog.destination({ ...rest, onError: error => told.push(error.code) })
  const log = shardlog({ base: null, ...options }, destination)
  const { arenaPath } = destination.getStatsSnapshot()
  let n = 0
  const say = () => {
    for (let i = 0; i < 500; i++) log.info({ n: n++, text: 'of some length', within: { n } }, 'a message')
  }`
