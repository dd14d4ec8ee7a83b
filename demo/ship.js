'use strict'

/**
 * `npm run demo:ship`: a service logs while the broker that its log is shipped to is killed and
 * comes back; then what the service logged is compared with what arrived. A broker of Apache Kafka,
 * where there are Java and Maven; else, or with `--http`, a collector over HTTP. About a minute;
 * leaves nothing behind.
 */

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const zlib = require('node:zlib')
const { KafkaBroker, missing } = require('../scripts/kafka-broker')
const { heading, fact, line, verdict, count, megabytes } = require('./print')

const PHASE_MS = 5_000
const AWAY_MS = 10_000

/** A collector that keeps what it has taken. */
class Collector {
  name = 'a collector over HTTP'
  #taken = []

  async start() {
    this.server = http.createServer((request, response) => {
      const chunks = []
      request.on('error', () => undefined)
      request.on('data', chunk => chunks.push(chunk))
      request.on('end', () => {
        for (const text of zlib.gunzipSync(Buffer.concat(chunks)).toString().trimEnd().split('\n')) {
          const { log_id: id, order } = JSON.parse(text)
          this.#taken.push({ id, order })
        }
        response.end('{}')
      })
    })
    this.server.listen(this.port ?? 0, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = this.server.address().port
    return { type: 'Http', url: `http://127.0.0.1:${this.port}/logs` }
  }

  async leave() {
    this.server.closeAllConnections()
    await new Promise(resolve => this.server.close(resolve))
  }

  comeBack = () => this.start()
  taken = () => this.#taken
  end = () => this.leave()
}

/** A broker; what it has taken is read by Kafka's own consumer. */
class Broker {
  name = 'Apache Kafka'

  async start() {
    this.broker = await KafkaBroker.start()
    this.broker.createTopic('orders', 1)
    return { type: 'Kafka', bootstrap_servers: this.broker.address, topic: 'orders' }
  }

  leave = () => this.broker.stop('SIGKILL')
  comeBack = () => this.broker.resume()
  taken = () => this.broker.consume('orders').map(({ id, value }) => ({ id, order: JSON.parse(value).order }))
  end = () => this.broker.remove()
}

function show({ accepted, shipped, lagBytes, circuit, p50, p999, rss }) {
  fact('records that the service has logged', count(accepted))
  fact('of these delivered', count(shipped))
  fact('behind', megabytes(lagBytes))
  fact('circuit breaker', circuit)
  fact('a log call, median and 99.9 %', `${p50.toFixed(1)} µs, ${p999.toFixed(1)} µs`)
  fact("the service's memory", megabytes(rss))
}

/** The whole story; true if each record arrived. */
async function play(target, folder) {
  heading(`A service whose log is shipped to ${target.name}`)
  const remote = {
    ...(await target.start()),
    file_name: path.join(folder, 'orders.log'),
    flush_interval: 0.5,
    close_timeout: 60
  }
  const config = path.join(folder, 'logging.json')
  fs.writeFileSync(config, JSON.stringify({ appenders: { remote } }))
  const service = fork(path.join(__dirname, 'ship-service.js'), [config])
  let latest = { accepted: 0, shipped: 0, lagBytes: 0, circuit: 'closed', p50: 0, p999: 0, rss: 0 }
  service.on('message', told => {
    latest = told
  })
  const ended = once(service, 'exit')
  try {
    await sleep(PHASE_MS)
    show(latest)
    heading(`${target.name} goes away`)
    await target.leave()
    await sleep(AWAY_MS)
    line('  killed; the service goes on, and its records wait in its local log')
    show(latest)
    heading(`${target.name} comes back`)
    await target.comeBack()
    await sleep(PHASE_MS)
    show(latest)
    heading('The service ends')
    service.send('end')
    await ended
    show(latest)
    return compare(latest.accepted, target.taken())
  } finally {
    service.kill('SIGKILL')
    await target.end()
  }
}

function compare(accepted, taken) {
  const byId = new Map(taken.map(({ id, order }) => [id, order]))
  const orders = new Set(byId.values())
  fact('records that arrived', count(taken.length))
  fact('repeats, told by their ids', count(taken.length - byId.size))
  const lost = accepted - orders.size
  verdict(lost === 0, `${count(lost)} of ${count(accepted)} records are missing`)
  verdict(byId.size === orders.size, `${count(byId.size - orders.size)} came twice under different ids`)
  return lost === 0 && byId.size === orders.size
}

async function main() {
  const lack = process.argv.includes('--http') ? '--http was given' : missing()
  if (lack !== null) line(`Without Kafka: ${lack}.`)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-demo-'))
  try {
    process.exitCode = (await play(lack === null ? new Broker() : new Collector(), folder)) ? 0 : 1
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
