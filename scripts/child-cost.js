'use strict'

// What a call costs as services make them: by children of all kinds, with values in the message,
// with a prefix, of dates and objects of classes. Ns of one of pino's and of shardlog's, each in a
// process of its own, in turn.
//
//   node scripts/child-cost.js [--rounds N]     N: default 5
//
// Needs the built package, and the benchmarks' packages: node scripts/setup.js bench

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { median } = require('../bench/src/numbers')
const { root, runMain } = require('./run')

const CALLS = 5000
const BURSTS = 60

/** What is called: with a logger, and a number that is another for each call. */
const patterns = {
  'child of an id, one line': (log, n) => log.child({ reqId: `req-${n}` }).info('done'),
  'child of a UUID, one line': (log, n) =>
    log.child({ reqId: `3f2b8c1e-77aa-4c51-9d0e-${100_000_000_000 + n}` }).info('done'),
  'child of two bindings, two lines': (log, n) => {
    const child = log.child({ reqId: `req-${n}`, user: `u${n % 100}` })
    child.info('begun')
    child.info('done')
  },
  'child of an id and an object, one line': (log, n) =>
    log.child({ reqId: `req-${n}`, tenant: { id: n, plan: 'free' } }).info('done'),
  'child, setBindings, one line': (log, n) => {
    const child = log.child({ reqId: `req-${n}` })
    child.setBindings({ user: 'u1' })
    child.info('done')
  },
  'child, three lines of two levels': (log, n) => {
    const child = log.child({ reqId: `req-${n}` })
    child.info('begun')
    child.warn('slow')
    child.info('done')
  },
  'two children, then a line of each': (log, n) => {
    const one = log.child({ reqId: `req-${n}` })
    const other = log.child({ reqId: `req-${n + 1}` })
    one.info('done')
    other.info('done')
  },
  'child with a level, one line': (log, n) => log.child({ reqId: `req-${n}` }, { level: 'info' }).info('done'),
  'child with serializers, one line': (log, n) =>
    log.child({ reqId: `req-${n}` }, { serializers: { req: String } }).info('done'),
  'child with a prefix, one line': (log, n) => log.child({ reqId: `req-${n}` }, { msgPrefix: '[a] ' }).info('done'),
  'child of a child, one line': (log, n) =>
    log
      .child({ reqId: `req-${n}` })
      .child({ step: 'load' })
      .info('done'),
  'child of a request, one line': (log, n) => {
    const headers = { host: '127.0.0.1:3000', accept: '*/*', 'user-agent': 'client/1.0', connection: 'keep-alive' }
    log.child({ req: { id: n, method: 'GET', url: `/items/${n}`, query: {}, headers, port: 40_000 } }).info('done')
  },
  'values in the message': (log, n) => log.info('user %s did %d', 'bob', n),
  'fields, and values in the message': (log, n) => log.info({ userId: n }, 'user %s did %d', 'bob', n),
  'a date among the fields': (log, n) => log.info({ userId: n, since: new Date(n) }, 'done'),
  'an object of a class': (log, n) => log.info({ order: new Order(n) }, 'placed')
}

class Order {
  constructor(id) {
    this.id = id
    this.state = 'paid'
    this.total = id / 4
  }
}

/** A process that prints the median of its bursts, ns per call. */
async function measure(logger, pattern) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'child-cost-'))
  const dest = path.join(folder, 'app.log')
  const library = require(logger === 'pino' ? path.join(root, 'bench/node_modules/pino') : root)
  const options = logger === 'pino' ? { sync: false, minLength: 4096 } : { format: 'ndjson' }
  const destination = library.destination({ dest, ...options })
  const log = library({}, destination)
  const call = patterns[pattern]
  const times = []
  for (let burst = 0; burst < BURSTS; burst++) {
    const began = process.hrtime.bigint()
    for (let n = 0; n < CALLS; n++) call(log, n)
    times.push(Number(process.hrtime.bigint() - began) / CALLS)
    await new Promise(resolve => destination.flush(resolve))
  }
  // The first half warms up.
  console.log(median(times.slice(BURSTS / 2)))
  fs.rmSync(folder, { recursive: true })
}

function inProcess(logger, pattern) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [__filename, '--measure', logger, pattern])
  if (status !== 0) throw new Error(`${logger}, ${pattern}: ${stderr}`)
  return Number(stdout)
}

function main() {
  const [option, first, second] = process.argv.slice(2)
  if (option === '--measure') return measure(first, second)
  const rounds = option === '--rounds' ? Number(first) : 5
  console.log('| ns | pino | shardlog |\n| --- | ---: | ---: |')
  for (const pattern of Object.keys(patterns)) {
    const times = { pino: [], shardlog: [] }
    for (let round = 0; round < rounds; round++) {
      for (const logger of Object.keys(times)) times[logger].push(inProcess(logger, pattern))
    }
    console.log(`| ${pattern} | ${Math.round(median(times.pino))} | ${Math.round(median(times.shardlog))} |`)
  }
}

runMain(main)
