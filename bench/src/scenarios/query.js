'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { now } = require('../clock')
const { median, medianOf, format } = require('../numbers')
const subject = require('../subject')

const LINES = 10_000_000
const LINES_AT_ONCE = 20_000
const LEVELS = [30, 30, 30, 30, 20, 20, 40, 50]
const START_MS = 1_764_419_926_000
/** Times that bare DuckDB and the query take turns in one round. */
const TURNS = 3
const CPU = path.join(__dirname, '..', 'child-cpu.js')
const BARE = path.join(__dirname, '..', 'duckdb-count.js')

const KINDS = {
  ndjson: 'lines',
  blocks: 'blocks'
}

function cases() {
  return Object.keys(KINDS).map(kind => ({ id: KINDS[kind], params: { kind } }))
}

function line(i) {
  return (
    `{"level":${LEVELS[(i * 7 + (i >> 3)) % LEVELS.length]},"time":${START_MS + (i >> 3)},"pid":4711,"hostname":"web-1",` +
    `"userId":${i},"path":"/cart/${i % 100}","ms":${(i % 977) / 10},"msg":"request done"}\n`
  )
}

function writeLines(file, count) {
  const fd = fs.openSync(file, 'w')
  for (let i = 0; i < count; ) {
    const lines = []
    for (; lines.length < LINES_AT_ONCE && i < count; i++) lines.push(line(i))
    fs.writeSync(fd, lines.join(''))
  }
  fs.closeSync(fd)
}

async function writeBlocks(file, count) {
  const logger = subject.open(file, { onFull: 'block', blockTimeout: Number.POSITIVE_INFINITY })
  for (let i = 0; i < count; i++) logger.log(line(i))
  await logger.close()
}

/**
 * Seconds of a process, its start included, and those of processors that its threads took; throws
 * unless it has counted every line.
 */
function timed(args, count, folder) {
  const cpuFile = path.join(folder, 'cpu')
  const env = { ...process.env, SHARDLOG_BENCH_CPU: cpuFile }
  const start = now()
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--require', CPU, ...args], { encoding: 'utf8', env })
  const seconds = (now() - start) / 1e9
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  const counted = [...stdout.matchAll(/,(\d+)$/gm)].reduce((sum, [, number]) => sum + Number(number), 0)
  if (counted !== count) throw new Error(`${args.join(' ')} counted ${counted} of ${count} lines`)
  return { seconds, cpu: Number(fs.readFileSync(cpuFile, 'utf8')) / 1e6 }
}

const medianTimes = times => ({
  seconds: median(times.map(({ seconds }) => seconds)),
  cpu: median(times.map(({ cpu }) => cpu))
})

const query = (sql, file) => [subject.cli(), 'query', '--format', 'csv', sql, file]
const BY_LEVEL = 'select level, count(*) from logs group by level'

async function run({ kind }, { folder, quick }) {
  const count = quick ? LINES / 10 : LINES
  const plain = path.join(folder, 'plain.log')
  writeLines(plain, count)
  const file = kind === 'ndjson' ? plain : path.join(folder, 'blocks.log')
  if (kind === 'blocks') await writeBlocks(file, count)
  const time = args => timed(args, count, folder)
  time([BARE, plain]) // Brings the file into the page cache.
  time(query(BY_LEVEL, file))
  const turns = Array.from({ length: TURNS }, () => [time([BARE, plain]), time(query(BY_LEVEL, file))])
  return {
    bare: medianTimes(turns.map(([bare]) => bare)),
    query: medianTimes(turns.map(([, own]) => own)),
    filter: time(query("select 'all', count(*) from logs where userId >= 0", file)),
    fields: time(query("select 'all', count(*) from logs where fields->>'userId' is not null", file))
  }
}

function report(results) {
  const ids = Object.keys(results)
  const of = (id, measure, what = 'seconds') => medianOf(results[id], round => round[measure][what])
  const bound = 1.5
  const comparisons = ids
    .filter(id => id === KINDS.ndjson)
    .map(id => {
      const ratio = of(id, 'query') / of(id, 'bare')
      const cpus = ['query', 'bare'].map(measure => format(of(id, measure, 'cpu'), 2))
      return {
        measure: `shardlog query, 10 million lines counted by level, ${id}`,
        bound: `≤ ${bound} × bare DuckDB on plain NDJSON`,
        figure: `${format(of(id, 'query'), 2)} s, ${format(ratio, 2)} × (bare: ${format(of(id, 'bare'), 2)} s; of processors ${cpus[0]} and ${cpus[1]} s)`,
        ok: ratio <= bound
      }
    })
  const titles = {
    bare: 'bare DuckDB, the same lines as plain NDJSON, by level',
    query: 'shardlog query, by level',
    filter: 'shardlog query, a filter by a column of a key',
    fields: 'shardlog query, a filter by the column fields'
  }
  const timesOf = (id, measure) => ['seconds', 'cpu'].map(what => format(of(id, measure, what), 2)).join(' / ')
  const rows = Object.entries(titles).map(([measure, title]) => [title, ...ids.map(id => timesOf(id, measure))])
  const table = {
    title:
      'seconds for 10 million lines (1.3 GB) in the page cache, the start of the process included, and those of processors'
  }
  return { comparisons, tables: [{ ...table, head: ['', ...ids], rows }], charts: [], notes: [] }
}

module.exports = { name: 'query', title: 'Querying', timeoutMs: 1_800_000, cases, run, report }
