'use strict'

// What a structured logger keeps of what it has logged: memory of a process after ever new keys,
// messages, bindings, children, events and enormous lines, before and after.
//
//   node scripts/record-memory.js [COUNT]
//
// logs 1,000,000 records of each kind by default, and 100,000 live children; needs the built
// package.
//
//   node --expose-gc scripts/record-memory.js SCENARIO COUNT [FORMAT]
//
// is one scenario in this process; prints its figures as JSON.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const root = path.resolve(__dirname, '..')

const MIB = 1 << 20
const HUGE_BYTES = 64 * MIB

/** What is logged, by its number. The last ones are kept alive as long as the logger. */
const scenarios = {
  'the same record': log => () => log.info({ a: 1 }, 'message'),
  'ever new keys': log => i => log.info({ [`key ${i}`]: i, same: 1 }, 'message'),
  'ever new messages': log => i => log.info({ a: i }, `message ${i}`),
  'ever new keys and messages': log => i => log.info({ [`key ${i}`]: i, [`other ${i}`]: 1 }, `message ${i}`),
  'messages now new, now known': log => i => log.info({ a: i }, i % 3 === 0 ? `message ${i}` : `known ${i % 50}`),
  'ever new nested keys': log => i => log.info({ nested: { [`key ${i}`]: i } }, 'message'),
  'ever new bindings of children': log => i => log.child({ request: `request ${i}` }).info({ a: i }, 'message'),
  'ever new keys of children’s bindings': log => i => log.child({ [`key ${i}`]: i }).info('message'),
  'ever new serializers of children': log => i =>
    log.child({ i }, { serializers: { a: value => value } }).info({ a: i }, 'message'),
  'ever new level texts of children': log => i =>
    log
      .child({}, { customLevels: { odd: 35 }, formatters: { level: (_label, level) => ({ level, request: i }) } })
      .info({ a: i }, 'message'),
  'ever new events': log => i => log.event(`event ${i}`, ['a', `field ${i}`])(i, 1),
  'live children': (log, kept) => i => {
    kept.push(log.child({ request: i }))
    kept[i].info('message')
  },
  'enormous lines at first': log => i => log.info({ text: 'x'.repeat(i < 3 ? HUGE_BYTES : 10) }, 'message'),
  'enormous lines at last': (log, _kept, count) => i =>
    log.info({ text: 'é'.repeat(i > count - 4 ? HUGE_BYTES / 2 : 10), nested: {} }, 'message')
}

/** Scenarios of which there are fewer. */
const FEWER = {
  'live children': 10,
  'ever new serializers of children': 10,
  'enormous lines': 500,
  'ever new bindings set': 1e9
}

/** Memory of the process that no file is behind: heap, native heap, stacks; not the arena. */
function anonymousBytes() {
  const status = fs.readFileSync('/proc/self/status', 'utf8')
  return Number(/RssAnon:\s*(\d+) kB/.exec(status)[1]) * 1024
}

async function settled() {
  for (let i = 0; i < 3; i++) {
    global.gc()
    await new Promise(resolve => setImmediate(resolve))
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return { heapUsed, arrayBuffers, anonymous: anonymousBytes() }
}

async function logAll(destination, say, from, to) {
  for (let i = from; i < to; i++) {
    say(i)
    // Finalizers and weak references are for between turns.
    if (i % 10_000 === 9_999) await new Promise(resolve => setImmediate(resolve))
  }
  destination.flushSync()
}

/** The figures of a scenario: `before` after a tenth of the records, `after` all of them. */
async function measure(name, count, format) {
  const shardlog = require(root)
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-memory-'))
  try {
    const bufferSize = name.startsWith('enormous lines') ? 5 * HUGE_BYTES : 8 * MIB
    const dest = path.join(directory, 'app.log')
    const destination = shardlog.destination({ dest, format, bufferSize, numShards: 1, dsync: false })
    const kept = []
    const say = scenarios[name](shardlog({ base: null }, destination), kept, count)
    await logAll(destination, say, 0, Math.ceil(count / 10))
    const before = await settled()
    await logAll(destination, say, Math.ceil(count / 10), count)
    const after = await settled()
    const { droppedLogs } = destination.getStatsSnapshot()
    destination.closeSync()
    return { name, count, before, after, kept: kept.length, droppedLogs }
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

const mib = bytes => (bytes / MIB).toFixed(1).padStart(8)

function report(count) {
  console.log('records   heap before, after   anonymous before, after   array buffers before, after (MiB)')
  for (const name of Object.keys(scenarios)) {
    const many = Math.ceil(count / (FEWER[name] ?? 1))
    const args = ['--expose-gc', __filename, name, String(many)]
    const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
    if (child.status !== 0) throw new Error(`${name}: code ${child.status}, signal ${child.signal}`)
    const { before, after, droppedLogs } = JSON.parse(child.stdout)
    const pairs = ['heapUsed', 'anonymous', 'arrayBuffers'].map(key => mib(before[key]) + mib(after[key]))
    console.log(
      `${String(many).padStart(7)}  ${pairs.join('  ')}  ${name}${droppedLogs ? `, ${droppedLogs} dropped` : ''}`
    )
  }
}

async function main() {
  const [first, count, format] = process.argv.slice(2)
  if (scenarios[first]) console.log(JSON.stringify(await measure(first, Number(count), format ?? 'ndjson')))
  else report(Number(first) || 1_000_000)
}

main()
