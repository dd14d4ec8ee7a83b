'use strict'

const fs = require('node:fs')
const path = require('node:path')
const { closed, flushed } = require('./destinations')

/**
 * The folder of the build to measure: what `--subject` named, else the package around this folder.
 */
const root = () => process.env.SHARDLOG_BENCH_SUBJECT ?? path.join(__dirname, '..', '..')

/** The package under test, as a user's `require` finds it. */
const load = () => require(root())

/** The program `shardlog`. */
const cli = () => path.join(root(), 'dist', 'cli', 'main.js')

/** The program that measures the renderer of records; not part of the package's build. */
const renderer = () => path.join(root(), 'build-native', 'bench', 'record_bench')

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

/**
 * Opens a structured logger on a destination that records.
 * @param {object} config of the destination, with its format
 * @param {object} options of the logger
 */
function openRecords(file, config, options = {}) {
  const shardlog = load()
  const destination = shardlog.destination({
    dest: file,
    onError: error => {
      throw error
    },
    ...config
  })
  return {
    target: shardlog(options, destination),
    flush: () => flushed(destination),
    close: () => closed(destination),
    stats: () => destination.getStatsSnapshot()
  }
}

/** What the engine says is in force: a figure without it means little. */
function inForce(stats) {
  const { engine, crashSafe, directIO, directIOReason, ioAlignment } = stats
  return { engine, crashSafe, directIO, directIOReason, ioAlignment }
}

module.exports = { root, load, open, openRecords, missing, inForce, cli, renderer }
