'use strict'

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { Worker } = require('node:worker_threads')
const subject = require('../subject')
const { makeOrder, makeSites } = require('../call-sites')
const { median } = require('../numbers')
const peers = require('../peers')

/** Calls from JavaScript: see scenarios/recorder.js. */

const BURST = 20_000
const fieldsOf = n => ({ userId: n, ip: '10.0.0.1', ok: true, ms: 1.5 })

/** ns of a call, the median of many bursts; `between` is called after each. */
async function nsPerCall(call, bursts, between = () => undefined) {
  const times = []
  for (let burst = 0; burst < bursts; burst++) {
    const start = process.hrtime.bigint()
    for (let n = 0; n < BURST; n++) call(n)
    times.push(Number(process.hrtime.bigint() - start) / BURST)
    await between()
  }
  return median(times.slice(bursts >> 1))
}

const counted = ({ recorded, overwritten, dropped }) => ({
  attempted: recorded + dropped,
  accepted: recorded,
  overwritten
})

/** Recording by a recorder that stands alone. */
async function recordAlone({ folder, quick }) {
  const { Recorder } = subject.load()
  const recorder = new Recorder({ directory: folder, onCrash: false })
  const ns = await nsPerCall(n => recorder.record('debug', 'bench', 'user login', fieldsOf(n)), quick ? 10 : 60)
  const { stats } = recorder
  const bytes = stats.usedBytes / recorder.length
  recorder.close()
  return { ns, bytes, ...counted(stats) }
}

/** A logger's destination and what empties its buffers. */
function openLogger(folder, options) {
  const { target: log, flush } = subject.openRecords(
    path.join(folder, 'app.log'),
    { format: 'ndjson', crashSafe: false },
    options
  )
  return { log, flush }
}

/** A logger's calls with a recorder: below its level into the ring, and into both. */
async function recordByLogger({ folder, quick }) {
  const bursts = quick ? 6 : 40
  const { log, flush } = openLogger(folder, { level: 'info', recorder: { directory: folder, onCrash: false } })
  const below = await nsPerCall(n => log.debug(fieldsOf(n), 'user login'), bursts)
  const both = await nsPerCall(n => log.info(fieldsOf(n), 'user login'), bursts, flush)
  const { recorder } = subject.load().getLoggerStats(log)
  await log.close()
  return { below, both, ...counted(recorder) }
}

/** The same calls of one that has none, those below its level too: what measures is as warm. */
async function logAlone({ folder, quick }) {
  const bursts = quick ? 6 : 40
  const { log, flush } = openLogger(folder, { level: 'info' })
  await nsPerCall(n => log.debug(fieldsOf(n), 'user login'), bursts)
  const ns = await nsPerCall(n => log.info(fieldsOf(n), 'user login'), bursts, flush)
  await log.close()
  return { ns }
}

const SITES = 20

/** ns of a call from so many places of a program, each with fields and a message of its own. */
function nsPerSite(target, quick, between) {
  const sites = makeSites(SITES)
  const order = makeOrder(SITES)
  const call = n => sites[order[n & (order.length - 1)]](target, n)
  return nsPerCall(call, quick ? 6 : 40, between)
}

/** Recording from many places: what a logger keeps that is below its level. */
async function recordFromSites({ folder, quick }) {
  const { log } = openLogger(folder, { level: 'warn', recorder: { directory: folder, onCrash: false } })
  const ns = await nsPerSite(log, quick)
  const { recorder } = subject.load().getLoggerStats(log)
  await log.close()
  return { ns, ...counted(recorder) }
}

/** The same calls of pino, which logs them. */
async function pinoFromSites({ folder, quick }) {
  const pino = await peers.find('pino async').open(path.join(folder, 'pino.log'), 'record', {})
  const ns = await nsPerSite(pino.target, quick, pino.settle)
  await pino.close()
  return { ns }
}

/** Bytes of an event by the ring's own count, and by the process's resident memory. */
function memoryMatrix({ quick }) {
  const { Recorder } = subject.load()
  const cells = []
  for (const events of quick ? [1000] : [1000, 10_000, 100_000]) {
    for (const fields of [0, 2, 4, 8]) {
      for (const message of [16, 64, 256]) {
        const recorder = new Recorder({ path: false, bytes: 128 << 20, onCrash: false })
        const all = Object.fromEntries(Array.from({ length: fields }, (_, i) => [`field${i}`, i]))
        // Texts that are the same would be kept once.
        const text = n => String(n).padEnd(message, 'x')
        const before = process.memoryUsage().rss
        for (let n = 0; n < events; n++) recorder.record('debug', 'bench', text(n), all)
        const rss = process.memoryUsage().rss - before
        const { stats } = recorder
        cells.push({ events, fields, message, bytes: stats.usedBytes / events, rss: rss / events, ...counted(stats) })
        recorder.close()
      }
    }
  }
  return { cells }
}

/** A snapshot of a full ring while a thread records: how long it takes, and what that costs it. */
async function snapshotWhileRecording({ folder, quick }) {
  const { Recorder, readSnapshot } = subject.load()
  const options = { directory: folder, path: path.join(folder, 'ring'), onCrash: false }
  const recorder = new Recorder(options)
  for (let n = 0; n < 110_000; n++) recorder.record('debug', 'bench', 'user login', fieldsOf(n))
  const worker = new Worker(path.join(__dirname, 'producer.js'), { workerData: { root: subject.root(), options } })
  await once(worker, 'message')
  const ask = async what => {
    const answer = once(worker, 'message')
    worker.postMessage(what)
    return (await answer)[0]
  }
  const idle = await ask(quick ? 50 : 500)
  const during = ask(quick ? 50 : 500)
  const times = []
  let file
  for (let i = 0; i < (quick ? 1 : 5); i++) {
    const start = process.hrtime.bigint()
    file = await recorder.snapshot('bench')
    times.push(Number(process.hrtime.bigint() - start) / 1e6)
  }
  const busy = await during
  const ended = once(worker, 'exit')
  worker.postMessage(0)
  await ended
  const { events } = readSnapshot(file)
  const json = JSON.stringify(events, (_, value) => (typeof value === 'bigint' ? Number(value) : value)).length
  const { stats } = recorder
  recorder.close()
  const share = fs.statSync(file).size / json
  return { ms: median(times), events: events.length, share, idle, busy, ...counted(stats) }
}

/** Eight processes that record as fast as they can, and all their snapshots as one. */
async function distributed({ folder, quick }) {
  const { readSnapshot } = subject.load()
  const nodes = 8
  const events = quick ? 20_000 : 500_000
  const args = [subject.root(), folder, String(events)]
  const start = process.hrtime.bigint()
  const children = Array.from({ length: nodes }, () => fork(path.join(__dirname, 'node.js'), args))
  const results = await Promise.all(
    children.map(async child => {
      const [result] = await once(child, 'message')
      return result
    })
  )
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  const merging = process.hrtime.bigint()
  const merged = results
    .flatMap(({ file }) => readSnapshot(file).events)
    .sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  const mergeMs = Number(process.hrtime.bigint() - merging) / 1e6
  const sum = name => results.reduce((all, { stats }) => all + stats[name], 0)
  const perProcess = median(results.map(result => events / result.seconds))
  const total = { recorded: sum('recorded'), overwritten: sum('overwritten'), dropped: sum('dropped') }
  return { nodes, seconds, perProcess, mergeMs, merged: merged.length, ...counted(total) }
}

module.exports = {
  recordAlone,
  recordByLogger,
  logAlone,
  recordFromSites,
  pinoFromSites,
  memoryMatrix,
  snapshotWhileRecording,
  distributed
}
