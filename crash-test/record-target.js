'use strict'

// As entry-target.js, with a structured logger. A record is known to be accepted where the
// destination has not counted it as dropped; if it has, the record is said again. Run as
// `node record-target.js JSON`.

const { isMainThread, job, logUntilKilled, pause, rand, thread } = require('./log-until-killed')
const { Driver, optionsOf } = require('./records')

const shardlog = require(job.packageRoot)

/**
 * Dropped lines are counted for all threads together, so that only a thread by itself may drop some
 * and know which.
 */
function speakerThatKnows(driver, destination) {
  const dropped = () => destination.getStatsSnapshot().droppedLogs
  if (job.workers > 0) {
    return number => {
      driver.say(number)
      if (number % 64 === 0 && dropped() > 0)
        throw new Error(`dropped, although it was to wait: ${JSON.stringify(destination.getStatsSnapshot())}`)
    }
  }
  return number => {
    for (;;) {
      const before = dropped()
      driver.say(number)
      if (dropped() === before) return
      pause(1)
    }
  }
}

function act(destination, log, number) {
  const next = rand()
  if (next < 0.05) pause(rand() * 4)
  else if (next < 0.07) destination.flushSync()
  else if (next < 0.08) destination.flush()
  else if (next < 0.09) destination.reopen()
  else if (number > job.dieAfter && isMainThread) {
    // In the middle of a record that is being written.
    log.info({ n: -1, half: 'x'.repeat(100), dies: { toJSON: () => process.kill(process.pid, 'SIGKILL') } }, 'never')
  } else if (number > job.closeAfter && isMainThread) {
    // Some die in the middle of closing, and the others after it.
    destination.closeSync()
    pause(10_000)
  }
}

function main() {
  const destination = shardlog.destination(job.config)
  const log = shardlog(optionsOf(shardlog, job.variant, job.round, thread, job.context), destination)
  const say = speakerThatKnows(new Driver(log, job.seed + thread, job.largest), destination)
  logUntilKilled(__filename, say, number => act(destination, log, number))
}

main()
