'use strict'

/** Files that are rolled each 64 MiB while records come as fast as they can, and others beside. */
const assert = require('node:assert')
const fs = require('node:fs')
const { once } = require('node:events')
const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const { MB, account, logInSlices } = require('../account')
const { closed } = require('../destinations')
const { verifyLines } = require('../line-walker')
const { repeatCall } = require('../loops')
const peers = require('../peers')
const { callText, fieldsOf, workloads } = require('../record-workloads')
const { configured, WAITS } = require('./configured')

const { login } = workloads
/** 1.5 GB, and of the peers some 150 MB. */
const RECORDS = 10_000_000
const PEER_RECORDS = 1_000_000
const QUICK_DIVISOR = 10

/** A case with the peer's own means of rolling, and the same without. */
const PEERS = {
  'pino-roll': { package: 'pino-roll', call: peers.find('pino worker').records, open: openPinoRoll },
  'winston-daily-rotate-file': {
    package: 'winston-daily-rotate-file',
    call: peers.find('winston').records,
    open: openWinston
  }
}

function cases({ peers: wanted }) {
  const own = [
    { id: 'shardlog, not rolled', params: { part: 'rolling', rolls: false } },
    { id: 'shardlog, rolled', params: { part: 'rolling', rolls: true } },
    { id: 'shardlog, rolled, gzip', params: { part: 'rolling', rolls: true, gzip: true } }
  ]
  if (wanted.length === 0) return own
  const others = Object.entries(PEERS)
    .filter(([, peer]) => peers.version(peer) !== null)
    .flatMap(([name]) => [
      { id: `${name}, not rolled`, params: { part: 'rolling', peer: name, rolls: false } },
      { id: `${name}, rolled`, params: { part: 'rolling', peer: name, rolls: true } }
    ])
  return [...own, ...others]
}

// The peers.

/** In its worker thread, as its manual has it. */
async function openPinoRoll(folder, rolls) {
  const pino = require('pino')
  const options = { file: path.join(folder, 'app'), extension: '.log', ...(rolls && { size: '64m' }) }
  const transport = pino.transport({ target: 'pino-roll', options })
  await once(transport, 'ready')
  return {
    target: pino({}, transport),
    settle: () => (transport.writableNeedDrain ? once(transport, 'drain') : tick()),
    close: () => closed(transport)
  }
}

async function openWinston(folder, rolls) {
  const winston = require('winston')
  const Rotating = require('winston-daily-rotate-file')
  const transport = new Rotating({ filename: path.join(folder, 'app.log'), ...(rolls && { maxSize: '64m' }) })
  const { combine, json, timestamp } = winston.format
  const logger = winston.createLogger({ transports: [transport], format: combine(timestamp(), json()) })
  return {
    target: logger,
    settle: async () => {
      do await tick()
      while (logger.writableLength > 0 || transport.logStream._rotatingStream?.writableNeedDrain)
    },
    close: async () => {
      const finished = once(transport, 'finish')
      logger.end()
      await finished
    }
  }
}

// Measuring.

async function run({ peer, rolls, gzip }, { folder, quick }) {
  const count = (peer === undefined ? RECORDS : PEER_RECORDS) / (quick ? QUICK_DIVISOR : 1)
  const figures =
    peer === undefined ? await runShardlog(folder, { rolls, gzip }, count) : await runPeer(folder, peer, rolls, count)
  const files = rolledFiles(folder, peer)
  const bytes = files.reduce((sum, file) => sum + fs.statSync(file).size, 0)
  return {
    ...figures,
    files: files.length,
    fileMbPerSecond: gzip ? Number.NaN : bytes / MB / figures.seconds,
    ...(gzip ? { lost: 0, split: 0 } : verify(files, count, folder, peer))
  }
}

async function runShardlog(folder, { rolls, gzip }, count) {
  const file = path.join(folder, 'app.log')
  const rolling = {
    type: 'RollingFile',
    filePattern: path.join(folder, `app-%i.log${gzip ? '.gz' : ''}`),
    maxSize: '64 MiB'
  }
  const { logging, target, lost } = configured(
    { type: 'File', fileName: file, ...(rolls && rolling), ...WAITS },
    'bench'
  )
  const loop = repeatCall(callText(login))
  // Closing waits until what was rolled is compressed, which goes on beside the application.
  const close = gzip ? () => logging.flush() : () => logging.close()
  const figures = await account(() => logInSlices({ target, settle: () => tick(), close }, loop, login.value, count))
  if (lost() > 0) throw new Error(`${lost()} records were dropped`)
  if (gzip) await logging.close()
  return figures
}

async function runPeer(folder, name, rolls, count) {
  const { call, open } = PEERS[name]
  const opened = await open(folder, rolls)
  return account(() => logInSlices(opened, repeatCall(callText(login, call)), login.value, count))
}

/** The files in the order in which they were written. */
function rolledFiles(folder, peer) {
  const names = fs.readdirSync(folder).filter(name => name.startsWith('app'))
  // Ours: app-1.log, app-2.log, …, app.log; pino-roll: app.1.log, …; the other: app.log, app.log.1.
  const numberOf = name => Number(/\d+/.exec(name)?.[0] ?? (peer === undefined ? Number.POSITIVE_INFINITY : 0))
  return names.sort((a, b) => numberOf(a) - numberOf(b)).map(name => path.join(folder, name))
}

/**
 * How many records are not there, and how many lie in two files; throws if one is out of its place,
 * and for ours, if one is split. What peers have written is looked at as one file.
 */
function verify(files, count, folder, peer) {
  const expected = fieldsOf(login)
  const split = files.filter(file => !endsLine(file)).length
  const lost = verifyLines(peer === undefined ? files : joined(files, folder), {
    count,
    marker: '"userId":',
    ending: '}',
    check: ({ userId, ip, ok, ms }, number) => assert.deepStrictEqual({ userId, ip, ok, ms }, expected(number))
  })
  return { lost, split }
}

function endsLine(file) {
  const fd = fs.openSync(file, 'r')
  const last = Buffer.alloc(1)
  const { size } = fs.fstatSync(fd)
  const read = size === 0 ? 0 : fs.readSync(fd, last, 0, 1, size - 1)
  fs.closeSync(fd)
  return read === 0 || last.toString() === '\n'
}

function joined(files, folder) {
  const all = path.join(folder, 'all.log')
  for (const file of files) fs.appendFileSync(all, fs.readFileSync(file))
  return all
}

module.exports = { cases, run }
