'use strict'

// Rotations of a log, between kills and under a process that writes to it.

const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: pause } = require('node:timers/promises')

const STOP_MS = 5_000

const rename = (log, rotated) => fs.renameSync(log, rotated)

function renameAndCreate(log, rotated) {
  fs.renameSync(log, rotated)
  fs.closeSync(fs.openSync(log, 'a'))
}

function copyAndTruncate(log, rotated) {
  fs.copyFileSync(log, rotated)
  fs.truncateSync(log, 0)
}

const rotations = [rename, renameAndCreate, copyAndTruncate]

const pick = (rand, from) => from[Math.floor(rand() * from.length)]

function rotateBy(place, rotation) {
  const name = `target.log.${place.rotated.length + 1}`
  rotation(place.log, path.join(place.directory, name))
  place.rotated.push(name)
}

/** @param {import('./places').Folder} place */
const rotate = (place, rand) => rotateBy(place, pick(rand, rotations))

/** As readers can follow it. */
const rotateByName = (place, rand) => rotateBy(place, pick(rand, [rename, renameAndCreate]))

/** Whether no thread of a process runs, nor is in the middle of a call of the kernel. */
function isStopped(pid) {
  const tasks = `/proc/${pid}/task`
  const stateOf = task => /\) (\S)/.exec(fs.readFileSync(`${tasks}/${task}/stat`, 'latin1'))[1]
  return fs.readdirSync(tasks).every(task => stateOf(task) === 'T')
}

/**
 * Rotates the log of a process that lives. Who copies and truncates loses what is appended in
 * between, whoever appends it; so the process stands still meanwhile, wherever that finds it.
 *
 * @param {import('node:child_process').ChildProcess} child
 */
async function rotateUnder(place, rand, child) {
  if (!fs.existsSync(place.log)) return // The one before has not been noticed yet.
  const rotation = pick(rand, rotations)
  if (rotation !== copyAndTruncate) {
    rotateBy(place, rotation)
    return
  }
  child.kill('SIGSTOP')
  const deadline = Date.now() + STOP_MS
  while (child.exitCode === null && child.signalCode === null && !isStopped(child.pid)) {
    if (Date.now() > deadline) throw new Error('a target cannot be stopped')
    await pause(1)
  }
  rotateBy(place, rotation)
  child.kill('SIGCONT')
}

module.exports = { rotate, rotateByName, rotateUnder }
