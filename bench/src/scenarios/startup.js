'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { pathToFileURL } = require('node:url')
const { format, median, medianOf } = require('../numbers')
const { root } = require('../subject')

/** Processes of each logger in one round, in turns. */
const STARTS = 21
const LIMIT = 1.1

const quoted = text => JSON.stringify(text)

/**
 * What is measured, as a function of the logger's files; `took` takes milliseconds. In a process of
 * its own each time.
 */
const WAYS = {
  require: ({ main }) => `const start = performance.now(); require(${main}); took(performance.now() - start)`,
  import: ({ module }) =>
    `const start = performance.now(); import(${module}).then(() => took(performance.now() - start))`,
  'require in a worker thread': ({ main }) => {
    const text = `const start = performance.now(); require(${main})
      require('node:worker_threads').parentPort.postMessage([performance.now() - start, Object.keys(require.cache).length])`
    return `const { Worker } = require('node:worker_threads')
      new Worker(${quoted(text)}, { eval: true }).once('message', ([time, modules]) => took(time, modules))`
  },
  'require and a first line': ({ main }) =>
    `const start = performance.now(); require(${main})({}).info({ item: 1 }, 'text'); took(performance.now() - start)`
}

/** Files of a package that is installed in `folder`, quoted for a program. */
function filesOf(folder) {
  const { main, exports: map } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'))
  const module = map?.['.']?.import?.default ?? main
  return {
    main: quoted(path.resolve(folder, main)),
    module: quoted(pathToFileURL(path.resolve(folder, module)).href)
  }
}

function loggers(peers) {
  const found = { shardlog: filesOf(root()) }
  if (peers) found.pino = filesOf(path.dirname(require.resolve('pino/package.json')))
  return found
}

function cases({ peers }) {
  const hasPino = peers.some(peer => peer.package === 'pino')
  return Object.keys(WAYS).map(way => ({ id: way, params: { way, hasPino } }))
}

/** Milliseconds and modules of one start. */
function start(text) {
  const took = `const took = (time, modules = Object.keys(require.cache).length) => require('node:fs').writeSync(2, JSON.stringify([time, modules]))\n`
  const { status, stderr } = spawnSync(process.execPath, ['-e', took + text], {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8'
  })
  if (status !== 0) throw new Error(`a start failed: ${stderr}`)
  const [time, modules] = JSON.parse(stderr)
  return { time, modules }
}

function run({ way, hasPino }, { quick }) {
  const texts = Object.entries(loggers(hasPino)).map(([name, files]) => [name, WAYS[way](files)])
  const starts = Object.fromEntries(texts.map(([name]) => [name, []]))
  for (let i = 0; i < (quick ? 3 : STARTS); i++) for (const [name, text] of texts) starts[name].push(start(text))
  return Object.fromEntries(
    Object.entries(starts).map(([name, list]) => [
      name,
      { time: median(list.map(({ time }) => time)), modules: median(list.map(({ modules }) => modules)) }
    ])
  )
}

function report(results) {
  const figure = (way, name, what) => medianOf(results[way], round => round[name]?.[what])
  const comparisons = Object.keys(results)
    .filter(way => Number.isFinite(figure(way, 'pino', 'time')))
    .map(way => {
      const [ours, pinos] = ['shardlog', 'pino'].map(name => figure(way, name, 'time'))
      return {
        measure: `start: ${way}`,
        bound: `≤ ${LIMIT} × pino’s time`,
        figure: `${format(ours, 1)} ms (pino: ${format(pinos, 1)})`,
        ok: ours <= LIMIT * pinos
      }
    })
  const rows = Object.keys(results).map(way => [
    way,
    ...['shardlog', 'pino'].flatMap(name => [
      format(figure(way, name, 'time'), 1),
      format(figure(way, name, 'modules'))
    ])
  ])
  const head = ['', 'shardlog, ms', 'modules', 'pino, ms', 'modules']
  return {
    comparisons,
    tables: [{ title: `a start, medians of ${STARTS} processes a round, in turns`, head, rows }],
    charts: [],
    notes: []
  }
}

module.exports = { name: 'startup', title: 'Starting', cases, run, report }
