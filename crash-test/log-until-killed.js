'use strict'

// What the processes that are killed have in common: they log from their main thread and from
// workers until they die, and tell on another channel what was accepted.
//
// The channel: each thread has a file of 8 bytes, the number of its last accepted entry plus one,
// written with pwrite after each batch. A kill cannot take that back, so every entry below the
// number has to be in the log.

const fs = require('node:fs')
const path = require('node:path')
const { Worker, isMainThread, workerData } = require('node:worker_threads')
const { random } = require('./entry')

const job = isMainThread ? JSON.parse(process.argv[2]) : workerData.job
const thread = isMainThread ? 0 : workerData.thread
const rand = random(job.seed * 97 + thread)
const nothing = new Int32Array(new SharedArrayBuffer(4))

function pause(ms) {
  Atomics.wait(nothing, 0, 0, ms)
}

/**
 * Logs until it is killed, in this thread and, from the main thread, in the job's workers.
 * @param {string} script what the workers run
 * @param {(number: number) => void} say says the entry until it is accepted
 * @param {(number: number) => void} act something else now and then, after each batch
 */
function logUntilKilled(script, say, act) {
  const ackLog = fs.openSync(path.join(job.ackLogs, `${job.round}-${thread}`), 'w')
  const accepted = Buffer.alloc(8)
  fs.writeSync(ackLog, accepted, 0, 8, 0)
  if (isMainThread) {
    for (let i = 1; i <= job.workers; i++) new Worker(script, { workerData: { job, thread: i } })
    fs.writeSync(1, 'logging\n')
  }
  for (let number = 0; ; ) {
    const batch = 1 + Math.floor(rand() * job.batch)
    for (let i = 0; i < batch; i++) say(number++)
    accepted.writeBigUInt64LE(BigInt(number))
    fs.writeSync(ackLog, accepted, 0, 8, 0)
    act(number)
  }
}

module.exports = { job, thread, rand, pause, isMainThread, logUntilKilled }
