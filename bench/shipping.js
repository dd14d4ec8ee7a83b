'use strict'

// What shipping costs and reaches.
//
//   node bench/shipping.js kafka [--records 1000000] [--runs 3]
//                                        beside Kafka's own measure of a producer, in turns
//   node bench/shipping.js http [--records 1000000] [--runs 3]
//                                        to a server that only counts
//   node bench/shipping.js syslog [--records 500000] [--runs 3]
//                                        beside rsyslog, in turns
//   node bench/shipping.js files [--files 2000] [--runs 3]
//                                        rotated files of 4 KiB, plain and packed, to such a server
//   node bench/shipping.js away [--seconds 60] [--rate 50000] [--kafka]
//                                        a service that logs while the other side is away

const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const net = require('node:net')
const os = require('node:os')
const path = require('node:path')
const { createHistogram, performance } = require('node:perf_hooks')
const { parseArgs } = require('node:util')
const zlib = require('node:zlib')
const { cpuOf, KafkaBroker, missing } = require('../scripts/kafka-broker')

const cli = path.join(__dirname, '..', 'dist', 'cli', 'main.js')
const RECORD_BYTES = 200
const CHUNK_RECORDS = 10_000
/** Half of it beside the application, which then ends. */
const CATCH_UP_S = 120
const WARM_UP_S = 30
/** Memory of so many of the last seconds of a phase counts. */
const STEADY_S = 10
const TICK_MS = 5
const NS_PER_US = 1e3
const MS_PER_S = 1e3
const RSYSLOG_MS = 120_000
const LOOK_MS = 50
/** 4 KiB of them, and the time of the oldest file. */
const FILE_RECORDS = 20
const FIRST_FILE_S = 1_700_000_000
const FIELD = Buffer.from('"n":')
const ZERO = 0x30
const NINE = 0x39
/** Older ones may be from before. */
const STATS_MS = 2_000

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const perSecond = (count, ms) => Math.round((count * 1000) / ms).toLocaleString('en')

/** A file of records of 200 bytes. */
function writeRecords(file, count, first = 0) {
  const fd = fs.openSync(file, 'w')
  for (let done = 0; done < count; done += CHUNK_RECORDS) {
    const n = first + done
    const lines = Array.from({ length: Math.min(CHUNK_RECORDS, count - done) }, (_, i) => {
      const start = `{"level":30,"time":${1_700_000_000_000 + n + i},"pid":1234,"hostname":"bench","name":"orders","n":${n + i},"msg":"`
      return `${start.padEnd(RECORD_BYTES - 3, 'x')}"}\n`
    })
    fs.writeSync(fd, lines.join(''))
  }
  fs.closeSync(fd)
}

/** Runs `shardlog ship --once`; the time that it took, and its processor time, in ms. */
async function shipOnce(folder, config) {
  const file = path.join(folder, 'config.json')
  const usage = path.join(folder, 'usage')
  const preload = path.join(folder, 'usage.js')
  fs.writeFileSync(file, JSON.stringify({ appenders: { bench: config } }))
  const note = `process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(usage)}, JSON.stringify(process.cpuUsage())))`
  fs.writeFileSync(preload, note)
  const start = performance.now()
  const child = spawn(process.execPath, ['--require', preload, cli, 'ship', '--once', file], {
    stdio: ['ignore', 'ignore', 'inherit']
  })
  const code = await new Promise(resolve => child.once('exit', resolve))
  if (code !== 0) throw new Error(`shardlog ship ended with ${code}`)
  const { user, system } = JSON.parse(fs.readFileSync(usage, 'utf8'))
  return { ms: performance.now() - start, cpuMs: (user + system) / 1000 }
}

function tell(what, count, { ms, cpuMs }) {
  console.log(`${what}: ${perSecond(count, ms)} records/s, ${((cpuMs * 1000) / count).toFixed(2)} us of CPU per record`)
}

const middle = numbers => [...numbers].sort((a, b) => a - b)[numbers.length >> 1]

/** Tells each run, and the middle ones of all; the latter's ms. */
async function inTurns(runs, count, contestants) {
  const all = new Map(contestants.map(({ name }) => [name, []]))
  for (let run = 1; run <= runs; run++) {
    for (const { name, measure } of contestants) {
      const used = await measure(run)
      tell(`run ${run}, ${name}`, count, used)
      all.get(name).push(used)
    }
  }
  const figures = new Map()
  for (const [name, used] of all) {
    const [ms, cpuMs] = ['ms', 'cpuMs'].map(key => middle(used.map(one => one[key])))
    tell(`middle of ${runs}, ${name}`, count, { ms, cpuMs })
    figures.set(name, ms)
  }
  return figures
}

/** A cursor of its own each time. */
const forgetCursor = folder => fs.rmSync(path.join(folder, '.records.log.bench.cursor'), { force: true })

// Kafka.

/** Kafka's own measure; the time that it tells is without its start, its processor time with it. */
async function producerPerformance(broker, topic, count, compression) {
  const config = ['acks=all', `compression.type=${compression}`]
  const { line, cpuMs } = await broker.measureProducer(topic, { records: count, bytes: RECORD_BYTES, config })
  const rate = Number(/([\d.]+) records\/sec/.exec(line)[1])
  return { ms: (count * 1000) / rate, cpuMs }
}

async function measureKafka(folder, count, runs) {
  const lack = missing()
  if (lack !== null) throw new Error(`no broker: ${lack}`)
  const broker = await KafkaBroker.start()
  try {
    const log = path.join(folder, 'records.log')
    writeRecords(log, count)
    const ship = (compression, run) => {
      const topic = `bench-${compression}-${run}`
      broker.createTopic(topic)
      forgetCursor(folder)
      const remote = { type: 'Kafka', bootstrapServers: broker.address, topic, fileName: log }
      return shipOnce(folder, { ...remote, producerConfig: { 'compression.type': compression } })
    }
    for (const compression of ['none', 'gzip']) {
      await inTurns(runs, count, [
        {
          name: `Kafka's ProducerPerformance, ${compression}`,
          measure: run => {
            broker.createTopic(`own-${compression}-${run}`)
            return producerPerformance(broker, `own-${compression}-${run}`, count, compression)
          }
        },
        { name: `shardlog ship, Kafka, ${compression}`, measure: run => ship(compression, run) }
      ])
    }
  } finally {
    await broker.remove()
  }
}

// HTTP.

/** A server that counts records; `ship` ships a log to it, all of whose records have to come. */
async function httpCounter(folder, log, count) {
  let records = 0
  const server = http.createServer((request, response) => {
    records += Number(request.headers['x-shardlog-records'])
    request.resume().on('end', () => response.end('{}'))
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${server.address().port}/logs`
  const ship = async compression => {
    forgetCursor(folder)
    records = 0
    const used = await shipOnce(folder, { type: 'Http', url, fileName: log, compression })
    if (records !== count) throw new Error(`${records} of ${count} records came`)
    return used
  }
  return { server, ship }
}

async function measureHttp(folder, count, runs) {
  const log = path.join(folder, 'records.log')
  writeRecords(log, count)
  const { server, ship } = await httpCounter(folder, log, count)
  await inTurns(
    runs,
    count,
    ['none', 'gzip'].map(compression => ({
      name: `shardlog ship, Http, ${compression}`,
      measure: () => ship(compression)
    }))
  )
  server.close()
}

// Many files.

async function measureFiles(folder, files, runs) {
  const contestants = []
  const servers = []
  for (const kind of ['plain', 'packed']) {
    const place = path.join(folder, kind)
    fs.mkdirSync(place)
    const log = path.join(place, 'records.log')
    writeRecords(log, FILE_RECORDS)
    for (let n = 0; n < files; n++) {
      const name = path.join(place, `records-${n}.log`)
      writeRecords(name, FILE_RECORDS, n * FILE_RECORDS)
      if (kind === 'packed') {
        fs.writeFileSync(`${name}.gz`, zlib.gzipSync(fs.readFileSync(name)))
        fs.unlinkSync(name)
      }
      const file = kind === 'packed' ? `${name}.gz` : name
      // In the order of their numbers, and long ago.
      fs.utimesSync(file, FIRST_FILE_S + n, FIRST_FILE_S + n)
    }
    fs.writeFileSync(log, '')
    const { server, ship } = await httpCounter(place, log, files * FILE_RECORDS)
    servers.push(server)
    contestants.push({ name: `${files} files, ${kind}`, measure: () => ship('none') })
  }
  const figures = await inTurns(runs, files * FILE_RECORDS, contestants)
  for (const [name, ms] of figures) console.log(`${name}: ${perSecond(files, ms)} files/s, with the start of Node.js`)
  for (const server of servers) server.close()
}

// Syslog.

/** A server that reads and counts bytes. */
async function countingServer() {
  const state = { bytes: 0 }
  const server = net.createServer(socket => {
    socket.on('data', chunk => {
      state.bytes += chunk.length
    })
    socket.on('error', () => undefined)
    socket.on('end', () => socket.end())
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return { state, server, port: server.address().port }
}

/** rsyslog reads the same file and sends it in the same form. */
async function measureRsyslog(folder, log, bytes) {
  const { state, server, port } = await countingServer()
  const config = path.join(folder, 'rsyslog.conf')
  fs.writeFileSync(
    config,
    [
      `global(workDirectory="${folder}" maxMessageSize="64k")`,
      'module(load="imfile" mode="inotify")',
      `input(type="imfile" file="${log}" tag="orders" ruleset="out")`,
      'ruleset(name="out") {',
      `  action(type="omfwd" target="127.0.0.1" port="${port}" protocol="tcp" tcp_framing="octet-counted" template="RSYSLOG_SyslogProtocol23Format")`,
      '}',
      ''
    ].join('\n')
  )
  const start = performance.now()
  const daemon = spawn('rsyslogd', ['-n', '-f', config, '-i', path.join(folder, 'pid')], { stdio: 'ignore' })
  const late = start + RSYSLOG_MS
  while (state.bytes < bytes && performance.now() < late) await pause(LOOK_MS)
  const used = { ms: performance.now() - start, cpuMs: cpuOf(daemon.pid) }
  daemon.kill('SIGKILL')
  server.close()
  if (state.bytes < bytes) throw new Error(`rsyslog sent ${state.bytes} of more than ${bytes} bytes`)
  return used
}

async function measureSyslog(folder, count, runs) {
  const log = path.join(folder, 'records.log')
  writeRecords(log, count)
  const contestants = [{ name: 'shardlog ship, Syslog', measure: () => shipSyslog(folder, log) }]
  if (spawnSync('rsyslogd', ['-v']).status !== 0) console.log('rsyslog: left out, rsyslogd is not installed')
  else {
    const measure = () => measureRsyslog(fs.mkdtempSync(path.join(folder, 'rsyslog-')), log, count * RECORD_BYTES)
    contestants.push({ name: 'rsyslog, imfile to omfwd', measure })
  }
  await inTurns(runs, count, contestants)
}

async function shipSyslog(folder, log) {
  const { server, port } = await countingServer()
  forgetCursor(folder)
  const used = await shipOnce(folder, { type: 'Syslog', port, fileName: log, batchSize: 5_000 })
  server.close()
  return used
}

// Away.

/** The service, in a process of its own: logs so many records a second, and tells what it saw. */
async function serve(config, rate, seconds) {
  const { configure } = require('..')
  const logging = configure(config, { onError: () => undefined })
  const log = logging.getLogger('orders')
  const text = 'x'.repeat(90)
  // Until the other side is back: a broker takes some time to start.
  const back = new Promise(resolve => process.once('message', resolve))
  const phases = {
    before: () => pause(WARM_UP_S * MS_PER_S),
    away: () =>
      pause(seconds * MS_PER_S)
        .then(() => process.send({ phase: 'back' }))
        .then(() => back),
    after: () => pause((CATCH_UP_S / 2) * MS_PER_S)
  }
  let n = 0
  for (const [phase, length] of Object.entries(phases)) {
    process.send({ phase })
    let over = false
    length().then(() => {
      over = true
    })
    const calls = createHistogram()
    const memory = []
    const start = performance.now()
    for (let done = 0; !over; ) {
      const due = Math.floor(((performance.now() - start) * rate) / MS_PER_S)
      for (; done < due; done++, n++) {
        const before = process.hrtime.bigint()
        log.info({ n }, text)
        calls.record(Math.max(1, Number(process.hrtime.bigint() - before)))
      }
      if (performance.now() - start > memory.length * MS_PER_S) {
        memory.push(process.memoryUsage().rss)
        const { shipped, lagBytes } = logging.stats().remote
        process.send({ n, shipped, lagBytes })
      }
      await pause(TICK_MS)
    }
    const us = ns => Number((ns / NS_PER_US).toFixed(1))
    const mib = bytes => Number((bytes / 2 ** 20).toFixed(1))
    process.send({
      phase,
      seconds: (performance.now() - start) / MS_PER_S,
      p50: us(calls.percentile(50)),
      p999: us(calls.percentile(99.9)),
      max: us(calls.max),
      rss: { middleOfLast: mib(middle(memory.slice(-STEADY_S))), most: mib(Math.max(...memory)) },
      stats: logging.stats().remote
    })
  }
  process.send({ logged: n })
  await logging.close()
  process.disconnect()
}

/** Numbers, each of which counts once: as bits, since a set would take longer than shipping. */
class Numbers {
  size = 0
  #bits = Buffer.alloc(1 << 20)

  add(n) {
    const at = n >> 3
    if (at >= this.#bits.length) this.#bits = Buffer.concat([this.#bits, Buffer.alloc(Math.max(at, this.#bits.length))])
    const bit = 1 << (n & 7)
    if ((this.#bits[at] & bit) === 0) this.size++
    this.#bits[at] |= bit
  }

  /** Adds the field `n` of each record of a body. */
  addAll(body) {
    for (let at = body.indexOf(FIELD); at >= 0; at = body.indexOf(FIELD, at)) {
      let n = 0
      for (at += FIELD.length; body[at] >= ZERO && body[at] <= NINE; at++) n = 10 * n + body[at] - ZERO
      this.add(n)
    }
  }
}

/** A collector that keeps the numbers that have come. */
class Collector {
  numbers = new Numbers()
  #sockets = new Set()

  async start() {
    this.server = http.createServer((request, response) => {
      const chunks = []
      request.on('error', () => undefined)
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        this.numbers.addAll(zlib.gunzipSync(Buffer.concat(chunks)))
        response.end('{}')
      })
    })
    this.server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise(resolve => this.server.listen(this.port ?? 0, '127.0.0.1', resolve))
    this.port = this.server.address().port
    return { type: 'Http', url: `http://127.0.0.1:${this.port}/logs` }
  }

  async leave() {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.server.close(resolve))
  }

  comeBack() {
    return this.start()
  }

  count() {
    return this.numbers.size
  }

  end() {
    return this.leave()
  }
}

/** A broker, counted by its own consumer. */
class Broker {
  async start() {
    this.broker = await KafkaBroker.start()
    this.broker.createTopic('away')
    return { type: 'Kafka', bootstrapServers: this.broker.address, topic: 'away' }
  }

  leave() {
    return this.broker.stop('SIGKILL')
  }

  comeBack() {
    return this.broker.resume()
  }

  async count() {
    const seen = new Numbers()
    await this.broker.eachValue('away', value => seen.add(Number(/"n":(\d+)/.exec(value)[1])))
    return seen.size
  }

  end() {
    return this.broker.remove()
  }
}

/** To a tenth; the service tells once a second. */
const inSeconds = ms => (ms === null ? null : Math.round(ms / 100) / 10)

async function measureAway(folder, { rate, seconds, kafka }) {
  const other = kafka ? new Broker() : new Collector()
  const remote = {
    batchSize: 2_000,
    ...(await other.start()),
    fileName: path.join(folder, 'app.log'),
    closeTimeout: CATCH_UP_S,
    spoolSize: '4GB'
  }
  const config = path.join(folder, 'config.json')
  fs.writeFileSync(config, JSON.stringify({ appenders: { remote } }))
  const args = [__filename, 'serve', '--config', config, '--rate', String(rate), '--seconds', String(seconds)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  let logged = 0
  let backAt = 0
  let caughtUp = null
  let shippedBefore = null
  let firstBatch = null
  child.on('message', async message => {
    if (message.logged !== undefined) logged = message.logged
    else if (message.lagBytes !== undefined) {
      // Counted once a second; this is what a second of logging leaves.
      if (backAt === 0) shippedBefore = message.shipped
      else if (message.shipped > shippedBefore) firstBatch ??= performance.now() - backAt
      const isBehind = message.lagBytes > rate * RECORD_BYTES
      if (backAt > 0 && !isBehind && performance.now() - backAt > STATS_MS) caughtUp ??= performance.now() - backAt
    } else if (message.stats) console.log(JSON.stringify(message))
    else if (message.phase === 'away') await other.leave()
    else if (message.phase === 'back') {
      await other.comeBack()
      backAt = performance.now()
      child.send('back')
    }
  })
  await new Promise(resolve => child.once('exit', resolve))
  const arrived = await other.count()
  console.log(
    JSON.stringify({
      logged,
      arrived,
      lost: logged - arrived,
      firstBatchSeconds: inSeconds(firstBatch),
      caughtUpSeconds: inSeconds(caughtUp)
    })
  )
  await other.end()
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      records: { type: 'string' },
      files: { type: 'string', default: '2000' },
      runs: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '60' },
      rate: { type: 'string', default: '50000' },
      kafka: { type: 'boolean', default: false },
      config: { type: 'string' }
    }
  })
  const [rate, seconds, runs] = [values.rate, values.seconds, values.runs].map(Number)
  if (positionals[0] === 'serve') return serve(values.config, rate, seconds)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-bench-'))
  try {
    if (positionals[0] === 'kafka') await measureKafka(folder, Number(values.records ?? 1_000_000), runs)
    else if (positionals[0] === 'http') await measureHttp(folder, Number(values.records ?? 1_000_000), runs)
    else if (positionals[0] === 'syslog') await measureSyslog(folder, Number(values.records ?? 500_000), runs)
    else if (positionals[0] === 'files') await measureFiles(folder, Number(values.files), runs)
    else if (positionals[0] === 'away') await measureAway(folder, { rate, seconds, kafka: values.kafka })
    else throw new Error('say what: kafka, http, files, syslog or away')
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

main().catch(error => {
  console.error(error.message)
  process.exitCode = 1
})
