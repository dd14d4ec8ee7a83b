'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { nodeDirectory } = require('../../scripts/node-headers')

const BENCH = path.join(__dirname, '..')
const FLOOR = path.join(BENCH, 'floor')
const ADDON = path.join(FLOOR, 'build', 'Release', 'floor.node')

function run(command, args, options) {
  const result = spawnSync(command, args, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', ...options })
  if (result.error) throw new Error(`cannot run ${command}: ${result.error.message}`, { cause: result.error })
  if (result.status !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${result.status ?? result.signal}\n${result.stderr}`)
  }
}

/** Milliseconds since the epoch when a file last changed; 0 if it does not exist. */
function modified(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}

/** Builds the addon with the floors, if it is not there or older than its source. */
function buildFloor() {
  const sources = fs.readdirSync(FLOOR).filter(name => /\.(cc|h|gyp)$/.test(name))
  const newest = Math.max(...sources.map(name => modified(path.join(FLOOR, name))))
  if (modified(ADDON) > newest) return
  console.log('bench: building the floor addon')
  const gyp = path.join(BENCH, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js')
  const headers = nodeDirectory()
  run(process.execPath, [gyp, 'rebuild', ...(headers ? [`--nodedir=${headers}`] : [])], { cwd: FLOOR })
}

module.exports = { buildFloor }
