'use strict'

const path = require('node:path')
const { ENTRY_BYTES } = require('../entries')
const { walkLog } = require('../log-walker')
const { medianOf, format } = require('../numbers')
const { peakResidentBytes } = require('../process-figures')
const subject = require('../subject')
const { startTeam } = require('../team')
const { threadLines } = require('../report/charts')

const MB = 1e6
const MIB = 1024 * 1024
/** The default of shardlog; the memory bound is counted from it. */
const BUFFER_BYTES = 64 * MIB
const EXTRA_BYTES = 32 * MIB
const THREADS = [2, 4, 8, 50, 100]
const BOUND_THREADS = [8, 50, 100]
/** Much more than the buffers hold: the figures are those of threads that share a full logger. */
const TOTAL_ENTRIES = 20_000_000
/**
 * Calls of each thread, twice, before it counts: every thread's code is compiled anew, and in a
 * queue with the others'.
 */
const WARMUP_CALLS = 50_000
/**
 * 'idle' calls an empty function, with shardlog loaded: what is left of the memory is Node's own.
 */
const TASKS = ['idle', 'block', 'drop']

function cases() {
  return THREADS.flatMap(threads => TASKS.map(task => ({ id: idOf(task, threads), params: { task, threads } })))
}

const idOf = (task, threads) => `${threads} threads, ${task}`

function run({ task, threads }, { folder, quick }) {
  const each = Math.floor((quick ? TOTAL_ENTRIES / 10 : TOTAL_ENTRIES) / threads)
  return task === 'idle' ? runIdle(threads, each) : runPolicy(task, threads, each, path.join(folder, 'threads.log'))
}

async function runIdle(threads, each) {
  const team = await startTeam(threads, { target: 'nothing' })
  for (let i = 0; i < 2; i++) team.work(WARMUP_CALLS)
  team.work(each)
  const peakMb = peakResidentBytes() / MB
  await team.end()
  return { peakMb }
}

async function runPolicy(onFull, threads, each, file) {
  const config = { onFull, blockTimeout: Number.POSITIVE_INFINITY }
  const logger = subject.open(file, config)
  const team = await startTeam(threads, { target: 'shardlog', file, config })
  for (let i = 0; i < 2; i++) {
    team.work(WARMUP_CALLS)
    await logger.flush()
  }
  const droppedBefore = logger.getStatsSnapshot().droppedLogs
  const seconds = team.work(each)
  await logger.flush()
  const peakMb = peakResidentBytes() / MB
  await team.end()
  await logger.close()
  const stats = logger.getStatsSnapshot()
  const lost = missing(file, threads, threads * (each + 2 * WARMUP_CALLS), stats)
  const calls = threads * each
  const dropped = stats.droppedLogs - droppedBefore
  return {
    callsPerSecond: calls / seconds,
    keptPerSecond: (calls - dropped) / seconds,
    dropPct: (dropped / calls) * 100,
    lost,
    peakMb
  }
}

/** Entries missing from the file; throws if the counters do not account for every single call. */
function missing(file, threads, calls, { totalLogs, droppedLogs }) {
  const kept = readBack(file, threads)
  if (totalLogs !== calls) throw new Error(`${calls} calls were made, ${totalLogs} counted`)
  if (kept + droppedLogs !== calls) {
    throw new Error(`${calls} calls, ${kept} entries in the file, ${droppedLogs} counted as dropped`)
  }
  return calls - kept
}

/**
 * Number of entries in the file; throws if one thread's are out of order, repeated or not what it
 * wrote.
 */
function readBack(file, threads) {
  const last = new Float64Array(threads).fill(-1)
  return walkLog(file, (window, at, length) => {
    const number = window.readUInt32LE(at)
    const thread = window.readUInt32LE(at + 4)
    if (length !== ENTRY_BYTES || thread >= threads || number <= last[thread]) {
      throw new Error(`entry ${number} of thread ${thread} follows ${last[thread]}`)
    }
    last[thread] = number
  }).entries
}

/** Median of a figure of one task; NaN where it was not run. */
const figure = (results, task, threads, name) => medianOf(results[idOf(task, threads)] ?? [], name)

/** MB over the idle threads' peak. */
const memory = (results, task, threads) =>
  figure(results, task, threads, 'peakMb') - figure(results, 'idle', threads, 'peakMb')

const mostLost = (results, threads) => {
  const rounds = results[idOf('block', threads)]
  return rounds ? Math.max(...rounds.map(round => round.lost)) : Number.NaN
}

function comparisons(results) {
  const limit = (BUFFER_BYTES + EXTRA_BYTES) / MB
  const found = BOUND_THREADS.flatMap(threads => {
    const lost = mostLost(results, threads)
    const used = Math.max(memory(results, 'block', threads), memory(results, 'drop', threads))
    return [
      { measure: `${threads} worker threads, lost under 'block'`, bound: '0', figure: format(lost), ok: lost === 0 },
      {
        measure: `${threads} worker threads, memory over Node's own`,
        bound: `≤ bufferSize + 32 MiB (${format(limit)} MB)`,
        figure: `${format(used)} MB`,
        ok: used <= limit
      }
    ]
  })
  return [...found, sharing(results)].filter(({ figure: text }) => !text.startsWith('–'))
}

/** Threads beyond the cores must not slow each other down: the slowest of many against two. */
function sharing(results) {
  const rate = threads => figure(results, 'block', threads, 'callsPerSecond')
  const more = THREADS.filter(threads => threads > 2 && Number.isFinite(rate(threads)))
  const slowest = more.sort((a, b) => rate(a) - rate(b))[0]
  const share = rate(slowest) / rate(2)
  return {
    measure: 'more threads than cores, calls/s under block against two threads',
    bound: '≥ 0.9 ×',
    figure: `${format(share, 2)} × with ${slowest}`,
    ok: share >= 0.9
  }
}

function report(results) {
  const thousands = (task, threads, name) => format(figure(results, task, threads, name) / 1000)
  const rows = THREADS.map(threads => [
    format(threads),
    thousands('block', threads, 'callsPerSecond'),
    format(mostLost(results, threads)),
    format(memory(results, 'block', threads)),
    thousands('drop', threads, 'callsPerSecond'),
    thousands('drop', threads, 'keptPerSecond'),
    format(figure(results, 'drop', threads, 'dropPct'), 2),
    format(memory(results, 'drop', threads)),
    format(figure(results, 'idle', threads, 'peakMb'))
  ])
  return {
    comparisons: comparisons(results),
    tables: [
      {
        title: `${format(TOTAL_ENTRIES)} entries of 100 bytes by worker threads, in thousands a second`,
        head: [
          'threads',
          'block: calls',
          'lost',
          'memory MB',
          'drop: calls',
          'kept',
          'dropped %',
          'memory MB',
          'idle MB'
        ],
        rows: rows.filter(row => row.slice(1).some(cell => cell !== '–'))
      }
    ],
    charts: chart(results),
    notes: [
      'memory: peak RSS over that of the same threads, shardlog loaded, calling an empty function (idle)',
      'every entry carries its thread and number; the file is checked against the counters'
    ]
  }
}

function chart(results) {
  const lines = [
    ["calls/s, 'block'", 'block', 'callsPerSecond'],
    ["calls/s, 'drop'", 'drop', 'callsPerSecond'],
    ["kept/s, 'drop'", 'drop', 'keptPerSecond']
  ]
  const values = lines
    .flatMap(([name, task, pick]) =>
      THREADS.map(threads => ({ name, threads, value: figure(results, task, threads, pick) }))
    )
    .filter(({ value }) => Number.isFinite(value))
  if (values.length === 0) return []
  return [
    {
      title: 'Throughput against threads',
      caption:
        "100-byte entries per second of all worker threads together, logging as fast as they can. Under 'block' nothing is lost.",
      spec: threadLines(values)
    }
  ]
}

module.exports = { name: 'threads', title: 'Worker threads', cases, run, report }
