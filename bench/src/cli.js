'use strict'

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { parseArgs, stripVTControlCharacters } = require('node:util')
const machine = require('./machine')
const peers = require('./peers')
const { runScenario } = require('./runner')
const scenarios = require('./scenarios')
const subject = require('./subject')
const terminal = require('./report/terminal')

const RESULTS = path.join(__dirname, '..', 'results')
const QUIET_LOAD = 0.5

const HELP = `usage: npm run bench [-- options]

  --only NAME[,NAME]   these scenarios only: ${scenarios.names.join(', ')}
  --cases TEXT         these cases only: those whose name contains the text; may be given several times
  --rounds N           rounds of every case, interleaved; the figures are their medians (default 5)
  --subject PATH       measures the build of shardlog in this folder instead
  --no-peers           shardlog and the floors only
  --quick              shows that everything works, in a minute or two; measures little
  --list               names the scenarios and their cases
  --help               this text

Results go to bench/results/: latest.json, latest.html (plots, self-contained), latest.txt and copies under the time of the run.`

function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string' },
      cases: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      subject: { type: 'string' },
      'no-peers': { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false }
    }
  })
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds takes a whole number from 1; it was given '${values.rounds}'`)
  const split = text =>
    text
      ?.split(',')
      .map(part => part.trim())
      .filter(Boolean)
  return {
    rounds,
    quick: values.quick,
    list: values.list,
    help: values.help,
    subject: values.subject,
    peers: values['no-peers'] ? [] : peers.available(),
    scenarios: (split(values.only) ?? scenarios.names).map(scenarios.find),
    wants: id => values.cases?.some(text => id.includes(text)) ?? true
  }
}

const casesOf = (scenario, options) => scenario.cases(options).filter(({ id }) => options.wants(id))

async function main(args) {
  const options = readOptions(args)
  if (options.help) return console.log(HELP)
  if (options.list) return list(options)
  if (options.subject) process.env.SHARDLOG_BENCH_SUBJECT = path.resolve(options.subject)
  const without = subject.missing()
  if (without) throw new Error(without)
  fs.mkdirSync(RESULTS, { recursive: true })
  const scratch = fs.mkdtempSync(path.join(RESULTS, 'scratch-'))
  const tidy = () => fs.rmSync(scratch, { recursive: true, force: true })
  // Gigabytes must not stay behind when the user has seen enough.
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ]) {
    process.once(signal, () => {
      tidy()
      process.exit(code)
    })
  }
  try {
    await report(await measure(options, scratch))
  } finally {
    tidy()
  }
}

function list(options) {
  for (const scenario of options.scenarios) {
    console.log(`${scenario.name}: ${scenario.title}`)
    for (const { id } of casesOf(scenario, options)) console.log(`  ${id}`)
  }
}

async function measure(options, scratch) {
  const run = {
    startedAt: new Date().toISOString(),
    options: { rounds: options.rounds, quick: options.quick },
    machine: machine.describe(scratch),
    results: {},
    failures: []
  }
  if (os.loadavg()[0] > QUIET_LOAD)
    console.log(
      `bench: the machine is busy (load ${os.loadavg()[0].toFixed(2)}); figures will be worse than they need to be`
    )
  for (const peer of peers.peers) {
    if (!peers.version(peer)) console.log(`bench: ${peer.name} is not installed and is left out`)
  }
  for (const scenario of options.scenarios) {
    const started = Date.now()
    const cases = casesOf(scenario, options)
    scenario.prepare?.(cases)
    run.results[scenario.name] = await runScenario(scenario, cases, {
      ...options,
      scratch,
      onCase: progress(scenario, cases, options),
      onFailure: error => {
        clearProgress()
        console.error(`bench: ${error.message}`)
        run.failures.push(error.message.split('\n')[0])
      }
    })
    clearProgress()
    const section = { title: scenario.title, report: scenario.report(run.results[scenario.name]) }
    console.log(
      `${terminal.section(section)}\n  (${options.rounds} rounds of ${cases.length} cases, ${Math.round((Date.now() - started) / 1000)} s)`
    )
  }
  return run
}

/** On a terminal, one line that says what runs; elsewhere nothing. */
function progress(scenario, cases, { rounds }) {
  let done = 0
  return (id, round) => {
    if (!process.stderr.isTTY) return
    const share = Math.floor((100 * done++) / (rounds * cases.length))
    process.stderr.write(`\r\u001b[2K${scenario.name} ${share} %: round ${round + 1} of ${rounds}, ${id}`)
  }
}

function clearProgress() {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
}

async function report(run) {
  const { page } = require('./report/html')
  const sections = Object.entries(run.results).map(([name, results]) => {
    const scenario = scenarios.find(name)
    return { name, title: scenario.title, report: scenario.report(results) }
  })
  const summary = {
    ...run,
    comparisons: sections.flatMap(({ name, report: { comparisons } }) =>
      comparisons.map(found => ({ scenario: name, ...found }))
    ),
    tables: Object.fromEntries(sections.map(({ name, report: { tables } }) => [name, tables]))
  }
  const html = await page({
    title: 'shardlog benchmarks',
    lead: `${run.startedAt} · medians of ${run.options.rounds} interleaved rounds, every case in a process of its own`,
    warning: warningOf(run),
    machine: run.machine,
    sections
  })
  const text = textOf(run, sections, summary.comparisons)
  const stamp = run.startedAt.replace(/[:.]/g, '-')
  for (const name of [stamp, 'latest']) {
    fs.writeFileSync(path.join(RESULTS, `${name}.json`), `${JSON.stringify(summary, null, 1)}\n`)
    fs.writeFileSync(path.join(RESULTS, `${name}.html`), html)
    fs.writeFileSync(path.join(RESULTS, `${name}.txt`), text)
  }
  console.log(`\n${terminal.bold('What was measured')}\n${terminal.comparisonTable(summary.comparisons)}`)
  const beyond = summary.comparisons.filter(({ ok }) => !ok).length
  console.log(
    `\n${summary.comparisons.length} figures, ${beyond} of them beyond their bound${run.options.quick ? ' (a quick run measures little)' : ''}; ${path.join(RESULTS, 'latest.html')}`
  )
  if (run.failures.length === 0) return
  console.error(`bench: ${run.failures.length} measurements failed, see above`)
  process.exitCode = 1
}

/** The report as text: what the terminal shows. */
function textOf(run, sections, comparisons) {
  const facts = Object.entries(run.machine).map(([name, value]) => `  ${name}: ${value}`)
  const parts = [
    `shardlog benchmarks, ${run.startedAt}, medians of ${run.options.rounds} rounds`,
    warningOf(run),
    ...facts,
    ...sections.map(terminal.section),
    '\nWhat was measured',
    terminal.comparisonTable(comparisons)
  ]
  return `${stripVTControlCharacters(parts.filter(Boolean).join('\n'))}\n`
}

function warningOf({ options, failures }) {
  const quick = options.quick ? ['A quick run: it shows that everything works, and measures little.'] : []
  return [...quick, ...failures.map(failure => `Failed: ${failure}`)].join(' ')
}

module.exports = { main }
