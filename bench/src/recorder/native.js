'use strict'

const { execFile, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { promisify } = require('node:util')
const subject = require('../subject')

/**
 * The ring alone, in C++: see native/recorder/bench/ring_bench.cc, which is built when it is first
 * needed, or newer than its program.
 */
const run = promisify(execFile)
const native = () => path.join(subject.root(), 'native')
const build = () => path.join(subject.root(), 'build-native', 'bench')
const program = () => path.join(build(), 'recorder_bench')

/** Builds the program. Throws what went wrong. */
function buildRing() {
  const steps = [
    ['-S', native(), '-B', build(), '-DCMAKE_BUILD_TYPE=Release', '-DSHARDLOG_TESTS=OFF'],
    ['--build', build(), '--target', 'recorder_bench']
  ]
  for (const args of steps) {
    const { status, error, stderr } = spawnSync('cmake', args, { encoding: 'utf8' })
    if (error) throw new Error(`cannot build the ring's benchmark: ${error.message}`, { cause: error })
    if (status !== 0) throw new Error(`cannot build the ring's benchmark: cmake ${args.join(' ')}\n${stderr}`)
  }
  if (!fs.existsSync(program())) throw new Error(`cmake has not made ${program()}`)
}

/** What it has counted, as a line of the report, which it has to account for. */
async function runRing(args) {
  const { stdout } = await run(program(), args.map(String))
  const counted = JSON.parse(stdout)
  const { missing, torn } = counted
  if (missing !== 0 || torn !== 0) throw new Error(`${missing} events are missing, ${torn} are torn: ${args.join(' ')}`)
  return counted
}

module.exports = { buildRing, runRing }
