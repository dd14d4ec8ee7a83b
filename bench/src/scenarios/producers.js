'use strict'

const path = require('node:path')
const { medianOf, median, format } = require('../numbers')
const subject = require('../subject')
const { startTeam } = require('../team')

/**
 * Two producers' entries of one burst fit the active set: 2 x 120,000 x 104 bytes = 25 MB of 32
 * MiB.
 */
const BURST_ENTRIES = 120_000

/**
 * So large that the burst fills no shard to its threshold: the flusher, a third thread on two
 * cores, sleeps.
 */
const LARGE_BUFFER = 512 << 20
const LASTING = 'shardlog, 512 MiB'

function cases() {
  const kinds = [['floor'], ['shardlog'], [LASTING, LARGE_BUFFER]]
  return kinds.flatMap(([name, bufferSize]) =>
    [1, 2].map(threads => ({ id: idOf(name, threads), params: { target: name.split(',')[0], threads, bufferSize } }))
  )
}

const idOf = (target, threads) => `${target}, ${threads} ${threads === 1 ? 'thread' : 'threads'}`

/**
 * Calls per second of all threads together, from the first one's start to the last one's end, while
 * the buffers have room.
 */
async function run({ target, threads, bufferSize }, { folder, quick }) {
  const file = path.join(folder, 'burst.log')
  const config = { flushInterval: 0, ...(bufferSize && { bufferSize }) }
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

function report(results) {
  const rate = (target, threads) => medianOf(results[idOf(target, threads)] ?? [], 'callsPerSecond')
  const speedup = target => rate(target, 2) / rate(target, 1)
  const comparisons = []
  const lasting = speedup(LASTING)
  if (Number.isFinite(lasting)) {
    comparisons.push({
      measure: 'two producers against one, while the buffers last',
      bound: '≥ 1.7 ×',
      figure: `${format(lasting, 2)} × (64 MiB, the flusher at work: ${format(speedup('shardlog'), 2)} ×; a bare N-API copy: ${format(speedup('floor'), 2)} ×)`,
      ok: lasting >= 1.7
    })
  }
  const rows = Object.entries(results).map(([id, rounds]) => [id, format(medianOf(rounds, 'callsPerSecond') / 1e6, 2)])
  const title = 'million calls of logBytes per second while the buffers last (floor: an N-API copy of the Buffer)'
  return { comparisons, tables: [{ title, head: ['', 'million calls/s'], rows }], charts: [], notes: [] }
}

module.exports = { name: 'producers', title: 'Two producers', cases, run, report }
