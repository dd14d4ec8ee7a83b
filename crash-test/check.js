'use strict'

// Checks of what a log holds after its last recovery. Blocks are read by a program that shares no
// code with the writer, and lines of records compared with those that pino makes of the same calls.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { checkEntry } = require('./entry')
const { checkNotes, endsInNote } = require('./notes')
const { Driver, optionsOf, readLine, timeless } = require('./records')
const { Totals } = require('./totals')

const plainReader = path.join(__dirname, '..', 'test', 'support', 'plain_reader.py')

/**
 * Calls `onEntry` with each entry of a log in blocks.
 * @param {boolean} isShared whether others have appended to it; then what is no block is passed
 *   over
 */
function eachEntry(log, totals, isShared, onEntry) {
  const shared = isShared ? ['--shared'] : []
  const read = spawnSync('python3', [plainReader, ...shared, '--summary', log], {
    encoding: 'utf8',
    maxBuffer: 1 << 28
  })
  if (read.status !== 0) totals.explain(read.stderr.slice(0, 2_000))
  const bytes = spawnSync('python3', [plainReader, ...shared, '--raw', '--no-crc', log], { maxBuffer: 1 << 30 }).stdout
  eachLine(bytes, onEntry)
}

function eachLine(bytes, onLine) {
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at)
    onLine(bytes.subarray(at, end === -1 ? bytes.length : end))
    at = end === -1 ? bytes.length : end + 1
  }
}

/** The lines of a text that must not end within one. */
function eachWholeLine(text, totals, onLine) {
  if (text.length > 0 && text.at(-1) !== 0x0a) totals.explain('the file ends within a line')
  eachLine(text, onLine)
}

/**
 * The check of a log of raw entries: of its files, the oldest first.
 * @param {Beside} [beside]
 */
function check(files, ackLogs, beside) {
  const totals = new Totals()
  for (const log of [files].flat()) {
    eachEntry(log, totals, beside !== undefined, entry => totals.count(checkEntry(entry)))
    if (beside) checkNotes(fs.readFileSync(log), beside.notes, totals)
  }
  return totals.finish(ackLogs)
}

/**
 * What another program has appended to a log, which is one file then: how many lines, and how many
 * of ours may have been cut by a kill and then appended to by it, so that they are one line with
 * its.
 * @typedef {{ notes: number, halves: number }} Beside
 */

/** The lines of a text that are not the other program's. */
function eachLineOfOurs(text, totals, beside, onLine) {
  let halves = 0
  eachWholeLine(text, totals, bytes => {
    const line = bytes.toString('latin1')
    if (!endsInNote(line)) onLine(bytes)
    else if (!line.startsWith('note ')) halves++
  })
  if (halves > beside.halves) totals.explain(`${halves} lines were cut by another program's, of ${beside.halves} kills`)
  checkNotes(text, beside.notes, totals)
}

/** What pino writes for the records of one thread, by their numbers. */
function expectations(job, thread) {
  // Here, so that checks of raw entries do without a package that is there for tests alone.
  const pino = require('pino')
  let line = ''
  const log = pino(optionsOf(pino, job.variant, job.round, thread, job.context), { write: text => (line = text) })
  const driver = new Driver(log, job.seed + thread, job.largest)
  return number => {
    driver.say(number)
    // As bytes of UTF-8 a lone surrogate is the replacement character.
    return timeless(Buffer.from(line).toString()).slice(0, -1)
  }
}

/** Whether lines are those of pino. */
class Comparison {
  #jobs
  #expected = new Map()

  /** @param {Map<number, object>} jobs by their rounds */
  constructor(jobs) {
    this.#jobs = jobs
  }

  expected({ key, number }) {
    if (!this.#expected.has(key)) {
      const [round, thread] = key.split('/').map(Number)
      const job = this.#jobs.get(round)
      this.#expected.set(key, job ? expectations(job, thread) : () => '')
    }
    return this.#expected.get(key)(number)
  }
}

/**
 * @param {(entry: { key: string, number: number } | null) => void} count takes what the line says,
 *   or null
 */
function countLine(bytes, totals, comparison, count) {
  const line = bytes.toString()
  const entry = readLine(line)
  const expected = entry === null ? '' : comparison.expected(entry)
  const isWhole = entry !== null && timeless(line) === expected
  if (!isWhole) totals.explain(`a line is\n${line.slice(0, 2_000)}\nand not\n${expected.slice(0, 2_000)}`)
  count(isWhole ? entry : null)
}

/**
 * The check of a log of records.
 *
 * @param {string | string[]} files the log, or its files, the oldest first
 * @param {'ndjson' | 'shard'} format
 * @param {Map<number, object>} jobs what the targets were given, by round
 * @param {Beside} [beside]
 */
function checkRecords(files, ackLogs, format, jobs, beside) {
  const totals = new Totals()
  const comparison = new Comparison(jobs)
  const onLine = bytes => countLine(bytes, totals, comparison, entry => totals.count(entry))
  for (const log of [files].flat()) {
    // Each entry has its line's newline, and then the reader's.
    if (format === 'shard') {
      eachEntry(log, totals, beside !== undefined, bytes => bytes.length > 0 && onLine(bytes))
      if (beside) checkNotes(fs.readFileSync(log), beside.notes, totals)
    } else if (beside) eachLineOfOurs(fs.readFileSync(log), totals, beside, onLine)
    else eachWholeLine(fs.readFileSync(log), totals, onLine)
  }
  return totals.finish(ackLogs)
}

const linesIn = file => (fs.existsSync(file) ? fs.readFileSync(file) : Buffer.alloc(0))

/**
 * The check of logs to pipes and of the file that took what kills had left of them. A line that was
 * on its way may be in both, and cut off in the pipe.
 *
 * @param {string[]} piped what has come through the pipes
 */
function checkPiped(piped, recovered, ackLogs, jobs) {
  const totals = new Totals()
  const comparison = new Comparison(jobs)
  for (const file of piped) {
    const text = linesIn(file)
    eachLine(text.subarray(0, text.lastIndexOf(0x0a) + 1), bytes =>
      countLine(bytes, totals, comparison, entry => totals.count(entry))
    )
  }
  eachWholeLine(linesIn(recovered), totals, bytes =>
    countLine(bytes, totals, comparison, entry => totals.countAgain(entry))
  )
  return totals.finish(ackLogs)
}

module.exports = { check, checkPiped, checkRecords }
