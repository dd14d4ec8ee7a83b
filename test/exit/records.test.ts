import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { runChild } from '../support/child'
import { readTexts } from '../support/plain-reader'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

const COUNT = 300
const LINES = Array.from({ length: COUNT }, (_, i) => `line ${i}`)

/** The start of each script: a logger that has logged `LINES`. */
const LOG = `
  const destination = shardlog.destination(config.destination)
  const log = shardlog({ base: null, ...config.options }, destination)
  for (let i = 0; i < ${COUNT}; i++) log.info({ i, nested: { text: 'é', at: [i] } }, 'line ' + i)
`

interface Target {
  /** Options of the destination, but for its file. */
  destination: { format: 'ndjson' | 'shard'; engine?: 'native' | 'js'; crashSafe?: 'file' | 'shm' }
  /** Whether what was not flushed survives a process that is killed. */
  survives: boolean
  /** What standard output is, if lines go there. */
  output?: 'pipe' | 'file'
  /** Differs little from another one: only some ways are tried. */
  brief?: true
}

const BRIEF = new Set([
  'the end of the event loop',
  'process.exit()',
  'process.exit() in the middle of a flush',
  'an uncaught exception of a callback',
  'an unhandled rejection that is logged',
  'process.exit() in a conversion, with a handler that logs'
])

const targets: [string, Target][] = [
  ['a file of lines', { destination: { format: 'ndjson' }, survives: true }],
  [
    'a file of lines, its arena in shared memory',
    { destination: { format: 'ndjson', crashSafe: 'shm' }, survives: true, brief: true }
  ],
  ['a shard file', { destination: { format: 'shard' }, survives: true }],
  ['a file of lines of the JavaScript engine', { destination: { format: 'ndjson', engine: 'js' }, survives: false }],
  [
    'a shard file of the JavaScript engine',
    { destination: { format: 'shard', engine: 'js' }, survives: false, brief: true }
  ],
  ['a file of lines of the JavaScript engine', { destination: { format: 'ndjson', engine: 'js' }, survives: false }],
  ['a pipe', { destination: { format: 'ndjson' }, survives: false, output: 'pipe' }],
  ['standard output to a file', { destination: { format: 'ndjson' }, survives: false, output: 'file', brief: true }],
  [
    'a pipe of the JavaScript engine',
    { destination: { format: 'ndjson', engine: 'js' }, survives: false, output: 'pipe', brief: true }
  ]
]

/** Nothing is written but by what the tests do: sets that do not fill up, no flush by the clock. */
const quiet = { bufferSize: 1 << 22, numShards: 2, flushInterval: 0, dsync: false }

function linesIn(file: string, format: 'ndjson' | 'shard'): string[] {
  if (!fs.existsSync(file)) return []
  return format === 'shard' ? readTexts(file) : fs.readFileSync(file, 'utf8').split(/(?<=\n)/)
}

/** The messages of lines, each of which has to be whole. */
function messages(texts: string[]): string[] {
  const lines = texts.filter(text => text !== '')
  for (const line of lines) expect(line.endsWith('\n')).toBe(true)
  return lines.map(line => (JSON.parse(line) as { msg: string }).msg)
}

describe.each(targets)(
  '%s has every line when the process ends by',
  (_target, { destination, survives, output, brief }) => {
    function run(script: string, options: object = {}) {
      const file = tempLog()
      const dest = output === undefined ? file : 1
      const config = { destination: { dest, ...destination, ...quiet }, options }
      const stdout = output === 'file' ? fs.openSync(file, 'a') : undefined
      const result = runChild(LOG + script, { config, stdout })
      if (stdout !== undefined) fs.closeSync(stdout)
      const texts = () => (output === 'pipe' ? result.stdout.split(/(?<=\n)/) : linesIn(file, destination.format))
      return { file, result, lines: () => messages(texts()) }
    }

    const ends: [string, string, number, string[]][] = [
      ['the end of the event loop', '', 0, []],
      ['the end of the event loop after a timer', "setTimeout(() => log.info('late'), 20)", 0, ['late']],
      ['process.exit()', 'process.exit(3)', 3, []],
      ['process.exit() of a callback', 'setImmediate(() => process.exit(3))', 3, []],
      ['process.exitCode', 'process.exitCode = 9', 9, []],
      ['process.exit() right after a flush began', 'destination.flush(); process.exit(3)', 3, []],
      ['process.exit() in the middle of a flush', 'log.flush(); setImmediate(() => process.exit(3))', 3, []],
      [
        'process.exit() when a flush is done',
        "log.flush(() => { log.info('flushed'); process.exit(3) })",
        3,
        ['flushed']
      ],
      ['process.exit() in the middle of the end', 'destination.end(); process.exit(3)', 3, []],
      [
        'process.exit() in a handler of a signal',
        "process.on('SIGTERM', () => { log.info('told'); process.exit(7) }); process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)",
        7,
        ['told']
      ],
      ['an uncaught exception', "throw new Error('on purpose')", 1, []],
      ['an uncaught exception of a callback', "setImmediate(() => { throw new Error('on purpose') })", 1, []],
      [
        'an uncaught exception that is logged',
        "process.on('uncaughtException', error => { log.fatal(error); process.exit(4) }); throw new Error('on purpose')",
        4,
        ['on purpose']
      ],
      [
        'an uncaught exception that is watched',
        "process.on('uncaughtExceptionMonitor', error => log.fatal(error)); setImmediate(() => { throw new Error('on purpose') })",
        1,
        ['on purpose']
      ],
      ['an unhandled rejection', "Promise.reject(new Error('on purpose'))", 1, []],
      [
        'an unhandled rejection that is logged',
        "process.on('unhandledRejection', error => { log.error(error); process.exit(5) }); Promise.reject(new Error('on purpose'))",
        5,
        ['on purpose']
      ],
      [
        'process.exit() in an asynchronous context',
        "new (require('node:async_hooks').AsyncLocalStorage)().run({}, () => { log.info('inside'); process.exit(3) })",
        3,
        ['inside']
      ],
      [
        'process.exit() in a context of the logger',
        "log.withContext({ request: 1 }, async () => { await null; log.info('inside'); process.exit(3) })",
        3,
        ['inside']
      ],
      ['process.exit() in a conversion', "log.info({ a: { toJSON: () => process.exit(3) } }, 'never')", 3, []],
      [
        'process.exit() in a conversion, after a line of its own',
        "log.info({ a: { toJSON: () => { log.info('own'); process.exit(3) } } }, 'never')",
        3,
        ['own']
      ],
      [
        'process.exit() in a conversion, with a handler that logs',
        "process.on('exit', () => log.info('bye')); log.info({ a: { toJSON: () => process.exit(3) } }, 'never')",
        3,
        ['bye']
      ],
      [
        'an error thrown by a conversion',
        "try { log.info({ get a() { throw new Error('on purpose') } }, 'kept') } finally { process.exit(3) }",
        3,
        ['kept']
      ]
    ]
    it.each(brief ? ends.filter(([end]) => BRIEF.has(end)) : ends)('%s', (_end, script, status, late) => {
      const { file, result, lines } = run(script)
      expect(result.status).toBe(status)
      expect(lines()).toEqual([...LINES, ...late])
      expect(fs.existsSync(arenaOf(file))).toBe(false)
    })

    if (brief) return

    it('whatever else logs in its last handlers', () => {
      const script = `
      process.on('beforeExit', () => log.info('before exit'))
      process.on('exit', () => log.child({ of: 'exit' }).warn('exit'))
      process.on('exit', () => log.event('event at exit', ['a'])(1))`
      expect(run(script).lines()).toEqual([...LINES, 'before exit', 'exit', 'event at exit'])
    })

    it('process.exit() after ‘fatal’, which had them on the device already', () => {
      const { lines } = run("log.fatal('the end'); process.kill(process.pid, 'SIGKILL')")
      expect(lines()).toEqual([...LINES, 'the end'])
    })

    const kills = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGKILL', 'SIGABRT']
    it.each(kills)('%s without a handler', signal => {
      const script = `
      destination.flushSync(); log.info({ un: 'flushed' }, 'unflushed')
      process.kill(process.pid, '${signal}'); setInterval(() => {}, 1000)`
      const { file, result, lines } = run(script)
      expect(result.signal).toBe(signal)
      if (survives) shardlog.recoverLog(file)
      expect(lines()).toEqual(survives ? [...LINES, 'unflushed'] : LINES)
    })

    it('abort()', () => {
      const { file, result, lines } = run('destination.flushSync(); process.abort()')
      expect(result.signal).toBe('SIGABRT')
      if (survives) shardlog.recoverLog(file)
      expect(lines()).toEqual(LINES)
    })

    describe('a worker ends by', () => {
      const worker = (script: string) => `
      const { Worker } = require('node:worker_threads')
      const code = ${JSON.stringify(`
        const { workerData: config, parentPort } = require('node:worker_threads')
        const shardlog = require(${JSON.stringify(packageRoot)})
        const destination = shardlog.destination(config)
        const log = shardlog({ base: null }, destination)
        for (let i = 0; i < 500; i++) log.info({ i }, 'of the worker')
        parentPort.postMessage('said')
        ${script}`)}
      const worker = new Worker(code, { eval: true, workerData: config.destination })
      worker.on('error', () => {})`

      const workerEnds: [string, string, boolean][] = [
        ['its end', '', false],
        ['process.exit()', 'process.exit(3)', false],
        ['an exception', "throw new Error('on purpose')", false],
        ['worker.terminate() while it waits', 'setInterval(() => {}, 1000)', true],
        ['worker.terminate() in a loop', 'for (;;);', true]
      ]
      it.each(workerEnds)('%s', (_end, script, terminated) => {
        const { result, lines } = run(
          `${worker(script)}
        ${terminated ? "worker.on('message', () => worker.terminate())" : ''}
        worker.on('exit', () => log.info('after the worker'))`
        )
        expect(result.stderr).toBe('')
        expect(result.status).toBe(0)
        const all = lines()
        // What a terminated thread of the JavaScript engine has not flushed is lost:
        // docs/reference/guarantees.md.
        if (survives || !terminated) expect(all.filter(text => text === 'of the worker')).toHaveLength(500)
        expect(all.filter(text => text !== 'of the worker')).toEqual([...LINES, 'after the worker'])
      })
    })

    describe('with features', () => {
      const flood = "for (let i = 0; i < 4; i++) log.warn({ same: 1 }, 'flood');"
      const featureEnds: [string, string][] = [
        ['the end of the event loop', ''],
        ['process.exit()', 'process.exit(0)'],
        ['an uncaught exception', "setImmediate(() => { throw new Error('on purpose') })"],
        ['an unhandled rejection', "Promise.reject(new Error('on purpose'))"],
        ['process.exit() in a context of the logger', 'log.withContext({ request: 1 }, () => process.exit(0))'],
        ['process.exit() in the middle of a flush', 'destination.flush(); process.exit(0)'],
        ['process.exit() in an ‘exit’ handler', "process.on('exit', () => process.exit(0))"]
      ]
      it.each(featureEnds)('a flood that is still counted is told by %s', (_end, script) => {
        const { lines } = run(flood + script, { dedupe: { window: 60_000 } })
        expect(lines()).toEqual([...LINES, 'flood', 'last message repeated 3 times'])
      })

      it('a flood in an ‘exit’ handler is not held back', () => {
        const { lines } = run(`process.on('exit', () => { ${flood} })`, { dedupe: { window: 60_000 } })
        expect(lines()).toEqual([...LINES, 'flood', 'flood', 'flood', 'flood'])
      })

      it('‘fatal’ tells of the flood before it', () => {
        const { lines } = run(`${flood} log.fatal('the end'); process.kill(process.pid, 'SIGKILL')`, { dedupe: true })
        expect(lines()).toEqual([...LINES, 'flood', 'last message repeated 3 times', 'the end'])
      })

      it('a kill loses the count of a flood and nothing else', () => {
        const { file, lines } = run(`${flood} destination.flushSync(); process.kill(process.pid, 'SIGKILL')`, {
          dedupe: { window: 60_000 }
        })
        if (survives) shardlog.recoverLog(file)
        expect(lines()).toEqual([...LINES, 'flood'])
      })

      it('lines that sampling keeps are there, with a flood’s summary', () => {
        const { lines } = run(`${flood} process.exit(0)`, { sampling: { targetRate: 1 }, dedupe: { window: 60_000 } })
        expect(lines().slice(-2)).toEqual(['flood', 'last message repeated 3 times'])
      })
    })
  }
)
