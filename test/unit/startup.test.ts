import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

/** Modules that a start may load; pino loads some thirty. */
const MOST = 40

/**
 * Prints the files that were loaded for `load`, without the program's own, and the modules of Node.
 */
const program = (load: string): string => `
  const report = () => console.log(JSON.stringify({
    files: Object.keys(require.cache).filter(file => file.startsWith(${JSON.stringify(packageRoot)})),
    own: process.moduleLoadList.filter(name => name.startsWith('NativeModule ')).map(name => name.slice(13))
  }))
  ${load}`

interface Loaded {
  files: string[]
  own: string[]
}

function loadedBy(load: string): Loaded {
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program(load)], {
    cwd: packageRoot,
    encoding: 'utf8',
    timeout: 30_000
  })
  const line = stdout.split('\n').find(text => text.startsWith('{"files"'))
  if (line === undefined) throw new Error(stderr)
  return JSON.parse(line) as Loaded
}

const inWorker = (load: string): string =>
  `const { Worker } = require('node:worker_threads'); new Worker(${JSON.stringify(program(load))}, { eval: true })`

const WAYS: Record<string, string> = {
  "require('shardlog')": `require('shardlog'); report()`,
  "require('shardlog/pino')": `require('shardlog/pino'); report()`,
  "import 'shardlog'": `import('shardlog').then(report)`,
  "import 'shardlog/pino'": `import('shardlog/pino').then(report)`,
  "require('shardlog') in a worker thread": inWorker(`require('shardlog'); report()`),
  "import 'shardlog' in a worker thread": inWorker(`import('shardlog').then(report)`)
}

/** What is for those who ask for it. */
const LATER = [
  /\/dist\/(?:(?:arena|cli|features|reader|engine\/js)\/|(?:metrics|pretty)\.js$)/,
  /\/dist\/pino\/(?:multistream|transport|transport-worker)\.js$/,
  /\/node_modules\/(?:sonic-boom|thread-stream|on-exit-leak-free|pino-abstract-transport|safe-stable-stringify|@pinojs\/redact|node-gyp-build)\//,
  /\.node$/
]

describe.each(Object.entries(WAYS))('%s', (_way, load) => {
  it(`loads no more than ${MOST} modules, none that are put off`, () => {
    const { files } = loadedBy(load)
    expect(files.length).toBeGreaterThan(0)
    expect(files.length).toBeLessThanOrEqual(MOST)
    expect(files.filter(file => LATER.some(pattern => pattern.test(file)))).toEqual([])
  })
})

describe('a start', () => {
  it('loads no module of Node that costs milliseconds and that pino does without', () => {
    const ours = loadedBy(`require('shardlog'); report()`).own
    const pinos = loadedBy(`require('pino'); report()`).own
    const dear = ['crypto', 'net', 'tls', 'tty', 'http', 'fs/promises', 'async_hooks', 'stream', 'child_process']
    expect(dear.filter(name => ours.includes(name) && !pinos.includes(name))).toEqual([])
  })

  it('stays within the same number when the first line is out', () => {
    const { files } = loadedBy(`require('shardlog')({}).info({ item: 1 }, 'text'); report()`)
    expect(files.length).toBeLessThanOrEqual(MOST)
  })

  it('has every name at once that is imported', () => {
    const { files } = loadedBy(
      `import('shardlog').then(names => { if (typeof names.readLog !== 'function' || !new names.ShardlogError('code', 'text').stack) throw new Error(); report() })`
    )
    expect(files.filter(file => file.includes('/dist/reader/'))).toEqual([])
  })
})

describe('what is put off', () => {
  it.each([
    ['a feature', `shardlog({ dedupe: true }).info('text')`, 'features/features.js'],
    ['a reader', `shardlog.readLog('missing.log')`, 'reader/read-log.js'],
    // It is loaded before it finds that there is no such target.
    ['a transport', `try { shardlog.transport({ target: 'none' }) } catch {}`, 'pino/transport.js'],
    ['streams', `shardlog.multistream([])`, 'pino/multistream.js'],
    [
      'the JavaScript engine',
      `shardlog.destination({ dest: 2, format: 'ndjson', engine: 'js' })`,
      'engine/js/js-engine.js'
    ],
    [
      'a circular value',
      `const value = {}; value.value = value; shardlog({}, { write() {} }).info({ value })`,
      'safe-stable-stringify/index.js'
    ],
    ['redaction', `shardlog({ redact: ['a.b'] })`, '@pinojs/redact/index.js'],
    ['a stream of text', `shardlog.destination({ dest: 2, sync: true })`, 'sonic-boom/index.js']
  ])('is loaded when it is first used: %s', (_what, use, file) => {
    const { files } = loadedBy(`const shardlog = require('shardlog'); ${use}; report()`)
    expect(files.some(name => name.endsWith(file))).toBe(true)
  })
})

describe('a module in the file of a start, or of the first log', () => {
  const check = `
    const assert = require('node:assert')
    const path = require('node:path')
    const dist = ${JSON.stringify(path.join(packageRoot, 'dist'))}
    for (const file of ['start-pino', 'first-log']) {
      const held = require(path.join(dist, file))
      assert(Object.keys(held).length > 10)
      for (const name of Object.keys(held)) assert.strictEqual(require(path.join(dist, name)), held[name], name)
    }
    assert.strictEqual(require('shardlog/lib/symbols').streamSym, require('shardlog').symbols.streamSym)
    assert.strictEqual(require(path.join(dist, 'errors')).ShardlogError, require('shardlog').ShardlogError)
    report()`

  it('is the same object by its own path', () => {
    expect(loadedBy(check).files.length).toBeGreaterThan(MOST)
  })

  // After `module.exports = require(…)` Node reads what is required too, in search of names: tens
  // of milliseconds of a program of ES modules.
  it('is no re-export that Node follows when an ES module imports it', () => {
    for (const name of ['index', 'pino/index']) {
      const own = fs.readFileSync(path.join(packageRoot, 'dist', `${name}.js`), 'utf8')
      expect(own).toContain('start-pino.js')
      expect(own).not.toMatch(/module\.exports\s*=\s*require/)
    }
  })

  it('can be the first that a program loads', () => {
    const first = `const { ShardlogError } = require(${JSON.stringify(path.join(packageRoot, 'dist', 'errors'))})
      require('node:assert').strictEqual(ShardlogError, require('shardlog').ShardlogError); report()`
    expect(loadedBy(first).files.some(file => file.endsWith(path.join('dist', 'start-pino.js')))).toBe(true)
  })

  it('is named with its function in a stack', () => {
    const wrong = `try { require('shardlog')({ level: 'none' }) } catch (error) {
      require('node:assert').match(error.stack, /at assertDefaultLevel .*at createLogger /s) } report()`
    expect(loadedBy(wrong).files.length).toBeGreaterThan(0)
  })
})

// As tools do that load programs anew: decache, proxyquire, hand-written ones.
it('each start goes on with what is its own when the cache of modules is emptied', () => {
  const folder = tempDir()
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', emptied, folder], {
    cwd: packageRoot,
    encoding: 'utf8',
    timeout: 30_000
  })
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toEqual({
    codes: ['ERR_SHARDLOG_PATH', 'ERR_SHARDLOG_PATH', 'ERR_SHARDLOG_CONFIG'],
    own: [true, true, true],
    foreign: [false, false],
    left: 0,
    lines: [
      ['{"level":30,"a":1,"sampleRate":1,"msg":"x"}', '{"level":30,"p":"[Redacted]","msg":"r"}'],
      ['{"level":30,"c":2,"msg":"y"}']
    ]
  })
})

const emptied = `
  const path = require('node:path')
  const empty = () => { for (const file of Object.keys(require.cache)) delete require.cache[file] }
  const refusal = call => { try { call() } catch (error) { return error } }
  const plain = { base: null, timestamp: false }
  const [, folder] = process.argv
  const files = ['first.log', 'second.log'].map(name => path.join(folder, name))
  const first = require('shardlog')
  empty()
  const second = require('shardlog')
  const errors = [first, second].map(start => refusal(() => new start.Logger({ logFilePath: '/proc/none/app.log' })))
  const to = files.map((dest, i) => [first, second][i].destination({ dest, format: 'ndjson' }))
  first({ ...plain, sampling: { targetRate: 100 } }, to[0]).info({ a: 1 }, 'x')
  second({ ...plain, dedupe: true }, second.multistream([{ stream: to[1] }])).child({ c: 2 }).info('y')
  empty()
  first({ ...plain, redact: ['p'] }, first.multistream([{ stream: to[0] }])).info({ p: 1 }, 'r')
  errors.push(refusal(() => first.readLog(5)))
  const own = errors.map((error, i) => error instanceof [first, second, first][i].ShardlogError)
  const foreign = errors.slice(0, 2).map((error, i) => error instanceof [second, first][i].ShardlogError)
  to.forEach(destination => destination.closeSync())
  async function main() {
    const lines = [[], []]
    for (const [i, start] of [first, second].entries()) {
      for await (const { text } of start.readLog(files[i])) lines[i].push(text.trimEnd())
    }
    const left = Object.keys(require.cache).filter(file => file.includes('/dist/')).length
    console.log(JSON.stringify({ codes: errors.map(error => error.code), own, foreign, left, lines }))
  }
  main()`
