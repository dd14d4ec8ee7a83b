'use strict'

const { now } = require('./clock')
const { medianOf, format } = require('./numbers')
const { peakResidentBytes } = require('./process-figures')

const MB = 1e6
const SLICE = 1000

/**
 * Time, CPU of all threads and memory from the first call until the file is complete.
 * @param {() => Promise<number>} work resolves to the number of entries
 */
async function account(work) {
  const cpu = process.cpuUsage()
  const start = now()
  const entries = await work()
  const seconds = (now() - start) / 1e9
  const { user, system } = process.cpuUsage(cpu)
  return {
    entries,
    seconds,
    entriesPerSecond: entries / seconds,
    cpuNsPerEntry: ((user + system) * 1000) / entries,
    peakRssMb: peakResidentBytes() / MB
  }
}

/**
 * Logs `count` times with an opened peer, heeding its back-pressure every thousand, and closes it.
 * Resolves to `count`.
 */
async function logInSlices({ target, settle, breathe = settle, close }, loop, value, count) {
  for (let done = 0; done < count; done += SLICE) await breathe(loop(target, value, SLICE, done))
  await close()
  return count
}

/** A table with a row for each case; those without `entries` have a bandwidth only. */
function table(results, title, entries) {
  const rows = Object.entries(results).map(([id, rounds]) => [
    id,
    format(medianOf(rounds, 'entriesPerSecond') / 1000),
    format(medianOf(rounds, round => round.fileMbPerSecond ?? round.mbPerSecond)),
    format(medianOf(rounds, 'cpuNsPerEntry')),
    format(medianOf(rounds, 'peakRssMb')),
    rounds[0].entries ? format(rounds[0].entries) : '–',
    rounds[0].entries ? format(mostLost(rounds)) : '–'
  ])
  const singular = entries === 'entries' ? 'entry' : entries.slice(0, -1)
  return {
    title,
    head: ['', `thousand ${entries}/s`, 'MB/s', `CPU ns per ${singular}`, 'peak RSS MB', entries, 'lost'],
    rows
  }
}

/** What the bar chart of such results shows. */
const rates = results =>
  Object.entries(results)
    .filter(([, rounds]) => rounds[0].entries)
    .map(([name, rounds]) => ({ name, kind: 'per second', value: medianOf(rounds, 'entriesPerSecond') }))

const mostLost = rounds => Math.max(...rounds.map(round => round.lost))

module.exports = { MB, account, logInSlices, table, rates, mostLost }
