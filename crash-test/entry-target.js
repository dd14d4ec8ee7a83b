'use strict'

// A process that is killed while it logs entries: see log-until-killed.js. Run as
// `node entry-target.js JSON`.

const { makeEntry } = require('./entry')
const { isMainThread, job, logUntilKilled, pause, rand, thread } = require('./log-until-killed')

const { Logger } = require(job.packageRoot)

function sizeOfNext() {
  const kind = rand()
  if (kind < 0.02) return Math.floor(rand() * job.largest)
  return Math.floor(rand() * (kind < 0.5 ? 60 : 400))
}

/** Says the entry until it is accepted. */
function say(logger, text, asBytes) {
  const bytes = asBytes ? Buffer.from(`[${text}]`) : null
  for (;;) {
    if (asBytes ? logger.logBytes(bytes, 1, bytes.length - 1) : logger.log(text)) return
    pause(1)
  }
}

function act(logger, number) {
  const next = rand()
  if (next < 0.05) pause(rand() * 4)
  else if (next < 0.06) logger.flushSync()
  else if (number > job.closeAfter && isMainThread) {
    // Some die in the middle of closing, and the others after it.
    logger.closeSync()
    pause(10_000)
  }
}

function main() {
  const logger = new Logger(job.config)
  const sayNext = number => say(logger, makeEntry(job.round, thread, number, sizeOfNext()), rand() < 0.5)
  logUntilKilled(__filename, sayNext, number => act(logger, number))
}

main()
