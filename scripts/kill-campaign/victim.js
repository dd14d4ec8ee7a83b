'use strict'

// The process that is killed: logs from its main thread and from workers until it dies, and tells on another channel
// what was accepted. Run as `node victim.js JSON`.
//
// The channel: each thread has a file of 8 bytes, the number of its last accepted entry plus one, written with pwrite
// after each batch. A kill cannot take that back, so every entry below the number has to be in the log.

const fs = require('node:fs')
const path = require('node:path')
const { Worker, isMainThread, workerData } = require('node:worker_threads')
const { random, makeEntry } = require('./entry')

const job = isMainThread ? JSON.parse(process.argv[2]) : workerData.job
const thread = isMainThread ? 0 : workerData.thread
const { Logger } = require(job.packageRoot)

const rand = random(job.seed * 97 + thread)
const nothing = new Int32Array(new SharedArrayBuffer(4))

function pause(ms) {
  Atomics.wait(nothing, 0, 0, ms)
}

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

function main() {
  const logger = new Logger(job.config)
  const ledger = fs.openSync(path.join(job.ledgers, `${job.round}-${thread}`), 'w')
  const accepted = Buffer.alloc(8)
  fs.writeSync(ledger, accepted, 0, 8, 0)
  if (isMainThread) {
    for (let i = 1; i <= job.workers; i++) new Worker(__filename, { workerData: { job, thread: i } })
    fs.writeSync(1, 'logging\n')
  }
  for (let number = 0; ; ) {
    const batch = 1 + Math.floor(rand() * job.batch)
    for (let i = 0; i < batch; i++) say(logger, makeEntry(job.round, thread, number++, sizeOfNext()), rand() < 0.5)
    accepted.writeBigUInt64LE(BigInt(number))
    fs.writeSync(ledger, accepted, 0, 8, 0)
    const next = rand()
    if (next < 0.05) pause(rand() * 4)
    else if (next < 0.06) logger.flushSync()
    else if (number > job.closeAfter && isMainThread) {
      // Some die in the middle of closing, and the others after it.
      logger.closeSync()
      pause(10_000)
    }
  }
}

main()
