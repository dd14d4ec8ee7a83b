'use strict'

// Lines of another program, which are determined by their numbers.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const path = require('node:path')
const { atEnd } = require('./cleanup')

const END_MS = 30_000

const noteOf = number => `note ${number} ${'z'.repeat((number * 37) % 191)}.\n`

const NOTE = /note (\d+) (z*)\.\n/g

/** Starts the program. The returned function ends it, and tells how many notes it appended. */
function startNoter(log) {
  const child = spawn(process.execPath, [path.join(__dirname, 'noter.js'), log], { stdio: ['pipe', 'pipe', 'inherit'] })
  const kill = atEnd(() => child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  let said = ''
  child.stdout.on('data', part => (said += part))
  return async () => {
    child.stdin.end()
    const stuck = setTimeout(kill, END_MS)
    const [code] = await exited
    clearTimeout(stuck)
    kill()
    if (code !== 0) throw new Error(`the program beside the targets ended with ${code}`)
    return Number(said)
  }
}

/** Counts in the totals which of `count` notes a file does not have once, whole and in order. */
function checkNotes(bytes, count, totals) {
  let due = 0
  for (const [text, digits] of bytes.toString('latin1').matchAll(NOTE)) {
    const number = Number(digits)
    if (text !== noteOf(number)) totals.result.torn++
    else if (number < due) totals.result.twice++
    else {
      totals.result.lost += number - due
      due = number + 1
    }
  }
  totals.result.lost += Math.max(0, count - due)
  totals.result.notes += count
}

/** A line of ours that a kill left half done, and to which a note was appended, is that note. */
const endsInNote = line => /note \d+ z*\.$/.test(line)

module.exports = { noteOf, startNoter, checkNotes, endsInNote }
