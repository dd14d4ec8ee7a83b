'use strict'

// Kills applications that log and shippers that ship what they log, at random moments, and counts:
// every accepted record arrives at least once, and once when repeats are told by their ids.
//
//   node crash-test/shipping.js [--rounds 300] [--mode worker|process] [--disturb-every 7]
//                               [--kafka]
//
// A collector in this process fails in every way meanwhile; with --kafka there is a broker of
// Apache Kafka, which every few rounds is killed, or else frozen for up to 3 s or told to end.

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const os = require('node:os')
const path = require('node:path')
const { parseArgs } = require('node:util')
const zlib = require('node:zlib')
const { KafkaBroker, missing } = require('../scripts/kafka-broker')

const cli = path.join(__dirname, '..', 'dist', 'cli', 'main.js')
const DRAINS = 20
const START_MS = 20_000
const LOOK_MS = 20
const DRAIN_MS = 120_000
const FAULT_SHARE = 0.15
/** Of what is done to a broker; the rest are kills. */
const FREEZE_SHARE = 0.15
const END_SHARE = 0.1

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
const between = (least, most) => least + Math.random() * (most - least)

/** A collector over HTTP that keeps what it takes as `{ id, value }`, and fails now and then. */
class HttpTarget {
  #sockets = new Set()
  paceMs = 5
  settleMs = 0

  constructor() {
    this.received = []
    this.server = http.createServer((request, response) => this.#serve(request, response))
    this.server.on('connection', socket => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  async start() {
    await new Promise(resolve => this.server.listen(this.port ?? 0, '127.0.0.1', resolve))
    this.port = this.server.address().port
    return { type: 'Http', url: `http://127.0.0.1:${this.port}/logs` }
  }

  #serve(request, response) {
    const chunks = []
    // A shipper that is killed breaks off.
    request.on('error', () => undefined)
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => {
      const lines = zlib.gunzipSync(Buffer.concat(chunks)).toString().trimEnd().split('\n')
      const fault = Math.random() < FAULT_SHARE ? Math.floor(Math.random() * 4) : -1
      if (fault === 0) return response.writeHead(500).end()
      if (fault === 1) return request.socket.resetAndDestroy()
      for (const line of lines) this.received.push({ id: JSON.parse(line).log_id, value: line })
      if (fault === 2) return request.socket.resetAndDestroy()
      if (fault === 3)
        return response.writeHead(200, { 'content-length': 9 }).write('half', () => request.socket.destroy())
      response.end('{}')
    })
  }

  /** Goes away for a moment. */
  async disturb() {
    await this.stop()
    await pause(between(10, 300))
    await this.start()
    return 'away'
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise(resolve => this.server.close(resolve))
  }

  records() {
    return this.received
  }
}

/** A broker of Kafka. */
class KafkaTarget {
  // Its rounds are long, and its own consumer has to print what arrived.
  paceMs = 100
  settleMs = 3_000

  async start() {
    this.broker = await KafkaBroker.start()
    this.broker.createTopic('logs', 2)
    return { type: 'Kafka', bootstrapServers: this.broker.address, topic: 'logs', timeout: 5 }
  }

  async disturb() {
    const kind = Math.random()
    if (kind < FREEZE_SHARE) {
      this.broker.freeze(true)
      await pause(between(100, 3_000))
      this.broker.freeze(false)
      return 'frozen'
    }
    const isKill = kind < 1 - END_SHARE
    await this.broker.stop(isKill ? 'SIGKILL' : 'SIGTERM')
    // It still recovers its log when shippers find it again.
    await this.broker.resume({ ready: false })
    return isKill ? 'killed' : 'ended'
  }

  records() {
    return this.broker.consume('logs')
  }

  stop() {
    return this.broker.remove()
  }
}

/** Processes of one campaign. */
class Campaign {
  constructor(target, { mode, folder }) {
    this.target = target
    this.mode = mode
    this.folder = folder
    this.notes = path.join(folder, 'notes')
    this.config = path.join(folder, 'logging.json')
    this.kills = { application: 0, shipper: 0, target: 0 }
    this.disturbed = {}
    this.shipper = null
  }

  writeConfig(appender) {
    const remote = {
      ...appender,
      fileName: path.join(this.folder, 'app.log'),
      shipping: this.mode,
      asyncSend: false,
      flushInterval: 0.05,
      spoolFileSize: '64KB',
      batchSize: 200,
      closeTimeout: 60,
      recoverAfter: 0.5,
      retry: { base: 0.01, cap: 0.2 },
      circuit: { recovery: 0.2 }
    }
    fs.writeFileSync(this.config, JSON.stringify({ appenders: { remote } }))
  }

  #node(args) {
    const log = fs.openSync(path.join(this.folder, 'output'), 'a')
    const child = spawn(process.execPath, args, { stdio: ['ignore', log, log] })
    fs.closeSync(log)
    child.ended = new Promise(resolve => child.once('exit', (code, signal) => resolve(code ?? signal)))
    return child
  }

  application(...args) {
    return this.#node([path.join(__dirname, 'shipping-app.js'), this.config, this.notes, ...args.map(String)])
  }

  startShipper() {
    if (this.mode === 'process' && this.shipper === null) this.shipper = this.#node([cli, 'ship', this.config])
  }

  async killShipper() {
    const { shipper } = this
    this.shipper = null
    if (shipper === null) return
    shipper.kill('SIGKILL')
    if ((await shipper.ended) !== 'SIGKILL') throw new Error(`the shipper ended by itself:\n${this.output()}`)
    this.kills.shipper++
  }

  output() {
    return fs.readFileSync(path.join(this.folder, 'output'), 'utf8').slice(-4000)
  }

  async round(run, disturbs) {
    const application = this.application(run, this.target.paceMs)
    this.startShipper()
    // From before anything is loaded until it has run for a while; mostly when it logs.
    if (Math.random() < 0.8) await this.#untilItLogs()
    await pause(between(0, 1_000))
    if (Math.random() < 0.5) await this.killShipper()
    if (disturbs) {
      const how = await this.target.disturb()
      this.disturbed[how] = (this.disturbed[how] ?? 0) + 1
      this.kills.target++
      // It delivers again for a while, or not yet.
      await pause(between(0, this.target.settleMs))
    }
    application.kill('SIGKILL')
    if ((await application.ended) !== 'SIGKILL') throw new Error(`the application ended by itself:\n${this.output()}`)
    this.kills.application++
  }

  async #untilItLogs() {
    const size = () => fs.statSync(this.notes, { throwIfNoEntry: false })?.size ?? 0
    const before = size()
    for (let waited = 0; size() === before && waited < START_MS; waited += LOOK_MS) await pause(LOOK_MS)
  }

  /** Delivers all that is left. */
  async drain() {
    await this.killShipper()
    const timer = setTimeout(() => undefined, DRAIN_MS)
    const ended = await this.application('0', 'drain').ended
    if (ended !== 0) throw new Error(`the application that delivers the rest ended with ${ended}:\n${this.output()}`)
    for (let i = 0; i < DRAINS && this.mode === 'process'; i++) {
      const code = await this.#node([cli, 'ship', '--once', this.config]).ended
      if (code === 0) break
    }
    clearTimeout(timer)
  }

  /** Compares what was accepted with what arrived. */
  result() {
    const accepted = fs.existsSync(this.notes) ? fs.readFileSync(this.notes, 'utf8').trimEnd().split('\n') : []
    const records = this.target.records()
    const byId = new Map()
    const ids = new Map()
    let conflicts = 0
    for (const { id, value } of records) {
      const { run, n } = JSON.parse(value)
      const key = `${run} ${n}`
      if (byId.has(id) && byId.get(id) !== key) conflicts++
      byId.set(id, key)
      ids.set(key, (ids.get(key) ?? new Set()).add(id))
    }
    return {
      ...this.kills,
      disturbed: this.disturbed,
      accepted: accepted.length,
      arrived: records.length,
      repeats: records.length - byId.size,
      missing: accepted.filter(key => !ids.has(key)).length,
      repeatedAfterDedupe: [...ids.values()].filter(set => set.size > 1).length,
      conflicts
    }
  }
}

/**
 * Runs a campaign.
 *
 * @returns what was killed, accepted, missing and repeated
 */
async function shippingCampaign({ rounds, mode, kafka = false, disturbEvery = 7, onRound = () => undefined, signal }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-shipping-'))
  const target = kafka ? new KafkaTarget() : new HttpTarget()
  const campaign = new Campaign(target, { mode, folder })
  try {
    campaign.writeConfig(await target.start())
    for (let run = 1; run <= rounds && !signal?.aborted; run++) {
      await campaign.round(run, run % disturbEvery === 0)
      onRound(run)
    }
    await campaign.drain()
    const result = campaign.result()
    const isWrong = result.missing + result.repeatedAfterDedupe + result.conflicts > 0
    if (!isWrong) fs.rmSync(folder, { recursive: true, force: true })
    return isWrong ? { ...result, folder } : result
  } finally {
    await campaign.killShipper()
    await target.stop()
  }
}

module.exports = { shippingCampaign }

async function main() {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '300' },
      mode: { type: 'string', default: 'worker' },
      'disturb-every': { type: 'string', default: '7' },
      kafka: { type: 'boolean', default: false }
    }
  })
  const { mode, kafka } = values
  const rounds = Number(values.rounds)
  const disturbEvery = Number(values['disturb-every'])
  if (!['worker', 'process'].includes(mode) || !(rounds > 0) || !(disturbEvery > 0))
    throw new Error('--mode worker or process, --rounds and --disturb-every a number')
  const lack = kafka ? missing() : null
  if (lack !== null) throw new Error(`no broker of Kafka can be started: ${lack}`)
  const onRound = run => {
    if (run % 25 === 0) console.log(`${run} of ${rounds}`)
  }
  const stopped = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stopped.abort())
  const result = await shippingCampaign({ rounds, mode, kafka, disturbEvery, onRound, signal: stopped.signal })
  console.log(result)
  if (result.folder !== undefined) process.exitCode = 1
}

if (require.main === module) {
  main().catch(error => {
    console.error(error)
    process.exitCode = 1
  })
}
