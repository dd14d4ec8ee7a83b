'use strict'

/**
 * Puts the figures of a run into docs/benchmarks.md and a choice of them into README.md, between
 * their markers: `node bench/src/update-docs.js [bench/results/latest.json]`. A quick run is
 * refused.
 */
const fs = require('node:fs')
const path = require('node:path')

const ROOT = path.join(__dirname, '..', '..')
const LATEST = path.join(__dirname, '..', 'results', 'latest.json')
const BEGIN = '<!-- figures: begin (bench/src/update-docs.js) -->'
const END = '<!-- figures: end -->'

const cell = text => String(text).replaceAll('|', '\\|').replaceAll('<', '&lt;')
const row = cells => `| ${cells.map(cell).join(' | ')} |`

function markdownTable(head, rows, firstLeft = true) {
  const rule = head.map((_, i) => (firstLeft && i === 0 ? '---' : '---:'))
  return [row(head), `| ${rule.join(' | ')} |`, ...rows.map(row)].join('\n')
}

/** What was measured, and what it is held against. */
function results(run) {
  const head = ['measure', 'figure', 'bound', 'within', 'scenario']
  const rows = run.comparisons.map(({ scenario, measure, bound, figure, ok }) => {
    return [measure, figure, bound, ok ? 'yes' : 'no', `\`${scenario}\``]
  })
  return [row(head), '| --- | --- | --- | --- | --- |', ...rows.map(row)].join('\n')
}

const capital = text => text[0].toUpperCase() + text.slice(1)

function section(run, name, heading) {
  const scenarios = require('./scenarios')
  const parts = run.tables[name].map(({ title, head, rows }) => `${capital(title)}:\n\n${markdownTable(head, rows)}`)
  return `${heading} ${scenarios.find(name).title}\n\n${parts.join('\n\n')}`
}

function provenance(run) {
  const machine = Object.entries(run.machine).map(([name, value]) => `${name}: ${value}`)
  const failures =
    run.failures.length === 0 ? '' : ` Measurements that gave no result: ${[...new Set(run.failures)].join('; ')}.`
  return `Run of ${run.startedAt.slice(0, 10)}, medians of ${run.options.rounds} interleaved rounds. ${machine.join('; ')}.${failures}`
}

/** Those of the scenarios that have figures in this run. */
const measured = (run, names) => names.filter(name => run.tables[name]?.length > 0)

/** The generated part of the page on benchmarks: everything. */
function figures(run) {
  const sections = measured(run, Object.keys(run.tables)).map(name => section(run, name, '###'))
  return `${provenance(run)}\n\n### In one table\n\n${results(run)}\n\n${sections.join('\n\n')}`
}

/** Measures that README.md shows. */
const SHOWN = [
  "Fastify with request logging, ndjson: user time of the main thread above the floor, of pino's",
  'structured call, 20 sites, bursts of 500',
  'structured call, 200 sites, bursts of 500',
  'structured call, 4 fields, burst',
  'ndjson, 4 fields, 100,000/s, p99.9 while flushing',
  "NDJSON sustained, lines/s against pino's fastest mode",
  "NDJSON sustained, CPU per line against pino's leanest mode",
  '1,000,000 lines to a pipe nobody reads, memory',
  'log, 100-byte ASCII string, burst',
  'log, sustained, against the best peer',
  'readLog, entries of 100 bytes'
]

/**
 * The generated part of README.md: some measures, each with the command that makes it again. Throws
 * if the run lacks one.
 */
function summary(run) {
  const rows = SHOWN.map(shown => {
    const found = run.comparisons.find(({ measure }) => measure === shown)
    if (found === undefined) throw new Error(`the run has no measure "${shown}", which README.md shows`)
    return [found.measure, found.figure, `\`npm run bench -- --only ${found.scenario}\``]
  })
  return [row(['measure', 'figure', 'command']), '| --- | --- | --- |', ...rows.map(row)].join('\n')
}

function fillIn(name, text) {
  const file = path.join(ROOT, name)
  const page = fs.readFileSync(file, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${name} lacks its markers`)
  fs.writeFileSync(file, `${page.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${page.slice(end)}`)
}

function main(file = LATEST) {
  const run = JSON.parse(fs.readFileSync(file, 'utf8'))
  if (run.options.quick) throw new Error(`${file} is of a quick run, whose figures mean little`)
  fillIn('docs/benchmarks.md', figures(run))
  fillIn('README.md', summary(run))
  console.log(`docs/benchmarks.md and README.md hold the figures of ${run.startedAt}`)
}

if (require.main === module) {
  try {
    main(process.argv[2])
  } catch (error) {
    console.error(`update-docs: ${error.message}`)
    process.exitCode = 1
  }
}

module.exports = { figures, summary }
