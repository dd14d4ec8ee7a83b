'use strict'

// Runs the test suite of pino, as its npm package carries it, against this package: only what its
// tests require as pino itself is replaced.
//
//   node test/pino/suite.js [--target pino] [--sinks sync|async [--engine js]] [--json FILE]
//   [--only TEXT] [--verbose]
//
// --target pino runs pino's tests against pino, to tell which of them it fails itself on this Node.
// --sinks puts a destination with a format before each JavaScript stream that they log to, with the
// native engine or that of --engine.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { run } = require('node:test')
const { transformSync } = require('esbuild')

const root = path.join(__dirname, '..', '..')
const pinoRoot = path.dirname(require.resolve('pino/package.json'))

/** Longest run of one test file, in ms. */
const FILE_TIMEOUT = 120_000

/** Tests of what pino does in browsers. */
const isForBrowsers = name => name.startsWith('browser')
const isTest = name => /\.test\.m?js$/.test(name)

/**
 * The files to run, relative to pino's root. What lies in internals/, jest/ and types/ tests no
 * public call.
 */
function testFiles(only) {
  const folders = ['test', 'test/transport', 'test/esm']
  const files = folders.flatMap(folder =>
    fs
      .readdirSync(path.join(pinoRoot, folder))
      .filter(name => isTest(name) && !isForBrowsers(name))
      .map(name => `${folder}/${name}`)
  )
  return files.filter(file => file.includes(only))
}

/**
 * node_modules for the copy: a real folder, since tests put packages into it, with links to ours.
 */
function linkModules(copy) {
  const from = path.join(root, 'node_modules')
  const to = path.join(copy, 'node_modules')
  fs.mkdirSync(to)
  for (const name of fs.readdirSync(from)) {
    if (name.startsWith('.') || name === 'pino') continue
    fs.symlinkSync(path.join(from, name), path.join(to, name))
  }
}

/** The transport in TypeScript that one test loads in its compiled form. */
function compileFixture(copy) {
  const source = path.join(copy, 'test', 'fixtures', 'ts', 'to-file-transport.ts')
  const { code } = transformSync(fs.readFileSync(source, 'utf8'), { loader: 'ts', format: 'cjs', target: 'es2017' })
  fs.writeFileSync(source.replace(/\.ts$/, '.es2017.cjs'), code)
}

/**
 * A copy of this package as it is built now: a build that runs meanwhile does not disturb the
 * tests.
 */
function copyPackage(copy) {
  const to = path.join(copy, 'shardlog')
  fs.mkdirSync(to)
  for (const name of ['dist', 'lib/tools.js', 'package.json'])
    fs.cpSync(path.join(root, name), path.join(to, name), { recursive: true })
  for (const name of ['build', 'prebuilds']) fs.symlinkSync(path.join(root, name), path.join(to, name))
  return to
}

/** Puts this package in the place of pino. */
function replacePino(copy, sinks, engine) {
  const own = copyPackage(copy)
  const detour = JSON.stringify(path.join(__dirname, 'native-sinks.js'))
  const manifest = JSON.parse(fs.readFileSync(path.join(copy, 'package.json'), 'utf8'))
  const { version } = require(path.join(root, 'package.json'))
  fs.writeFileSync(path.join(copy, 'package.json'), JSON.stringify({ ...manifest, version }))
  // Written one by one, names can be imported from this file as they can from our own ES module.
  const names = Object.keys(require(own)).map(name => `module.exports.${name} = shardlog.${name}\n`)
  const required = `require(${JSON.stringify(own)})`
  const exported = sinks ? `require(${detour})(${required}, '${sinks}', '${engine}')` : required
  const source = `const shardlog = ${exported}\nmodule.exports = shardlog\n${names.join('')}`
  fs.writeFileSync(path.join(copy, 'pino.js'), source)
}

/** Fills the empty folder `copy` with pino's package and its tests. */
function prepare(copy, target, sinks, engine) {
  fs.cpSync(pinoRoot, copy, { recursive: true })
  linkModules(copy)
  compileFixture(copy)
  if (target !== 'pino') replacePino(copy, sinks, engine)
}

function record(results, kind, copy, event) {
  if (event.details?.type === 'suite') return
  const file = path.relative(copy, event.file ?? '')
  const cause = event.details?.error?.cause ?? event.details?.error
  // A file that ran to its end is reported as a test of its own.
  if (kind === 'passed' && event.name === event.file) return
  results.push({
    kind: event.skip === undefined ? kind : 'skipped',
    file,
    name: event.name,
    message: cause?.stack ?? cause?.message
  })
}

/** Runs the files and gives one entry `{ kind, file, name, message }` for each test. */
async function runFiles(copy, files) {
  process.chdir(copy)
  // The tests of eight million lines are not run where CI is set.
  process.env.CI = '1'
  const results = []
  const stream = run({ files: files.map(file => path.join(copy, file)), concurrency: 2, timeout: FILE_TIMEOUT })
  stream.on('test:pass', event => record(results, 'passed', copy, event))
  stream.on('test:fail', event => record(results, 'failed', copy, event))
  for await (const event of stream) void event
  return results
}

/**
 * Runs the suite.
 *
 * @param target 'shardlog', or 'pino' for pino itself
 * @param sinks 'sync' or 'async' for a destination with a format before each JavaScript stream
 * @param engine that of those destinations
 * @param only text that a file's path must contain
 */
async function runSuite(target = 'shardlog', sinks = undefined, only = '', engine = 'native') {
  const copy = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-pino-')))
  const before = process.cwd()
  try {
    prepare(copy, target, sinks, engine)
    return await runFiles(copy, testFiles(only))
  } finally {
    process.chdir(before)
    fs.rmSync(copy, { recursive: true, force: true })
  }
}

function option(name) {
  const at = process.argv.indexOf(name)
  return at < 0 ? undefined : process.argv[at + 1]
}

async function main() {
  const results = await runSuite(option('--target'), option('--sinks'), option('--only'), option('--engine'))
  const of = kind => results.filter(result => result.kind === kind)
  for (const { file, name, message } of of('failed')) {
    console.log(`FAILED ${file}: ${name}`)
    if (process.argv.includes('--verbose')) console.log(message)
  }
  const json = option('--json')
  if (json) fs.writeFileSync(json, JSON.stringify(results))
  console.log(`${of('passed').length} passed, ${of('failed').length} failed, ${of('skipped').length} skipped`)
}

if (require.main === module) main()

module.exports = { runSuite }
