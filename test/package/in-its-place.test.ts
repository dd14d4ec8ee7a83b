import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeProject, program } from './project'
import { run, runProgram } from './run'

// In pino's place, beyond its API: what packages import by path, what bundlers' plugins for pino
// look for, the build for browsers, and pino's own tests of its types, which its package carries.
const root = path.join(__dirname, '..', '..')
const pino = path.join(root, 'node_modules', 'pino')

let home: string
beforeAll(() => {
  const typed = ['tstyche@7.2.5', 'typescript@6.0.3', '@types/node@25.0.3', 'fastify-tsconfig@3.0.0', 'ts-node@10.9.2']
  const streams = ['pino-pretty@13.2.0', 'sonic-boom@4.2.1', 'thread-stream@4.2.1']
  home = makeProject(
    'place of pino',
    [...typed, ...streams, 'tape@5.9.0', 'import-fresh@3.3.1', 'esbuild@0.25.8', 'esbuild-plugin-pino@2.3.3'],
    'pino'
  )
})

describe('modules by path', () => {
  it('those of pino that packages import are there, and do what they are used for', () => {
    const text = `
const pino = require('pino')
const symbols = require('pino/lib/symbols')
const lines = []
const log = pino({ base: null, timestamp: false, redact: ['a'] }, { write: line => lines.push(line) })
const { asJson, asChindings, stringify } = require('pino/lib/tools')
const { mappings } = require('pino/lib/levels.js')
log.child({ b: 1 }).info({ a: 1 }, 'x')
console.log(JSON.stringify({
  same: [require('pino/pino.js') === pino, require('pino/lib/meta').version === pino.version, symbols.streamSym === pino.symbols.streamSym],
  stream: typeof log[symbols.streamSym].write,
  bindings: log.child({ b: 1 })[symbols.chindingsSym],
  asJson: asJson.call(log, { a: 1, c: 2 }, 'text', 30, ''),
  chindings: asChindings(log, { d: 3 }),
  stringify: stringify({ e: 1n <= 2n }),
  levels: mappings({ extra: 35 }, false).values.extra,
  time: require('pino/lib/time').isoTime().slice(0, 8),
  redaction: require('pino/lib/redaction')({ paths: ['f'] }, JSON.stringify)[symbols.redactFmtSym]({ f: 1 }),
  functions: ['caller', 'multistream', 'proto', 'transport', 'transport-stream', 'worker'].map(name => typeof require('pino/lib/' + name)),
  files: ['pino/file', 'pino/file.js', 'pino/bin.js', 'pino/browser', 'pino/browser.js', 'pino/package.json', 'pino/pino', 'pino/lib/constants'].map(name => typeof require.resolve(name)),
  lines
}))`
    expect(runProgram(home, 'paths.cjs', text)).toEqual({
      same: [true, true, true],
      stream: 'function',
      bindings: ',"b":1',
      asJson: '{"level":30,"a":"[Redacted]","c":2,"msg":"text"}\n',
      chindings: ',"d":3',
      stringify: '{"e":true}',
      levels: 35,
      time: ',"time":',
      redaction: '{"f":"[Redacted]"}',
      functions: Array(6).fill('function'),
      files: Array(8).fill('string'),
      lines: ['{"level":30,"b":1,"a":"[Redacted]","msg":"x"}\n']
    })
  })

  it('their names can be imported from ES modules', () => {
    const text = `
import { streamSym } from 'pino/lib/symbols.js'
import { isoTime } from 'pino/lib/time'
import { stringify } from 'pino/lib/tools.js'
import multistream from 'pino/lib/multistream.js'
import pino, { destination } from 'pino/pino.js'
console.log(JSON.stringify([typeof streamSym, typeof isoTime, typeof stringify, typeof multistream, typeof pino, typeof destination]))`
    expect(runProgram(home, 'paths.mjs', text)).toEqual(['symbol', ...Array(5).fill('function')])
  })

  it("has at their places the files that bundlers' plugins for pino name", () => {
    const main = path.dirname(createRequire(path.join(home, 'main.js')).resolve('pino'))
    expect(['file.js', 'lib/worker.js'].filter(name => !fs.existsSync(path.join(main, name)))).toEqual([])
  })

  it('is bundled with its transports by esbuild-plugin-pino', () => {
    const app = `
const fs = require('node:fs')
const pino = require('pino')
const targets = [{ target: 'pino/file', options: { destination: 'one.log' } }, { target: 'pino/file', options: { destination: 'two.log' } }]
const stream = pino.transport({ targets })
pino({}, stream).info('moved')
const read = file => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')
const poll = setInterval(() => {
  const lines = ['one.log', 'two.log'].map(read)
  if (lines.includes('')) return
  clearInterval(poll)
  console.log(JSON.stringify(lines.map(line => JSON.parse(line).msg)))
}, 20)`
    fs.writeFileSync(path.join(home, 'app.js'), app)
    const text = `
const { build } = require('esbuild')
const plugin = require('esbuild-plugin-pino')
build({ entryPoints: ['app.js'], outdir: 'bundled', bundle: true, platform: 'node', logLevel: 'error', plugins: [(plugin.default ?? plugin)({ transports: [] })] })`
    fs.writeFileSync(path.join(home, 'bundle.cjs'), text)
    run([process.execPath, 'bundle.cjs'], home)
    expect(JSON.parse(run([process.execPath, 'bundled/app.js'], home))).toEqual(['moved', 'moved'])
  })
})

describe('in browsers', () => {
  it.each(['pino', 'pino/browser', 'pino/pino.js'])('is bundled for them, imported as %s', name => {
    const text = `import pino from '${name}'\nimport * as names from '${name}'
const log = pino({ browser: { asObject: true }, level: 'debug' })
log.child({ a: 1 }).info({ b: 2 }, 'text %d', 3)
log.debug('more')
console.log(typeof (names.pino ?? pino.pino), pino.levels.values.info)`
    fs.writeFileSync(path.join(home, 'page.mjs'), text)
    const options = ['--bundle', '--platform=browser', '--format=iife', '--outfile=page.js', '--log-level=error']
    run([program(home, 'esbuild'), 'page.mjs', ...options], home)
    const vm = `
const printed = []
const console = { info: (...args) => printed.push(args), debug: (...args) => printed.push(args), log: (...args) => printed.push(args) }
require('node:vm').runInNewContext(require('node:fs').readFileSync('page.js', 'utf8'), { console })
process.stdout.write(JSON.stringify(printed))`
    const printed = runProgram(home, 'page-run.cjs', vm)
    expect(printed).toMatchObject([
      [{ level: 30, a: 1, b: 2, msg: 'text 3' }],
      [{ level: 20, msg: 'more' }],
      ['function', 30]
    ])
  })

  it("passes pino's own tests for browsers", () => {
    const copy = path.join(home, 'browser tests')
    fs.mkdirSync(path.join(copy, 'test'), { recursive: true })
    const dist = path.join(home, 'node_modules', 'pino', 'dist')
    fs.copyFileSync(path.join(dist, 'browser.js'), path.join(copy, 'browser.js'))
    const tests = fs.readdirSync(path.join(pino, 'test')).filter(name => /^browser.*\.test\.js$/.test(name))
    for (const name of tests) fs.copyFileSync(path.join(pino, 'test', name), path.join(copy, 'test', name))
    expect(tests.length).toBeGreaterThan(10)
    const failed = tests.filter(
      name => spawnSync(process.execPath, [`test/${name}`], { cwd: copy, timeout: 60_000 }).status !== 0
    )
    expect(failed).toEqual([])
  })
})

describe("pino's own tests of its types", () => {
  const files = fs.readdirSync(path.join(pino, 'test', 'types'))

  /** The tests, about the module `name` instead of pino's file. */
  function copyTests(folder: string, name: string): void {
    fs.mkdirSync(path.join(home, folder), { recursive: true })
    for (const file of files) {
      const text = fs.readFileSync(path.join(pino, 'test', 'types', file), 'utf8')
      const ours = text.replaceAll("'../../pino.js'", `'${name}'`).replaceAll("'../../'", `'${name}'`)
      fs.writeFileSync(path.join(home, folder, file), ours)
    }
  }

  it('pass in its place', () => {
    copyTests('types', 'pino')
    fs.writeFileSync(path.join(home, 'tstyche.json'), JSON.stringify({ testFileMatch: ['types/*.tst.*'] }))
    const { status, stdout, stderr } = spawnSync(program(home, 'tstyche'), ['--quiet'], {
      cwd: home,
      encoding: 'utf8',
      timeout: 150_000
    })
    expect(status, stdout + stderr).toBe(0)
  })

  it('and the program among them runs', () => {
    const options = {
      module: 'commonjs',
      moduleResolution: 'node10',
      esModuleInterop: true,
      ignoreDeprecations: '6.0',
      strict: true,
      types: ['node'],
      skipLibCheck: true
    }
    const args = ['--skipProject', '--transpile-only', '-O', JSON.stringify(options), 'types/pino.ts']
    const lines = execFileSync(program(home, 'ts-node'), args, { cwd: home, encoding: 'utf8', timeout: 60_000 })
    expect(lines).toMatch(/test2/)
  })
})
