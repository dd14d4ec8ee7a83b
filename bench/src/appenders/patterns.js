'use strict'

/** Lines by a pattern, into a file, and into an appender that drops them. */
const fs = require('node:fs')
const path = require('node:path')
const { setImmediate: tick } = require('node:timers/promises')
const { MB, account, logInSlices } = require('../account')
const { walkLines } = require('../line-walker')
const { repeatCall } = require('../loops')
const peers = require('../peers')
const { openFileStream } = require('../peers/file-stream')
const { configured, WAITS } = require('./configured')

const LOGGER = 'orders.api.cart'
const TEXT = 'the order was placed, the customer has paid by invoice, shipping'
const CALL = 'target.info(value)'
const PATTERN = '%d %-5p [%t] %c - %m%n'
const LINE = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[,.]\d{3} INFO {1,2}\[[\w-]+\] orders\.api\.cart - the order was placed/
const RECORDS = 4_000_000
const QUICK_DIVISOR = 20

const PEERS = {
  log4js: { package: 'log4js', open: openLog4js, records: 500_000 },
  winston: { package: 'winston', open: openWinston, records: 200_000 }
}

function cases({ peers: wanted }) {
  const own = [
    { id: 'shardlog, pattern into a file', params: { part: 'patterns', into: 'file' } },
    { id: 'shardlog, pattern, lines dropped', params: { part: 'patterns', into: 'nothing' } },
    { id: 'floor: write stream, lines made before', params: { part: 'patterns', into: 'stream' } }
  ]
  const others = Object.entries(PEERS)
    .filter(([name, peer]) => wanted.some(found => found.name === name) && peers.version(peer) !== null)
    .map(([name]) => ({ id: `${name}, pattern into a file`, params: { part: 'patterns', peer: name } }))
  return [...own, ...others]
}

async function openLog4js(file) {
  const log4js = require('log4js')
  log4js.configure({
    appenders: {
      file: {
        type: 'file',
        filename: file,
        layout: { type: 'pattern', pattern: '%d{yyyy-MM-dd hh:mm:ss,SSS} %-5p [main] %c - %m' }
      }
    },
    categories: { default: { appenders: ['file'], level: 'info' } }
  })
  let paused = false
  process.on('log4js:pause', value => {
    paused = value
  })
  return {
    target: log4js.getLogger(LOGGER),
    settle: async () => {
      do await tick()
      while (paused)
    },
    close: () => new Promise((resolve, reject) => log4js.shutdown(error => (error ? reject(error) : resolve())))
  }
}

async function openWinston(file) {
  const winston = require('winston')
  const { combine, timestamp, printf } = winston.format
  const line = ({ level, message, timestamp }) =>
    `${timestamp} ${level.toUpperCase().padEnd(5)} [main] ${LOGGER} - ${message}`
  const transport = new winston.transports.File({ filename: file })
  const logger = winston.createLogger({
    transports: [transport],
    format: combine(timestamp({ format: 'YYYY-MM-DD HH:mm:ss,SSS' }), printf(line))
  })
  return {
    target: logger,
    settle: async () => {
      do await tick()
      while (logger.writableLength > 0 || transport.writableLength > 0)
    },
    close: () =>
      new Promise(resolve => {
        transport.once('finish', resolve)
        logger.end()
      })
  }
}

async function openStream(file) {
  const { stream, settle, close } = await openFileStream(file)
  const line = `2026-11-29 12:00:00,000 INFO  [main] ${LOGGER} - ${TEXT}\n`
  return { target: { info: () => stream.write(line) }, settle, close }
}

function openShardlog(file, into) {
  const layout = { type: 'Pattern', pattern: PATTERN }
  const place =
    into === 'file'
      ? { type: 'File', fileName: file, ...WAITS }
      : { type: path.join(__dirname, 'dropping-appender.js'), buffered_io: true }
  const { logging, target, lost } = configured({ ...place, layout }, LOGGER)
  const close = async () => {
    const dropped = lost()
    await logging.close()
    if (dropped > 0) throw new Error(`${dropped} lines were dropped`)
  }
  return { target, settle: () => undefined, close }
}

async function run({ into, peer }, { folder, quick }) {
  const file = path.join(folder, 'app.log')
  const isOwn = peer === undefined && into !== 'stream'
  const count = (PEERS[peer]?.records ?? RECORDS) / (quick ? QUICK_DIVISOR : 1)
  const opened = isOwn ? openShardlog(file, into) : await (PEERS[peer]?.open ?? openStream)(file)
  const figures = await account(() => logInSlices(opened, repeatCall(CALL), TEXT, count))
  if (into === 'nothing') return { ...figures, lost: 0, fileMbPerSecond: Number.NaN }
  return { ...figures, lost: verify(file, count), fileMbPerSecond: fs.statSync(file).size / MB / figures.seconds }
}

/** How many lines are not there; throws if one is another. */
function verify(file, count) {
  const lines = walkLines(file, (window, start, end) => {
    const line = window.toString('latin1', start, end)
    if (!LINE.test(line)) throw new Error(`a line is ${line}`)
  })
  return count - lines
}

module.exports = { cases, run }
