'use strict'

// What logs cost a process that says little: memory, disk, and the time for which opening keeps the
// event loop.
//
//   node scripts/footprint.js [--json]
//
// Each figure is of a process of its own, in a folder under TMPDIR, beside a process that does the
// same without a log. Needs the built package. Exit code 1 if a figure is above its bound.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { root, runMain } = require('./run')

const KIB = 1024
const MIB = 1024 * KIB
const LOGS = 12
const CYCLES = 1000
/** So many cycles make a loop's code hot: V8 compiles it, and keeps 5 to 8 MiB for that. */
const WARMING_CYCLES = 200

/**
 * `write_bytes` of /proc counts a page when it gets dirty, whoever brings it to the device later.
 */
const PRELUDE = `
const fs = require('node:fs')
const shardlog = require(${JSON.stringify(root)})
const rss = () => Number(/VmRSS:\\s+(\\d+)/.exec(fs.readFileSync('/proc/self/status', 'latin1'))[1]) * 1024
const dirtied = () => Number(/^write_bytes: (\\d+)/m.exec(fs.readFileSync('/proc/self/io', 'latin1'))[1])
const open = {
  logger: name => { const log = new shardlog.Logger({ logFilePath: name }); return { say: () => log.log('one line\\n'), log } },
  ndjson: name => {
    const destination = shardlog.destination({ dest: name, format: 'ndjson' })
    const log = shardlog({}, destination)
    return { say: () => log.info({ user: 1 }, 'one line'), log: destination }
  }
}
const disk = log => { const { arenaPath } = log.getStatsSnapshot(); return fs.statSync(arenaPath).blocks * 512 }
const settle = () => new Promise(resolve => setTimeout(resolve, 300))
// Code that is loaded when the first log is opened is not the log's.
for (const kind of Object.keys(open)) open[kind](kind + '.warm').log.closeSync()
`

/**
 * Of opened logs: the body of a process that opens \`count\` of a kind and says one line in each.
 */
const body = (kind, count) => `
;(async () => {
  await settle()
  global.gc()
  const before = rss()
  const beganDirty = dirtied()
  let blockedMs = 0
  let longestMs = 0
  const logs = []
  for (let i = 0; i < ${count}; i++) {
    const began = performance.now()
    logs.push(open.${kind}('log-' + i))
    const took = performance.now() - began
    blockedMs += took
    longestMs = Math.max(longestMs, took)
    await new Promise(resolve => setImmediate(resolve))
  }
  const writtenByOpening = dirtied() - beganDirty
  for (const log of logs) log.say()
  await settle()
  global.gc()
  const memory = rss() - before
  const space = logs.reduce((sum, { log }) => sum + disk(log), 0)
  process.stdout.write(JSON.stringify({ memory, space, writtenByOpening, blockedMs, longestMs }))
  for (const { log } of logs) log.closeSync()
})()`

/** Of logs that are opened, written to and closed, one after the other; after `warming` others. */
const cycles = (kind, warming) => `
;(async () => {
  const cycle = async count => {
    for (let i = 0; i < count; i++) {
      const { say, log } = open.${kind}('log')
      say()
      log.closeSync()
      await new Promise(resolve => setImmediate(resolve))
    }
    await settle()
  }
  await cycle(${warming})
  global.gc()
  const before = rss()
  await cycle(${CYCLES})
  process.stdout.write(JSON.stringify({ growth: rss() - before }))
})()`

function measure(kind, job) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-footprint-'))
  try {
    const args = ['--expose-gc', '-e', PRELUDE + job]
    const ended = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: 60_000 })
    if (ended.status !== 0) throw new Error(`${kind}: ${ended.stderr}`)
    return JSON.parse(ended.stdout)
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const mib = bytes => `${(bytes / MIB).toFixed(1)} MiB`
const kib = bytes => `${Math.ceil(bytes / KIB)} KiB`
const ms = value => `${value.toFixed(1)} ms`

/** [measure, figure, bound or null, how to print it] */
function figures() {
  const rows = []
  for (const kind of ['logger', 'ndjson']) {
    const one = measure(kind, body(kind, 1))
    const many = measure(kind, body(kind, LOGS))
    rows.push(
      [`${kind}: memory of one log after one line`, one.memory, 4 * MIB, mib],
      [`${kind}: dirtied by opening one`, one.writtenByOpening, 64 * KIB, kib],
      [`${kind}: longest opening of ${LOGS}`, many.longestMs, null, ms],
      [`${kind}: memory of ${LOGS}`, many.memory, 48e6, mib],
      // A Logger's 64 MiB are reserved, not written.
      [`${kind}: disk of ${LOGS}`, many.space, kind === 'ndjson' ? 120e6 : null, mib],
      [`${kind}: loop kept by opening ${LOGS}`, many.blockedMs, 40, ms],
      [`${kind}: memory after ${CYCLES} closed ones`, measure(kind, cycles(kind, 0)).growth, null, mib],
      [
        `${kind}: the same, ${WARMING_CYCLES} more before`,
        measure(kind, cycles(kind, WARMING_CYCLES)).growth,
        8 * MIB,
        mib
      ]
    )
  }
  return rows
}

function main() {
  const rows = figures().map(([measure, figure, bound, print]) => ({ measure, figure, bound, print }))
  if (process.argv.includes('--json')) {
    process.stdout.write(
      `${JSON.stringify(
        rows.map(({ print, ...row }) => row),
        null,
        2
      )}\n`
    )
  } else {
    for (const { measure, figure, bound, print } of rows) {
      const verdict = bound === null ? '' : ` (bound: at most ${print(bound)})${figure <= bound ? '' : '  ABOVE'}`
      process.stdout.write(`${measure.padEnd(44)} ${print(figure)}${verdict}\n`)
    }
  }
  if (rows.some(({ figure, bound }) => bound !== null && figure > bound)) process.exitCode = 1
}

runMain(main)
