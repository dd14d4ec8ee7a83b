'use strict'

/**
 * Logs a million lines to standard output, a hundred in each turn of the event loop:
 * `node writer.js LOGGING COUNT`. Tells its parent how far it is and, at the end, the longest turn;
 * ends when the parent says so.
 */
const { monitorEventLoopDelay } = require('node:perf_hooks')
const { setImmediate: tick } = require('node:timers/promises')
const { loggings } = require('./loggings')

const PER_TURN = 100
const TURNS_PER_MESSAGE = 10
/** ms; the histogram holds the time between two of its samples, this one included. */
const RESOLUTION_MS = 1

const [name, count] = process.argv.slice(2)

async function main() {
  const { log, dropped } = loggings[name].open()
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  const heard = command => new Promise(resolve => process.once('message', text => text === command && resolve()))
  process.send({ ready: true })
  await heard('go')
  delays.enable()
  for (let i = 0; i < Number(count); i += PER_TURN) {
    for (let number = i; number < i + PER_TURN; number++)
      log.info({ number, ip: '10.20.30.40', ok: true }, 'user login')
    if ((i / PER_TURN) % TURNS_PER_MESSAGE === 0) process.send({ logged: i + PER_TURN })
    await tick()
  }
  delays.disable()
  process.send({ delayMs: delays.max / 1e6 - RESOLUTION_MS })
  await heard('end')
  process.send({ dropped: dropped() }, () => process.exit(0))
}

main()
