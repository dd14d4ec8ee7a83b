'use strict'

/**
 * Puts the figures of a run into docs/benchmarks.md, between its two markers:
 * `node bench/src/update-docs.js [bench/results/latest.json]`. A quick run is refused.
 */
const fs = require('node:fs')
const path = require('node:path')

const DOCS = path.join(__dirname, '..', '..', 'docs', 'benchmarks.md')
const LATEST = path.join(__dirname, '..', 'results', 'latest.json')
const BEGIN = '<!-- figures: begin (bench/src/update-docs.js) -->'
const END = '<!-- figures: end -->'

const cell = text => String(text).replaceAll('|', '\\|').replaceAll('<', '&lt;')
const row = cells => `| ${cells.map(cell).join(' | ')} |`

function markdownTable(head, rows, firstLeft = true) {
  const rule = head.map((_, i) => (firstLeft && i === 0 ? '---' : '---:'))
  return [row(head), `| ${rule.join(' | ')} |`, ...rows.map(row)].join('\n')
}

function goals(run) {
  const rows = run.goals.map(({ measure, goal, figure, ok }) => [measure, goal, figure, ok ? 'ok' : 'short'])
  return [row(['measure', 'goal', 'figure', '']), '| --- | --- | --- | --- |', ...rows.map(row)].join('\n')
}

/** The generated part of the page. */
function figures(run) {
  const scenarios = require('./scenarios')
  const machine = Object.entries(run.machine).map(([name, value]) => `${name}: ${value}`)
  const sections = Object.entries(run.tables).map(([name, tables]) => {
    const parts = tables.map(({ title, head, rows }) => `${capital(title)}:\n\n${markdownTable(head, rows)}`)
    return `### ${scenarios.find(name).title}\n\n${parts.join('\n\n')}`
  })
  const when = `Run of ${run.startedAt.slice(0, 10)}, medians of ${run.options.rounds} interleaved rounds. ${machine.join('; ')}.`
  return `${when}\n\n### Goals\n\n${goals(run)}\n\n${sections.join('\n\n')}`
}

const capital = text => text[0].toUpperCase() + text.slice(1)

function main(file = LATEST) {
  const run = JSON.parse(fs.readFileSync(file, 'utf8'))
  if (run.options.quick) throw new Error(`${file} is of a quick run, whose figures mean little`)
  if (run.failures.length > 0) throw new Error(`${file} lacks what failed: ${run.failures.join('; ')}`)
  const page = fs.readFileSync(DOCS, 'utf8')
  const begin = page.indexOf(BEGIN)
  const end = page.indexOf(END)
  if (begin < 0 || end < begin) throw new Error(`${DOCS} lacks its markers`)
  fs.writeFileSync(DOCS, `${page.slice(0, begin + BEGIN.length)}\n\n${figures(run)}\n\n${page.slice(end)}`)
  console.log(`${path.relative(process.cwd(), DOCS)} holds the figures of ${run.startedAt}`)
}

if (require.main === module) {
  try {
    main(process.argv[2])
  } catch (error) {
    console.error(`update-docs: ${error.message}`)
    process.exitCode = 1
  }
}

module.exports = { figures }
