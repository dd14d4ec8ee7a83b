'use strict'

// What shipping costs and reaches.
//
//   node bench/shipping.js kafka [--records 1000000]     beside Kafka's own measure of a producer
//   node bench/shipping.js syslog [--records 500000]     beside rsyslog, CPU per record
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
const { KafkaBroker, missing } = require('../scripts/kafka-broker')

const cli = path.join(__dirname, '..', 'dist', 'cli', 'main.js')
const RECORD_BYTES = 200
const CHUNK_RECORDS = 10_000
const CATCH_UP_S = 60
const WARM_UP_S = 10
const TICK_MS = 5
const NS_PER_US = 1e3

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const perSecond = (count, ms) => Math.round((count * 1000) / ms).toLocaleString('en')

/** A file of records of 200 bytes. */
function writeRecords(file, count) {
  const fd = fs.openSync(file, 'w')
  for (let n = 0; n < count; n += CHUNK_RECORDS) {
    const lines = Array.from({ length: Math.min(CHUNK_RECORDS, count - n) }, (_, i) => {
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

// Kafka.

async function measureKafka(folder, count) {
  const lack = missing()
  if (lack !== null) throw new Error(`no broker: ${lack}`)
  const broker = await KafkaBroker.start()
  try {
    const log = path.join(folder, 'records.log')
    writeRecords(log, count)
    for (const compression of ['none', 'gzip']) {
      const topic = `bench-${compression}`
      broker.createTopic(topic)
      const config = ['acks=all', `compression.type=${compression}`]
      const own = broker.measureProducer(`${topic}-own`, { records: count, bytes: RECORD_BYTES, config })
      console.log(`Kafka's ProducerPerformance, ${compression}: ${own}`)
      fs.rmSync(path.join(folder, '.records.log.bench.cursor'), { force: true })
      const remote = { type: 'Kafka', bootstrapServers: broker.address, topic, fileName: log }
      tell(
        `shardlog ship, ${compression}`,
        count,
        await shipOnce(folder, { ...remote, producerConfig: { 'compression.type': compression } })
      )
    }
  } finally {
    await broker.remove()
  }
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

const cpuOf = pid => {
  const fields = fs
    .readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** rsyslog reads the same file and sends it in the same form. */
async function measureRsyslog(folder, log, bytes) {
  if (spawnSync('rsyslogd', ['-v']).status !== 0) return console.log('rsyslog: left out, rsyslogd is not installed')
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
  for (let last = -1; state.bytes < bytes && state.bytes !== last; await pause(1_000))
    last = state.bytes === 0 ? -1 : state.bytes
  const used = { ms: performance.now() - start, cpuMs: cpuOf(daemon.pid) }
  daemon.kill('SIGKILL')
  server.close()
  return { ...used, complete: state.bytes >= bytes }
}

async function measureSyslog(folder, count) {
  const log = path.join(folder, 'records.log')
  writeRecords(log, count)
  const { server, port } = await countingServer()
  tell(
    'shardlog ship, Syslog',
    count,
    await shipOnce(folder, { type: 'Syslog', port, fileName: log, batchSize: 5_000 })
  )
  server.close()
  const other = await measureRsyslog(folder, log, count * RECORD_BYTES)
  if (other) tell(`rsyslog, imfile to omfwd${other.complete ? '' : ' (not complete)'}`, count, other)
}

// Away.

/** The service, in a process of its own: logs so many records a second, and tells what it saw. */
async function serve(config, rate, seconds) {
  const { configure } = require('..')
  const logging = configure(config, { onError: () => undefined })
  const log = logging.getLogger('orders')
  const text = 'x'.repeat(90)
  const phases = { before: WARM_UP_S, away: seconds, after: CATCH_UP_S / 2 }
  let n = 0
  for (const [phase, length] of Object.entries(phases)) {
    process.send({ phase })
    const calls = createHistogram()
    const memory = []
    const start = performance.now()
    for (let done = 0; done < length * rate; ) {
      const due = Math.min(length * rate, Math.floor(((performance.now() - start) * rate) / 1000))
      for (; done < due; done++, n++) {
        const before = process.hrtime.bigint()
        log.info({ n }, text)
        calls.record(Math.max(1, Number(process.hrtime.bigint() - before)))
      }
      if (performance.now() - start > memory.length * 1000) memory.push(process.memoryUsage().rss)
      await pause(TICK_MS)
    }
    const us = ns => Number((ns / NS_PER_US).toFixed(1))
    const mib = bytes => Number((bytes / 2 ** 20).toFixed(1))
    process.send({
      phase,
      seconds: (performance.now() - start) / 1000,
      p50: us(calls.percentile(50)),
      p999: us(calls.percentile(99.9)),
      max: us(calls.max),
      rss: [mib(memory[0]), mib(Math.max(...memory)), mib(memory.at(-1))],
      stats: logging.stats().remote
    })
  }
  process.send({ logged: n })
  await logging.close()
  process.disconnect()
}

/** A collector that keeps the numbers that have come. */
class Collector {
  numbers = new Set()
  #sockets = new Set()

  async start() {
    this.server = http.createServer((request, response) => {
      const chunks = []
      request.on('error', () => undefined)
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        for (const [, n] of zlib
          .gunzipSync(Buffer.concat(chunks))
          .toString()
          .matchAll(/"n":(\d+)/g))
          this.numbers.add(Number(n))
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

  count() {
    return new Set(this.broker.consume('away').map(({ id }) => id)).size
  }

  end() {
    return this.broker.remove()
  }
}

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
  child.on('message', async message => {
    if (message.logged !== undefined) logged = message.logged
    else if (message.stats) console.log(JSON.stringify(message))
    else if (message.phase === 'away') await other.leave()
    else if (message.phase === 'after') {
      await other.comeBack()
      backAt = performance.now()
    }
  })
  const ended = new Promise(resolve => child.once('exit', resolve))
  const watch = setInterval(() => {
    if (kafka || backAt === 0 || caughtUp !== null || other.count() === 0) return
    // Within a second of what is logged.
    const due = Math.floor(rate * (WARM_UP_S + seconds) + ((performance.now() - backAt) * rate) / 1000)
    if (other.count() >= due - 2 * rate) caughtUp = performance.now() - backAt
  }, 100)
  await ended
  clearInterval(watch)
  const arrived = other.count()
  console.log(
    JSON.stringify({
      logged,
      arrived,
      lost: logged - arrived,
      caughtUpSeconds: caughtUp === null ? null : Math.round(caughtUp / 100) / 10
    })
  )
  await other.end()
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      records: { type: 'string' },
      seconds: { type: 'string', default: '60' },
      rate: { type: 'string', default: '50000' },
      kafka: { type: 'boolean', default: false },
      config: { type: 'string' }
    }
  })
  const [rate, seconds] = [Number(values.rate), Number(values.seconds)]
  if (positionals[0] === 'serve') return serve(values.config, rate, seconds)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-bench-'))
  try {
    if (positionals[0] === 'kafka') await measureKafka(folder, Number(values.records ?? 1_000_000))
    else if (positionals[0] === 'syslog') await measureSyslog(folder, Number(values.records ?? 500_000))
    else if (positionals[0] === 'away') await measureAway(folder, { rate, seconds, kafka: values.kafka })
    else throw new Error('say what: kafka, syslog or away')
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

main().catch(error => {
  console.error(error.message)
  process.exitCode = 1
})
