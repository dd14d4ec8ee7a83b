'use strict'

const { mostLost, rates, table } = require('../account')
const batches = require('../appenders/batches')
const patterns = require('../appenders/patterns')
const rolling = require('../appenders/rolling')
const { median, medianOf, format } = require('../numbers')
const { bars } = require('../report/charts')

const parts = { batches, rolling, patterns }

const cases = options => Object.values(parts).flatMap(part => part.cases(options))
const run = (params, context) => parts[params.part].run(params, context)

/** What the document reports of its own library. */
const SOURCE = { each: 5_052, batches: 246_832 }
const BOUNDS = { ratio: 100, buffered: 2e6, loss: 5, pattern: 2e6 }
const NS_PER_SECOND = 1e9

const rateOf = (results, id) => medianOf(results[id] ?? [], 'rate')

function batchComparisons(results) {
  const each = rateOf(results, 'shardlog, each flushed')
  const buffered = rateOf(results, 'shardlog, batch_size 1000')
  if (!Number.isFinite(buffered)) return []
  const source = `(pylog: ${format(SOURCE.batches)}/s, ${format(SOURCE.batches / SOURCE.each, 1)} × ${format(SOURCE.each)}/s)`
  const found = [
    {
      measure: `${format(batches.RECORDS)} records of 100 bytes, batch_size 1000`,
      bound: '≥ 2,000,000/s',
      figure: `${format(buffered)}/s ${source}`,
      ok: buffered >= BOUNDS.buffered
    }
  ]
  if (!Number.isFinite(each)) return found
  const ratio = (measure, one, other) => ({
    measure,
    bound: '≥ 100 ×',
    figure: `${format(other / one, 1)} × ${format(one)}/s`,
    ok: other / one >= BOUNDS.ratio
  })
  const [eachThere, bufferedThere] = ['shardlog, each flushed, device', 'shardlog, batch_size 1000, device'].map(id =>
    rateOf(results, id)
  )
  found.push(ratio('the same against each record flushed', each, buffered))
  if (Number.isFinite(bufferedThere / eachThere))
    found.push(ratio('the same, all of them on the device (fsync, the default)', eachThere, bufferedThere))
  return found
}

/** Percent below the other case's, round by round: a slow minute meets both. */
const losses = (rolled, still) =>
  rolled.slice(0, still.length).map((round, at) => 100 * (1 - round.entriesPerSecond / still[at].entriesPerSecond))

function rollingComparisons(results) {
  const [still, rolled] = [results['shardlog, not rolled'], results['shardlog, rolled']]
  if (!still || !rolled) return []
  const lost = Math.max(mostLost(still), mostLost(rolled))
  const loss = median(losses(rolled, still))
  return [
    {
      measure: `RollingFile rolled each 64 MiB, records/s below a file that is not`,
      bound: '≤ 5 %',
      figure: `${format(loss, 1)} % (${format(medianOf(rolled, 'entriesPerSecond'))}/s, ${format(medianOf(rolled, 'files'))} files)`,
      ok: loss <= BOUNDS.loss
    },
    {
      measure: `${format(rolled[0].entries)} records over rolled files, lost, split or out of order`,
      bound: '0',
      figure: format(lost),
      ok: lost === 0
    }
  ]
}

function patternComparisons(results) {
  const rounds = results['shardlog, pattern into a file']
  if (!rounds) return []
  const lines = NS_PER_SECOND / medianOf(rounds, 'cpuNsPerEntry')
  return [
    {
      measure: 'Pattern layout into a file, lines per second of processor time, all threads',
      bound: '≥ 2,000,000',
      figure: `${format(lines)} (${format(medianOf(rounds, 'entriesPerSecond'))}/s until the file is complete)`,
      ok: lines >= BOUNDS.pattern
    }
  ]
}

/** Results of one of the parts. */
const ofPart = (results, part) => {
  const ids = new Set(parts[part].cases({ peers: [{ name: 'log4js' }, { name: 'winston' }] }).map(({ id }) => id))
  return Object.fromEntries(Object.entries(results).filter(([id]) => ids.has(id)))
}

function batchTable(results) {
  return {
    title: `${format(batches.RECORDS)} records of 100 bytes as JSON until they are handed to the system, or are on the device`,
    head: ['', 'records/s'],
    rows: Object.keys(results).map(id => [id, format(rateOf(results, id))])
  }
}

/** Who splits records where files are rolled. */
function splits(results) {
  return Object.entries(results)
    .filter(([, rounds]) => rounds.some(({ split }) => split > 0))
    .map(
      ([id, rounds]) =>
        `${id}: ${format(Math.max(...rounds.map(({ split }) => split)))} records lie in two files, a part in each`
    )
}

function report(results) {
  const [flushed, rolled, printed] = ['batches', 'rolling', 'patterns'].map(part => ofPart(results, part))
  const tables = []
  if (Object.keys(flushed).length > 0) tables.push(batchTable(flushed))
  const records = 'records of 4 fields as fast as they can, until the files are complete; rolled each 64 MiB'
  if (Object.keys(rolled).length > 0) tables.push(table(rolled, records, 'records'))
  const lines = 'lines of some 115 bytes by the pattern %d %-5p [%t] %c - %m%n'
  if (Object.keys(printed).length > 0) tables.push(table(printed, lines, 'lines'))
  const bar = (title, of, x) => ({
    title,
    caption: 'Per second, log scale: more is better.',
    spec: bars(rates(of), { x, log: true, digits: 0, descending: true })
  })
  return {
    comparisons: [...batchComparisons(results), ...rollingComparisons(results), ...patternComparisons(results)],
    tables,
    charts: [
      ...(Object.keys(rolled).length > 0 ? [bar('Rolled files', rolled, 'records per second')] : []),
      ...(Object.keys(printed).length > 0 ? [bar('Lines by a pattern', printed, 'lines per second')] : [])
    ],
    notes: [
      ...splits(rolled),
      'every file is read back: each record carries its number, all must be there, whole and in order over all files',
      "device: fsync true, the appender's default; else what is flushed is with the system, as the document's is",
      'the source ran on another machine, in Python: its ratio is held against ours, its figures are for information'
    ]
  }
}

module.exports = { name: 'appenders', title: 'Appenders of a configuration', timeoutMs: 300_000, cases, run, report }
