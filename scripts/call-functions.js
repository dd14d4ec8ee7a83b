'use strict'

// Which functions and files of the package a log call enters, by V8's precise coverage.
//
//   node scripts/call-functions.js        a table of the first call and of a warm one
//
// What V8 inlines counts too: the count is of the functions that a reader of the source meets.

const fs = require('node:fs')
const { Session } = require('node:inspector')
const os = require('node:os')
const path = require('node:path')
const { root } = require('./run')

const BUILT = path.join(root, 'dist') + path.sep
const WARM_CALLS = 10

/**
 * The functions that `call` enters, as `file name`, a name's path in the sources where a comment
 * tells it.
 */
function functionsOf(session, call) {
  let entered
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
  call()
  session.post('Profiler.takePreciseCoverage', (error, coverage) => {
    if (error) throw new Error(error.message)
    entered = coverage.result.filter(({ url }) => pathOf(url).startsWith(BUILT)).flatMap(enteredOf)
  })
  session.post('Profiler.stopPreciseCoverage')
  return entered
}

const pathOf = url => (url.startsWith('file:') ? require('node:url').fileURLToPath(url) : url)

function enteredOf({ url, functions }) {
  const file = pathOf(url)
  const text = fs.readFileSync(file, 'utf8')
  return functions
    .filter(({ ranges }) => ranges[0].count > 0)
    .map(({ functionName, ranges }) => ({
      file: sourceOf(text, ranges[0].startOffset) ?? path.relative(BUILT, file),
      name: functionName || '(a function without a name)'
    }))
}

/**
 * The module that a place in a file of several modules is from: each has a comment with its path in
 * front.
 */
function sourceOf(text, offset) {
  const before = text.slice(0, offset)
  return [...before.matchAll(/^ *\/\/ ((?:[\w-]+\/)*[\w-]+\.js)$/gm)].at(-1)?.[1]
}

/** The functions of the first call of a logger with four fields, and of one after some more. */
function countCalls() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-calls-'))
  const session = new Session()
  session.connect()
  try {
    const shardlog = require(root)
    const destination = shardlog.destination({ dest: path.join(folder, 'calls.ndjson'), format: 'ndjson' })
    const log = shardlog({}, destination)
    const call = () => log.info({ userId: 7, ip: '10.0.0.1', ok: true, ms: 1.5 }, 'user login')
    session.post('Profiler.enable')
    const first = functionsOf(session, call)
    for (let i = 0; i < WARM_CALLS; i++) call()
    const warm = functionsOf(session, call)
    destination.flushSync()
    destination.destroy()
    return { first, warm }
  } finally {
    session.disconnect()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

const filesOf = functions => [...new Set(functions.map(({ file }) => file))]

module.exports = { countCalls, filesOf }

if (require.main === module) {
  for (const [title, functions] of Object.entries(countCalls())) {
    console.log(`${title} call: ${functions.length} functions in ${filesOf(functions).length} files`)
    for (const { file, name } of functions) console.log(`  ${file}  ${name}`)
  }
}
