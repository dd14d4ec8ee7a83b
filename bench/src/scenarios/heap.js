'use strict'

const path = require('node:path')
const { PerformanceObserver } = require('node:perf_hooks')
const { setTimeout: sleep } = require('node:timers/promises')
const v8 = require('node:v8')
const { asciiText, asciiBytes } = require('../entries')
const { repeat } = require('../loops')
const { median, medianOf, format } = require('../numbers')
const subject = require('../subject')

const CALLS = 1_000_000
const REPEATS = 10
/** Reading the heap's size allocates a little by itself; the empty loop shows how much. */
const READING_BYTES = 1024

function cases() {
  return ['logBytes', 'log', 'nothing'].map(method => ({
    id: method === 'nothing' ? 'empty loop' : method,
    params: { method },
    execArgv: ['--expose-gc']
  }))
}

async function run({ method }, { folder }) {
  const logger = method === 'nothing' ? undefined : subject.open(path.join(folder, 'heap.log'), { onFull: 'block' })
  const target = logger ?? { nothing() {} }
  const value = method === 'log' ? asciiText() : asciiBytes()
  const loop = repeat(method)
  // The first two compile the loop and its surroundings, and do not count.
  grow(loop, target, value)
  grow(loop, target, value)
  globalThis.gc()
  const collections = observeCollections()
  await sleep(50)
  collections.count = 0
  const growth = Array.from({ length: REPEATS }, () => grow(loop, target, value))
  await sleep(100)
  collections.observer.disconnect()
  const stats = logger?.getStatsSnapshot()
  await logger?.close()
  if (stats?.droppedLogs > 0) throw new Error(`${stats.droppedLogs} entries were dropped`)
  return { grownBytes: median(growth), collections: collections.count / REPEATS }
}

/** Bytes on the JavaScript heap, and those outside that it accounts for. */
function usedBytes() {
  const { used_heap_size, external_memory } = v8.getHeapStatistics()
  return used_heap_size + external_memory
}

/** By how much a million calls make the heap grow, if nothing is collected meanwhile. */
function grow(loop, target, value) {
  const before = usedBytes()
  loop(target, value, CALLS)
  return usedBytes() - before
}

function observeCollections() {
  const state = { count: 0 }
  state.observer = new PerformanceObserver(list => {
    state.count += list.getEntries().length
  })
  state.observer.observe({ entryTypes: ['gc'] })
  return state
}

function report(results) {
  const empty = results['empty loop']
  const idle = empty ? medianOf(empty, 'grownBytes') : Number.NaN
  const rows = Object.entries(results).map(([id, rounds]) => [
    id,
    format(medianOf(rounds, 'grownBytes')),
    format(medianOf(rounds, 'collections'), 1),
    format(Math.max(...rounds.map(round => round.collections)), 1)
  ])
  const comparisons = []
  if (results.logBytes && empty) {
    const grown = medianOf(results.logBytes, 'grownBytes') - idle
    const collections = medianOf(results.logBytes, 'collections')
    comparisons.push({
      measure: 'JS heap growth and collections per million logBytes',
      bound: '0',
      figure: `${format(Math.max(0, grown))} bytes over the empty loop's ${format(idle)}, ${format(collections, 1)} collections`,
      ok: grown <= READING_BYTES && collections === 0
    })
  }
  return {
    comparisons,
    tables: [{ title: 'per million calls', head: ['', 'heap growth, bytes', 'collections, median', 'most'], rows }],
    charts: [],
    notes: [
      `growth within ${READING_BYTES} bytes of the empty loop's counts as none: reading the heap's size allocates that much`
    ]
  }
}

module.exports = { name: 'heap', title: 'JavaScript heap', cases, run, report }
