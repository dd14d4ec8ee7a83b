'use strict'

const fs = require('node:fs')
const path = require('node:path')

/** The folder of the build to measure: what `--subject` named, else the package around this folder. */
const root = () => process.env.SHARDLOG_BENCH_SUBJECT ?? path.join(__dirname, '..', '..')

/** The package under test, as a user's `require` finds it. */
const load = () => require(root())

/** The program `shardlog`. */
const cli = () => path.join(root(), 'dist', 'cli', 'main.js')

/** Why it cannot be measured, or null. */
function missing() {
  return fs.existsSync(path.join(root(), 'dist', 'index.js'))
    ? null
    : `shardlog is not built in ${root()}; run: npm run build`
}

/** Opens a Logger on `file`; whatever goes wrong with a flush must end the measurement. */
function open(file, config = {}) {
  const { Logger } = load()
  return new Logger({
    logFilePath: file,
    onError: error => {
      throw error
    },
    ...config
  })
}

/** What the engine says is in force: a figure without it means little. */
function inForce(stats) {
  const { engine, crashSafe, directIO, directIOReason, ioAlignment } = stats
  return { engine, crashSafe, directIO, directIOReason, ioAlignment }
}

module.exports = { load, open, missing, inForce, cli }
