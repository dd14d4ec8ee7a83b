'use strict'

const { parentPort, workerData } = require('node:worker_threads')
const { asciiBytes } = require('./entries')
const { repeatNumbered } = require('./loops')
const { WORD, STOP } = require('./team')

const { index, task, control, times } = workerData

const targets = {
  shardlog: () => [require('./subject').open(task.file, task.config), 'logBytes'],
  floor: () => [require('./floor'), 'streamBuffer'],
  // The package is loaded, as in the threads that this one is compared with.
  nothing: () => [{ nothing() {}, loaded: require('./subject').load() }, 'nothing']
}

async function main() {
  const [target, method] = targets[task.target]()
  const loop = repeatNumbered(method)
  const bytes = asciiBytes()
  // An entry begins with its number and the thread it comes from, by which the file is checked.
  const marks = new Uint32Array(bytes.buffer, 0, 2)
  marks[1] = index
  let round = Atomics.load(control, WORD.round)
  parentPort.postMessage('ready')
  let next = 0
  for (;;) {
    Atomics.wait(control, WORD.round, round)
    round = Atomics.load(control, WORD.round)
    const count = Atomics.load(control, WORD.count)
    if (count === STOP) break
    times[2 * index] = process.hrtime.bigint()
    loop(target, bytes, marks, next, next + count)
    times[2 * index + 1] = process.hrtime.bigint()
    next += count
    Atomics.add(control, WORD.finished, 1)
    Atomics.notify(control, WORD.finished)
  }
  await target.close?.()
}

main()
