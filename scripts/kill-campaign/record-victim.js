'use strict'

// As victim.js, with a structured logger. A record is known to be accepted where the destination has not counted it as
// dropped; if it has, the record is said again. Run as `node record-victim.js JSON`.

const fs = require('node:fs')
const path = require('node:path')
const { Worker, isMainThread, workerData } = require('node:worker_threads')
const { random } = require('./entry')
const { Speaker, optionsOf } = require('./records')

const job = isMainThread ? JSON.parse(process.argv[2]) : workerData.job
const thread = isMainThread ? 0 : workerData.thread
const shardlog = require(job.packageRoot)

const rand = random(job.seed * 97 + thread)
const nothing = new Int32Array(new SharedArrayBuffer(4))

function pause(ms) {
  Atomics.wait(nothing, 0, 0, ms)
}

/** Dropped lines are counted for all threads together, so that only a thread by itself may drop some and know which. */
function speakerThatKnows(speaker, destination) {
  const dropped = () => destination.getStatsSnapshot().droppedLogs
  if (job.workers > 0) {
    return number => {
      speaker.say(number)
      if (number % 64 === 0 && dropped() > 0)
        throw new Error(`dropped, although it was to wait: ${JSON.stringify(destination.getStatsSnapshot())}`)
    }
  }
  return number => {
    for (;;) {
      const before = dropped()
      speaker.say(number)
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
  const log = shardlog(optionsOf(shardlog, job.variant, job.round, thread), destination)
  const say = speakerThatKnows(new Speaker(log, job.seed + thread, job.largest), destination)
  const ledger = fs.openSync(path.join(job.ledgers, `${job.round}-${thread}`), 'w')
  const accepted = Buffer.alloc(8)
  fs.writeSync(ledger, accepted, 0, 8, 0)
  if (isMainThread) {
    for (let i = 1; i <= job.workers; i++) new Worker(__filename, { workerData: { job, thread: i } })
    fs.writeSync(1, 'logging\n')
  }
  for (let number = 0; ; ) {
    const batch = 1 + Math.floor(rand() * job.batch)
    for (let i = 0; i < batch; i++) say(number++)
    accepted.writeBigUInt64LE(BigInt(number))
    fs.writeSync(ledger, accepted, 0, 8, 0)
    act(destination, log, number)
  }
}

main()
