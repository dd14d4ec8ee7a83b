'use strict'

const path = require('node:path')
const { ENTRY_BYTES } = require('../entries')
const { walkLog } = require('../log-walker')
const { medianOf, median, format } = require('../numbers')
const { residentBytes, peakResidentBytes, resetPeak } = require('../process-figures')
const subject = require('../subject')
const { startTeam } = require('../team')
const { threadLines } = require('../report/charts')

const MB = 1e6
const MIB = 1024 * 1024
/** The default of shardlog; the memory goal is counted from it. */
const BUFFER_BYTES = 64 * MIB
const EXTRA_BYTES = 32 * MIB
/** Two producers' entries of one burst fit the active set: 2 x 120,000 x 104 bytes = 25 MB of 32 MiB. */
const BURST_ENTRIES = 120_000
const THREADS = [2, 4, 8, 50, 100]
const TOTAL_ENTRIES = 4_000_000
/** Each thread compiles its own code; twice this many calls are enough. */
const WARMUP_CALLS = 5000

function cases() {
  return [
    ...['floor', 'shardlog'].flatMap(target =>
      [1, 2].map(threads => ({ id: `${target} burst, ${threads}`, params: { task: 'burst', target, threads } }))
    ),
    ...THREADS.map(threads => ({ id: `many, ${threads}`, params: { task: 'many', threads } }))
  ]
}

function run(params, context) {
  return params.task === 'burst' ? runBursts(params, context) : runMany(params, context)
}

/** Calls per second of all threads together, from the first one's start to the last one's end, while the buffers have room. */
async function runBursts({ target, threads }, { folder, quick }) {
  const file = path.join(folder, 'burst.log')
  const config = { flushInterval: 0 }
  // Opened here too: this thread flushes between the bursts.
  const logger = target === 'shardlog' ? subject.open(file, config) : undefined
  const team = await startTeam(threads, { target, file, config })
  const rates = []
  const [warmup, bursts] = quick ? [2, 4] : [10, 40]
  for (let i = 0; i < warmup + bursts; i++) {
    const seconds = team.work(BURST_ENTRIES)
    if (i >= warmup) rates.push((threads * BURST_ENTRIES) / seconds)
    await logger?.flush()
  }
  await team.end()
  const dropped = logger?.getStatsSnapshot().droppedLogs ?? 0
  await logger?.close()
  if (dropped > 0) throw new Error(`${dropped} entries were dropped though the buffers had room for all`)
  return { callsPerSecond: median(rates) }
}

/** The same threads: first against nothing (Node's own memory), then blocking, then dropping. */
async function runMany({ threads }, { folder, quick }) {
  const each = Math.floor((quick ? TOTAL_ENTRIES / 10 : TOTAL_ENTRIES) / threads)
  const idle = await idleMemory(threads, each)
  const block = await runPolicy('block', threads, each, folder)
  const drop = await runPolicy('drop', threads, each, folder)
  return { threads, idleMb: idle / MB, block: overIdle(block, idle), drop: overIdle(drop, idle) }
}

const overIdle = ({ peakBytes, ...result }, idle) => ({ ...result, memoryMb: (peakBytes - idle) / MB })

/** Peak memory of the threads making the same calls to a function that does nothing. */
async function idleMemory(threads, each) {
  resetPeak()
  const team = await startTeam(threads, { target: 'nothing' })
  team.work(each)
  await team.end()
  return peakResidentBytes()
}

async function runPolicy(onFull, threads, each, folder) {
  const file = path.join(folder, `${onFull}.log`)
  const config = { onFull, blockTimeout: Number.POSITIVE_INFINITY }
  resetPeak()
  const logger = subject.open(file, config)
  const team = await startTeam(threads, { target: 'shardlog', file, config })
  for (let i = 0; i < 2; i++) {
    team.work(WARMUP_CALLS)
    await logger.flush()
  }
  const droppedBefore = logger.getStatsSnapshot().droppedLogs
  const seconds = team.work(each)
  await logger.flush()
  const peakBytes = Math.max(peakResidentBytes(), residentBytes())
  await team.end()
  await logger.close()
  const stats = logger.getStatsSnapshot()
  const missing = checkAll(file, threads, threads * (each + 2 * WARMUP_CALLS), stats)
  const calls = threads * each
  const dropped = stats.droppedLogs - droppedBefore
  return {
    callsPerSecond: calls / seconds,
    keptPerSecond: (calls - dropped) / seconds,
    lost: missing,
    dropPct: (dropped / calls) * 100,
    peakBytes
  }
}

/** Entries missing from the file; throws if the counters do not account for every single call. */
function checkAll(file, threads, calls, { totalLogs, droppedLogs }) {
  const kept = readBack(file, threads)
  if (totalLogs !== calls) throw new Error(`${calls} calls were made, ${totalLogs} counted`)
  if (kept + droppedLogs !== calls)
    throw new Error(`${calls} calls, ${kept} entries in the file, ${droppedLogs} counted as dropped`)
  return calls - kept
}

/** Number of entries in the file; throws if one thread's are out of order, repeated or not what it wrote. */
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

function goals(results) {
  const found = []
  const rate = id => (results[id] ? medianOf(results[id], 'callsPerSecond') : Number.NaN)
  const speedup = rate('shardlog burst, 2') / rate('shardlog burst, 1')
  if (Number.isFinite(speedup)) {
    const floor = rate('floor burst, 2') / rate('floor burst, 1')
    const aside = Number.isFinite(floor) ? ` (a bare N-API copy: ${format(floor, 2)} ×)` : ''
    found.push({
      measure: 'two producers against one, while the buffers last',
      goal: '≥ 1.7 ×',
      figure: `${format(speedup, 2)} ×${aside}`,
      ok: speedup >= 1.7
    })
  }
  for (const threads of [8, 50, 100]) {
    const rounds = results[`many, ${threads}`]
    if (!rounds) continue
    const lost = Math.max(...rounds.map(round => round.block.lost))
    const memory = medianOf(rounds, round => Math.max(round.block.memoryMb, round.drop.memoryMb)) * MB
    const limit = BUFFER_BYTES + EXTRA_BYTES
    found.push(
      { measure: `${threads} worker threads, lost under 'block'`, goal: '0', figure: format(lost), ok: lost === 0 },
      {
        measure: `${threads} worker threads, memory over Node's own`,
        goal: `≤ bufferSize + 32 MiB (${format(limit / MB)} MB)`,
        figure: `${format(memory / MB)} MB`,
        ok: memory <= limit
      }
    )
  }
  const sharing = sharingLoss(results)
  if (sharing) found.push(sharing)
  return found
}

/** Threads beyond the cores must not slow each other down: the slowest of many against two. */
function sharingLoss(results) {
  const two = results['many, 2']
  const more = THREADS.filter(threads => threads > 2 && results[`many, ${threads}`])
  if (!two || more.length === 0) return undefined
  const rate = threads => medianOf(results[`many, ${threads}`], round => round.block.callsPerSecond)
  const slowest = more.reduce((a, b) => (rate(b) < rate(a) ? b : a))
  const share = rate(slowest) / rate(2)
  return {
    measure: 'more threads than cores, calls/s under block against two threads',
    goal: '≥ 0.9 ×',
    figure: `${format(share, 2)} × with ${slowest}`,
    ok: share >= 0.9
  }
}

function report(results) {
  const bursts = Object.entries(results).filter(([id]) => id.includes('burst'))
  const many = Object.entries(results).filter(([id]) => id.startsWith('many'))
  const tables = []
  if (bursts.length > 0) {
    const rows = bursts.map(([id, rounds]) => [id, format(medianOf(rounds, 'callsPerSecond') / 1e6, 2)])
    tables.push({
      title: 'million calls per second while the buffers last (logBytes; floor: N-API copy of a Buffer)',
      head: ['target, threads', 'million calls/s'],
      rows
    })
  }
  if (many.length > 0) {
    const pick = (rounds, policy, name, digits = 0) =>
      format(
        medianOf(rounds, round => round[policy][name]),
        digits
      )
    tables.push({
      title: `${format(TOTAL_ENTRIES)} entries of 100 bytes by worker threads`,
      head: [
        'threads',
        'block: thousand/s',
        'lost',
        'memory MB',
        'drop: thousand calls/s',
        'kept, thousand/s',
        'dropped %',
        'memory MB'
      ],
      rows: many.map(([, rounds]) => [
        format(rounds[0].threads),
        format(medianOf(rounds, round => round.block.callsPerSecond) / 1000),
        format(Math.max(...rounds.map(round => round.block.lost))),
        pick(rounds, 'block', 'memoryMb'),
        format(medianOf(rounds, round => round.drop.callsPerSecond) / 1000),
        format(medianOf(rounds, round => round.drop.keptPerSecond) / 1000),
        pick(rounds, 'drop', 'dropPct', 2),
        pick(rounds, 'drop', 'memoryMb')
      ])
    })
  }
  return { goals: goals(results), tables, charts: many.length > 1 ? [chart(many)] : [], notes: [] }
}

function chart(many) {
  const values = many.flatMap(([, rounds]) => [
    {
      threads: rounds[0].threads,
      name: "calls/s, 'block'",
      value: medianOf(rounds, round => round.block.callsPerSecond)
    },
    {
      threads: rounds[0].threads,
      name: "calls/s, 'drop'",
      value: medianOf(rounds, round => round.drop.callsPerSecond)
    },
    { threads: rounds[0].threads, name: "kept/s, 'drop'", value: medianOf(rounds, round => round.drop.keptPerSecond) }
  ])
  return {
    title: 'Throughput against threads',
    caption:
      "100-byte entries per second of all worker threads together, logging as fast as they can. Under 'block' nothing is lost.",
    spec: threadLines(values)
  }
}

module.exports = { name: 'producers', title: 'Worker threads', cases, run, report }
