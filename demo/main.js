'use strict'

/**
 * `npm run demo`: a Fastify service under load is killed with SIGKILL, and its log is asked whether
 * every request that a client saw answered is in it. About 20 seconds; leaves nothing behind.
 */
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { startLoad } = require('./load')
const { startService } = require('./service-process')
const { readWitnesses, compare } = require('./compare')
const { cliPipeline, cli } = require('./cli')
const { heading, fact, line, table, verdict, count, megabytes } = require('./print')
const { recoverLog } = require('..')

const LOAD_MS = 5000
const SECOND_LOAD_MS = 3000

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-demo-'))
  const log = path.join(folder, 'service.ndjson')
  try {
    process.exitCode = (await play(log)) ? 0 : 1
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** The whole story; true if nothing was missing. */
async function play(log) {
  heading('A service under load')
  const served = new Map()
  const victim = await startService(log)
  line(`Fastify on ${victim.url}, process ${victim.pid}; all that it changed: loggerInstance: shardlog(…)`)
  const load = startLoad(victim.url, served)
  await sleep(LOAD_MS)
  showEngine(victim.lastReport())

  heading('SIGKILL, with requests in flight')
  victim.kill('SIGKILL')
  const { signal } = await victim.exited
  await load.stop()
  fact('the service ended with', signal)
  fact('answers its clients received', count(served.size))
  const before = compare(await readWitnesses(log), served)
  fact('of those answers, in the log file now', `${count(served.size - before.missing)}; the others are in the arena`)
  for (const name of fs.readdirSync(path.dirname(log)))
    fact(`  ${name}`, megabytes(fs.statSync(path.join(path.dirname(log), name)).size))

  heading('Recovery')
  const recovery = await recoverLog(log)
  fact('lines moved from the arena into the log', count(recovery.entries))
  const first = judge(await readWitnesses(log), served)

  heading('The service starts again on the same log, and is stopped politely')
  const second = await liveAgain(log, served)

  heading('The file through the command line')
  await showCli(log)

  const nothingMissing = first && second
  line('')
  verdict(
    nothingMissing,
    nothingMissing
      ? 'Every answered request is in the log, once, after SIGKILL too.'
      : 'The log does not hold what was served.'
  )
  return nothingMissing
}

/**
 * A second process: appends, flushes, closes when asked with SIGTERM. Shows what a running logger
 * tells about itself.
 */
async function liveAgain(log, served) {
  const service = await startService(log)
  const load = startLoad(service.url, served)
  await sleep(SECOND_LOAD_MS)
  await load.stop()
  const report = service.lastReport()
  service.kill('SIGTERM')
  const { code } = await service.exited
  fact('exit code', String(code))
  showFlushes(report)
  showShards(report)
  return judge(await readWitnesses(log), served)
}

function judge(witnesses, served) {
  const { missing, repeated, unseen } = compare(witnesses, served)
  const [requests, orders] = ['incoming request', 'order placed'].map(
    msg => [...witnesses.keys()].filter(key => key.startsWith(msg)).length
  )
  fact('answers received by clients', count(served.size))
  fact('requests in the log', `${count(requests)}, and the orders that ${count(orders)} of them placed`)
  fact('lines whose answer never reached its client', count(unseen))
  verdict(missing === 0, `answered and not in the log: ${count(missing)}`)
  verdict(repeated === 0, `in the log twice: ${count(repeated)}`)
  return missing === 0 && repeated === 0
}

function showEngine({ stats }) {
  const durability = stats.directIO
    ? `O_DIRECT, ${stats.ioAlignment}-byte alignment`
    : `page cache: ${stats.directIOReason}`
  fact('engine', `${stats.engine}, crash-safe memory: ${stats.crashSafe || 'none'}, ${durability}`)
  fact(
    'lines so far',
    `${count(stats.totalLogs)}, ${count(stats.droppedLogs)} dropped, ${count(stats.writtenLogs)} on the device`
  )
}

function showFlushes({ stats, flushes }) {
  fact('recovered at start', count(stats.recoveredLogs))
  fact(
    'flushes',
    `${count(flushes.count)}, ${megabytes(stats.bytesWritten)} written, ${count(stats.flushErrors)} failed`
  )
  const ms = value => `${value.toFixed(2)} ms`
  fact(
    'flush time',
    `average ${ms(flushes.avgFlushDurationMs)}, p50 ${ms(flushes.p50)}, p99 ${ms(flushes.p99)}, most ${ms(flushes.maxFlushDurationMs)}`
  )
}

/** Shards that were used; the rest in a word. */
function showShards({ shards }) {
  const used = shards.filter(({ utilizationPct, writeCount }) => utilizationPct > 0 || writeCount > 0)
  table(
    ['shard', 'in use', 'lines written'],
    used.map(({ shardId, utilizationPct, writeCount }) => [
      String(shardId),
      `${utilizationPct.toFixed(1)} %`,
      count(writeCount)
    ])
  )
  if (used.length < shards.length) fact('shards one producer had no need of', String(shards.length - used.length))
}

async function showCli(log) {
  const [folder, name] = [path.dirname(log), path.basename(log)]
  await cliPipeline(folder, ['cat', name], 'head -n 3')
  await cliPipeline(folder, ['cat', '--pretty', name], 'head -n 12')
  await cli(folder, ['verify', name])
  await cli(folder, ['stats', name])
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
