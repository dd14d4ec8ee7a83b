'use strict'

const path = require('node:path')
const { Worker } = require('node:worker_threads')

/** Words of the shared control memory. */
const WORD = { round: 0, finished: 1, count: 2 }
const STOP = -1
const WORK_LIMIT_MS = 100_000
const MEMBER_STACK_MB = 2

/**
 * Starts `size` worker threads that log on command.
 * @param {{target: 'shardlog' | 'floor' | 'nothing', file?: string, config?: object}} task what
 *   they call
 * @returns {Promise<{work: (count: number) => number, end: () => Promise<void>}>} `work` has every
 *   member make `count` calls and returns the seconds from the first one's start to the last one's
 *   end; this thread sleeps meanwhile
 */
async function startTeam(size, task) {
  const control = new Int32Array(new SharedArrayBuffer(4 * Object.keys(WORD).length))
  const times = new BigInt64Array(new SharedArrayBuffer(16 * size))
  const members = Array.from(
    { length: size },
    (_, index) =>
      new Worker(path.join(__dirname, 'team-member.js'), {
        workerData: { index, task, control, times },
        resourceLimits: { stackSizeMb: MEMBER_STACK_MB }
      })
  )
  const exits = members.map(
    member => new Promise((resolve, reject) => member.once('error', reject).once('exit', resolve))
  )
  await Promise.all(
    members.map(member => new Promise((resolve, reject) => member.once('error', reject).once('message', resolve)))
  )
  return {
    work: count => work(control, times, size, count),
    end: async () => {
      command(control, STOP)
      await Promise.all(exits)
    }
  }
}

function command(control, count) {
  Atomics.store(control, WORD.count, count)
  Atomics.add(control, WORD.round, 1)
  Atomics.notify(control, WORD.round)
}

function work(control, times, size, count) {
  Atomics.store(control, WORD.finished, 0)
  command(control, count)
  for (;;) {
    const finished = Atomics.load(control, WORD.finished)
    if (finished === size) break
    if (Atomics.wait(control, WORD.finished, finished, WORK_LIMIT_MS) === 'timed-out')
      throw new Error('the worker threads did not finish')
  }
  const starts = times.filter((_, i) => i % 2 === 0)
  const ends = times.filter((_, i) => i % 2 === 1)
  const least = starts.reduce((a, b) => (b < a ? b : a))
  const most = ends.reduce((a, b) => (b > a ? b : a))
  return Number(most - least) / 1e9
}

module.exports = { startTeam, WORD, STOP }
