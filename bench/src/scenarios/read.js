'use strict'

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { now } = require('../clock')
const { asciiBytes } = require('../entries')
const { walkLog } = require('../log-walker')
const { repeat } = require('../loops')
const { medianOf, format } = require('../numbers')
const subject = require('../subject')

const FILE_BYTES = 1e9
const ENTRY_SIZES = [100, 1000]

function cases() {
  return ENTRY_SIZES.map(entryBytes => ({ id: `entries of ${format(entryBytes)} bytes`, params: { entryBytes } }))
}

async function run({ entryBytes }, { folder, quick }) {
  const file = path.join(folder, 'read.log')
  const count = Math.floor((quick ? FILE_BYTES / 10 : FILE_BYTES) / entryBytes)
  await write(file, entryBytes, count)
  const gigabytes = fs.statSync(file).size / 1e9
  plainRead(file) // Brings the file into the page cache.
  const rate = async work => gigabytes / (await seconds(work))
  return {
    plain: await rate(() => plainRead(file)),
    walker: await rate(() => walkLog(file, () => {})),
    readLog: await rate(() => iterate(file, count)),
    verifyLog: await rate(() => subject.load().verifyLog(file)),
    cat: await rate(() => cat(file, 'file', count * (entryBytes + 1))),
    catPipe: await rate(() => cat(file, 'pipe', count * (entryBytes + 1)))
  }
}

async function write(file, entryBytes, count) {
  const logger = subject.open(file, { onFull: 'block', blockTimeout: Number.POSITIVE_INFINITY })
  repeat('logBytes')(logger, asciiBytes(entryBytes), count)
  await logger.close()
}

async function seconds(work) {
  const start = now()
  await work()
  return (now() - start) / 1e9
}

/** What reading costs without looking: the floor of every reader that goes through read(2). */
function plainRead(file) {
  const buffer = Buffer.allocUnsafe(1024 * 1024)
  const fd = fs.openSync(file, 'r')
  while (fs.readSync(fd, buffer, 0, buffer.length, null) > 0);
  fs.closeSync(fd)
}

async function iterate(file, count) {
  let entries = 0
  for await (const entry of subject.load().readLog(file)) if (entry) entries++
  if (entries !== count) throw new Error(`readLog gave ${entries} of ${count} entries`)
}

/**
 * `shardlog cat` into /dev/null, or into a pipe that this process empties and counts; the start of
 * Node is part of it.
 */
function cat(file, into, expected) {
  return new Promise((resolve, reject) => {
    const sink = into === 'pipe' ? 'pipe' : fs.openSync('/dev/null', 'w')
    const child = spawn(process.execPath, [subject.cli(), 'cat', file], { stdio: ['ignore', sink, 'inherit'] })
    let received = 0
    child.stdout?.on('data', chunk => {
      received += chunk.length
    })
    child.once('error', reject)
    child.once('close', code => {
      if (typeof sink === 'number') fs.closeSync(sink)
      if (code !== 0) reject(new Error(`shardlog cat ended with ${code}`))
      else if (into === 'pipe' && received !== expected)
        reject(new Error(`shardlog cat gave ${received} of ${expected} bytes`))
      else resolve()
    })
  })
}

const READERS = {
  plain: 'floor: read(2) in 1 MiB pieces',
  walker: 'floor: a bare loop over the entries in JS',
  readLog: 'readLog',
  verifyLog: 'verifyLog',
  cat: 'shardlog cat > /dev/null',
  catPipe: 'shardlog cat | reader'
}

function report(results) {
  const ids = Object.keys(results)
  const rate = (id, reader) => medianOf(results[id], reader)
  const comparisons = ids.flatMap(id =>
    ['readLog', 'cat'].map(reader => ({
      measure: `${READERS[reader].replace(' > /dev/null', '')}, ${id}`,
      bound: '≥ 1 GB/s',
      figure: `${format(rate(id, reader), 2)} GB/s (bare loop: ${format(rate(id, 'walker'), 2)})`,
      ok: rate(id, reader) >= 1
    }))
  )
  const rows = Object.entries(READERS).map(([reader, title]) => [title, ...ids.map(id => format(rate(id, reader), 2))])
  return {
    comparisons,
    tables: [{ title: 'GB/s from the page cache, a file of 1 GB', head: ['', ...ids], rows }],
    charts: [],
    notes: []
  }
}

module.exports = { name: 'read', title: 'Reading', cases, run, report }
