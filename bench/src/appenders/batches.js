'use strict'

/**
 * The benchmark of the document that `configure` grew out of: 20,000 records of 100 bytes, each of
 * them flushed, and by batches of 1,000.
 */
const fs = require('node:fs')
const path = require('node:path')
const { now } = require('../clock')
const { verifyLines } = require('../line-walker')
const { median } = require('../numbers')
const { configured } = require('./configured')

const RECORDS = 20_000
const BATCH = 1_000
/** Of records that are flushed one by one to the device, as many as take a second. */
const RECORDS_TO_DEVICE = 500
/** So often the records are logged; the first times warm up. */
const REPETITIONS = { each: 5, batches: 40 }
const NUMBER_DIGITS = 8
/** 100 bytes: a number and filling. */
const message = n => `${String(n).padStart(NUMBER_DIGITS, '0')} `.padEnd(100, 'x')

const cases = () => [
  { id: 'shardlog, each flushed', params: { part: 'batches', way: 'each', fsync: false } },
  { id: 'shardlog, batch_size 1000', params: { part: 'batches', way: 'batches', fsync: false } },
  { id: 'shardlog, each flushed, device', params: { part: 'batches', way: 'each', fsync: true } },
  { id: 'shardlog, batch_size 1000, device', params: { part: 'batches', way: 'batches', fsync: true } },
  { id: 'floor: write, each record', params: { part: 'batches', way: 'each', floor: true } },
  { id: 'floor: write, 1,000 records', params: { part: 'batches', way: 'batches', floor: true } }
]

/** As the document's configuration, where the folder is the measurement's. */
const appender = (folder, way, fsync) => ({
  type: 'RollingFile',
  fileName: path.join(folder, 'app.log'),
  filePattern: path.join(folder, 'app-%d{yyyy-MM-dd}.log'),
  ...(way === 'batches' && { buffered_io: true, batch_size: BATCH, flush_interval: 1.0 }),
  fsync
})

/** Seconds of one repetition, until all of its records have been handed on. */
async function timed(work) {
  const start = now()
  await work()
  return (now() - start) / 1e9
}

async function shardlogRates(folder, { way, fsync }, texts, repetitions) {
  const { logging, target, lost } = configured(appender(folder, way, fsync), 'bench')
  const rates = []
  for (let round = 0; round < repetitions; round++) {
    const seconds = await timed(async () => {
      for (const text of texts) {
        target.info(text)
        if (way === 'each') await logging.flush()
      }
      await logging.flush()
    })
    rates.push(texts.length / seconds)
  }
  const dropped = lost()
  await logging.close()
  if (dropped > 0) throw new Error(`${dropped} records were dropped`)
  return rates
}

/** Bare system calls with lines that are made already: nothing can be faster in this order. */
async function floorRates(folder, { way }, texts, repetitions) {
  const fd = fs.openSync(path.join(folder, 'app.log'), 'a')
  const lines = texts.map(text => `{"level":30,"msg":"${text}"}\n`)
  const rates = []
  for (let round = 0; round < repetitions; round++) {
    const seconds = await timed(() => {
      const step = way === 'each' ? 1 : BATCH
      for (let at = 0; at < lines.length; at += step) fs.writeSync(fd, lines.slice(at, at + step).join(''))
    })
    rates.push(lines.length / seconds)
  }
  fs.closeSync(fd)
  return rates
}

async function run(params, { folder, quick }) {
  const isSlow = params.way === 'each' && params.fsync === true
  const texts = Array.from({ length: isSlow ? RECORDS_TO_DEVICE : RECORDS }, (_, n) => message(n))
  const repetitions = quick ? 2 : REPETITIONS[params.way]
  const rates = await (params.floor ? floorRates : shardlogRates)(folder, params, texts, repetitions)
  const lost = verify(path.join(folder, 'app.log'), texts.length, repetitions)
  if (lost > 0) throw new Error(`${lost} records are not in the file`)
  return { rate: median(rates.slice(Math.floor(rates.length / 2))) }
}

/** The numbers of each repetition begin anew. */
function verify(file, count, repetitions) {
  return verifyLines(file, {
    count: count * repetitions,
    marker: '"msg":"',
    ending: '"}',
    wraps: count,
    check: () => {}
  })
}

module.exports = { cases, run, RECORDS }
