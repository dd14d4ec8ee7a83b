'use strict'

const fs = require('node:fs')
const path = require('node:path')
const machine = require('../src/machine')
const { format } = require('../src/numbers')
const { percentileCurves, timeLines } = require('../src/report/charts')
const { page } = require('../src/report/html')
const terminal = require('../src/report/terminal')

const MB = 1e6
const PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, 'p99.9': 99.9, max: 100 }
const CURVE = [0, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99]

/** Prints the report and writes report.json, report.html and timeline.csv into `folder`. */
async function writeReport(folder, run) {
  const timeline = timelineOf(run.samples)
  const sections = [grpcSection(run), loggerSection(run), resourceSection(timeline)]
  const facts = machine.describe(folder)
  const summary = {
    ...run,
    calls: { ...run.calls, histogram: undefined, latencyUs: percentiles(run.calls.histogram) },
    samples: undefined,
    final: run.samples.at(-1),
    timeline,
    machine: facts
  }
  fs.writeFileSync(path.join(folder, 'report.json'), `${JSON.stringify(summary, null, 1)}\n`)
  fs.writeFileSync(path.join(folder, 'timeline.csv'), csv(timeline))
  const { rps, seconds, threads, bufferMb } = run.options
  const lead = `${run.startedAt} · ${run.path}, ${rps} calls/s for ${seconds} s, at most ${threads} in flight, ${bufferMb} MiB of buffers`
  fs.writeFileSync(
    path.join(folder, 'report.html'),
    await page({ title: 'shardlog load test', lead, machine: facts, sections })
  )
  for (const section of sections) console.log(terminal.section(section))
  console.log(
    `\n${terminal.comparisonTable(sections.flatMap(section => section.report.comparisons))}\n\n${path.join(folder, 'report.html')}`
  )
}

const percentiles = histogram =>
  Object.fromEntries(Object.entries(PERCENTILES).map(([name, p]) => [name, histogram.getValueAtPercentile(p)]))

function grpcSection({ calls }) {
  const failures = Object.entries(calls.failed).map(([name, times]) => `${format(times)} ${name}`)
  const rows = [
    ['calls made', format(calls.made)],
    ['answered', format(calls.answered)],
    ['failed', failures.join(', ') || '0'],
    ['calls per second', format(calls.answered / calls.seconds)],
    ...Object.entries(percentiles(calls.histogram)).map(([name, us]) => [
      `${name}, ms from when it was due`,
      format(us / 1000, 2)
    ])
  ]
  const curve = CURVE.map(p => ({
    name: 'calls',
    nines: 1 / (1 - p / 100),
    ns: calls.histogram.getValueAtPercentile(p)
  }))
  return section('grpc', 'gRPC calls', rows, {
    charts: [
      {
        title: 'Time of a call',
        caption: 'Microseconds from the moment the call was due, by percentile.',
        spec: percentileCurves(curve, { y: 'µs' })
      }
    ],
    comparisons: [
      { measure: 'calls that failed', bound: '0', figure: failures.join(', ') || '0', ok: failures.length === 0 }
    ]
  })
}

function loggerSection({ samples, log }) {
  const { stats, flushes } = samples.at(-1)
  const shards = samples.at(-1).shards.filter(shard => shard.writeCount > 0)
  const rows = [
    ['entries logged', format(stats.totalLogs)],
    [
      'dropped',
      `${format(stats.droppedLogs)} (${format((100 * stats.droppedLogs) / Math.max(1, stats.totalLogs), 4)} %)`
    ],
    ['written to the device', `${format(stats.writtenLogs)} entries, ${format(stats.bytesWritten / MB, 1)} MB`],
    ['flushes', `${format(stats.flushes)}, ${format(stats.flushErrors)} failed`],
    [
      'flush time, ms',
      `average ${format(flushes.avgFlushDurationMs, 2)}, p99 ${format(flushes.p99, 2)}, most ${format(flushes.maxFlushDurationMs, 2)}`
    ],
    ['set swaps', format(stats.setSwaps)],
    ['shards used', shards.map(shard => `${shard.shardId}: ${format(shard.writeCount)}`).join(', ')],
    ['engine', `${stats.engine}, crashSafe ${stats.crashSafe}, ${stats.directIO ? 'O_DIRECT' : stats.directIOReason}`],
    ['entries in the file', `${format(log.entries)} of ${format(log.expected)}`]
  ]
  const ok = log.missing === 0
  return section('logger', 'shardlog', rows, {
    comparisons: [
      { measure: 'entries missing from the file and not counted', bound: '0', figure: format(log.missing), ok },
      { measure: 'entries dropped', bound: '0', figure: format(log.dropped), ok: log.dropped === 0 }
    ]
  })
}

function resourceSection(timeline) {
  const most = name => Math.max(...timeline.map(row => row[name]))
  const mean = name => timeline.reduce((sum, row) => sum + row[name], 0) / Math.max(1, timeline.length)
  const rows = [
    ['CPU of the service, % of a core', `average ${format(mean('cpuPct'), 1)}, most ${format(most('cpuPct'), 1)}`],
    ['memory of the service, MB', `average ${format(mean('rssMb'))}, most ${format(most('rssMb'))}`],
    [
      'written to the device, MB/s',
      `average ${format(mean('deviceMbPerSecond'), 2)}, most ${format(most('deviceMbPerSecond'), 2)}`
    ]
  ]
  const line = (name, field) => timeline.map(row => ({ name, second: row.second, value: row[field] }))
  return section('resources', 'The service’s process', rows, {
    charts: [
      {
        title: 'Calls',
        caption: 'Answered per second.',
        spec: timeLines(line('calls/s', 'callsPerSecond'), { y: 'per second' })
      },
      { title: 'CPU', caption: 'Per cent of a core.', spec: timeLines(line('CPU', 'cpuPct'), { y: '%' }) },
      { title: 'Memory', caption: 'Resident, in MB.', spec: timeLines(line('RSS', 'rssMb'), { y: 'MB' }) }
    ]
  })
}

function section(name, title, rows, { charts = [], comparisons = [] }) {
  return { name, title, report: { comparisons, charts, notes: [], tables: [{ title: '', head: ['', ''], rows }] } }
}

/** One row per sample after the first: what happened since the one before. */
function timelineOf(samples) {
  return samples.slice(1).map((sample, i) => {
    const before = samples[i]
    const seconds = (sample.atMs - before.atMs) / 1000
    return {
      second: (sample.atMs - samples[0].atMs) / 1000,
      callsPerSecond: (sample.served - before.served) / seconds,
      cpuPct: (100 * (sample.cpuMs - before.cpuMs)) / (seconds * 1000),
      rssMb: sample.rssBytes / MB,
      deviceMbPerSecond: (sample.deviceBytes - before.deviceBytes) / MB / seconds,
      logs: sample.stats.totalLogs,
      dropped: sample.stats.droppedLogs,
      flushes: sample.stats.flushes
    }
  })
}

function csv(timeline) {
  const names = Object.keys(timeline[0] ?? {})
  return `${[names, ...timeline.map(row => names.map(name => Number(row[name].toFixed(3))))].map(row => row.join(',')).join('\n')}\n`
}

module.exports = { writeReport }
