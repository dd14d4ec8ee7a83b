'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { now } = require('../clock')
const { medianOf, format } = require('../numbers')
const subject = require('../subject')

const LINES = 10_000_000
const LINES_AT_ONCE = 20_000
const LEVELS = [30, 30, 30, 30, 20, 20, 40, 50]
const START_MS = 1_764_419_926_000
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

/** Seconds of a process, its start included; throws unless it has counted every line. */
function seconds(args, count) {
  const start = now()
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const taken = (now() - start) / 1e9
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  const counted = [...stdout.matchAll(/,(\d+)$/gm)].reduce((sum, [, number]) => sum + Number(number), 0)
  if (counted !== count) throw new Error(`${args.join(' ')} counted ${counted} of ${count} lines`)
  return taken
}

const query = (sql, file) => [subject.cli(), 'query', '--format', 'csv', sql, file]
const BY_LEVEL = 'select level, count(*) from logs group by level'

async function run({ kind }, { folder, quick }) {
  const count = quick ? LINES / 10 : LINES
  const plain = path.join(folder, 'plain.log')
  writeLines(plain, count)
  const file = kind === 'ndjson' ? plain : path.join(folder, 'blocks.log')
  if (kind === 'blocks') await writeBlocks(file, count)
  seconds([BARE, plain], count) // Brings the file into the page cache.
  seconds(query(BY_LEVEL, file), count)
  return {
    bare: seconds([BARE, plain], count),
    query: seconds(query(BY_LEVEL, file), count),
    filter: seconds(query("select 'all', count(*) from logs where userId >= 0", file), count),
    fields: seconds(query("select 'all', count(*) from logs where fields->>'userId' is not null", file), count)
  }
}

function report(results) {
  const ids = Object.keys(results)
  const of = (id, measure) => medianOf(results[id], measure)
  const bound = 1.5
  const comparisons = ids
    .filter(id => id === KINDS.ndjson)
    .map(id => {
      const ratio = of(id, 'query') / of(id, 'bare')
      return {
        measure: `shardlog query, 10 million lines counted by level, ${id}`,
        bound: `≤ ${bound} × bare DuckDB on plain NDJSON`,
        figure: `${format(of(id, 'query'), 2)} s, ${format(ratio, 2)} × (bare: ${format(of(id, 'bare'), 2)} s)`,
        ok: ratio <= bound
      }
    })
  const titles = {
    bare: 'bare DuckDB, the same lines as plain NDJSON, by level',
    query: 'shardlog query, by level',
    filter: 'shardlog query, a filter by a column of a key',
    fields: 'shardlog query, a filter by the column fields'
  }
  const rows = Object.entries(titles).map(([measure, title]) => [title, ...ids.map(id => format(of(id, measure), 2))])
  const table = { title: 'seconds for 10 million lines (1.3 GB) in the page cache, the start of the process included' }
  return { comparisons, tables: [{ ...table, head: ['', ...ids], rows }], charts: [], notes: [] }
}

module.exports = { name: 'query', title: 'Querying', timeoutMs: 1_800_000, cases, run, report }
