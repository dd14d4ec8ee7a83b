'use strict'

const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const { now } = require('../clock')
const { ENTRY_BYTES, asciiBytes, asciiText } = require('../entries')
const { repeat } = require('../loops')
const { medianOf, format } = require('../numbers')
const { threadCpuNs } = require('../process-figures')
const subject = require('../subject')

const RATE = 100_000
/** Name of the thread that writes. */
const FLUSHER = 'shardlog-flush'
const INTERVALS_MS = [10_000, 100]

function cases() {
  return INTERVALS_MS.map(flushInterval => ({ id: `every ${format(flushInterval)} ms`, params: { flushInterval } }))
}

/** The bound is for the default interval; the other shows what a fresher file costs. */
async function run({ flushInterval }, { folder, quick }) {
  const logger = subject.open(path.join(folder, 'flusher.log'), { flushInterval })
  const seconds = quick ? 0.5 : 4
  const [log, logBytes, text, bytes] = [repeat('log'), repeat('logBytes'), asciiText(), asciiBytes()]
  await logger.flush()
  const cpuBefore = threadCpuNs(FLUSHER)
  const before = logger.getStatsSnapshot()
  const start = now()
  for (let done = 0; done < RATE * seconds; ) {
    const due = Math.min(RATE * seconds, Math.floor(((now() - start) / 1e9) * RATE))
    log(logger, text, (due - done) >> 1)
    logBytes(logger, bytes, due - done - ((due - done) >> 1))
    done = due
    await tick()
  }
  // All of it must be written, or the flusher's work would be left out.
  await logger.flush()
  const elapsed = now() - start
  const cpu = threadCpuNs(FLUSHER) - cpuBefore
  const stats = logger.getStatsSnapshot()
  await logger.close()
  if (stats.droppedLogs > 0) throw new Error(`${stats.droppedLogs} entries were dropped`)
  return {
    cpuPct: (cpu / elapsed) * 100,
    flushes: stats.flushes - before.flushes,
    rate: (RATE * seconds) / (elapsed / 1e9)
  }
}

function report(results) {
  const rows = Object.entries(results).map(([id, rounds]) => [
    id,
    format(medianOf(rounds, 'cpuPct'), 2),
    format(medianOf(rounds, 'flushes')),
    format(medianOf(rounds, 'rate'))
  ])
  const normal = results[`every ${format(INTERVALS_MS[0])} ms`]
  const comparisons = []
  if (normal) {
    const share = medianOf(normal, 'cpuPct')
    comparisons.push({
      measure: `CPU of the flusher at ${format(RATE)} entries/s of ${ENTRY_BYTES} bytes`,
      bound: '≤ 5 % of a core',
      figure: `${format(share, 2)} %`,
      ok: share <= 5
    })
  }
  return {
    comparisons,
    tables: [
      {
        title: `the flusher thread at ${format(RATE)} entries/s`,
        head: ['flushed', 'CPU, % of a core', 'flushes', 'entries/s reached'],
        rows
      }
    ],
    charts: [],
    notes: []
  }
}

module.exports = { name: 'flusher', title: 'CPU of the flusher', cases, run, report }
