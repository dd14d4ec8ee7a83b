'use strict'

// Builds and runs the C++ tests: with AddressSanitizer and UndefinedBehaviorSanitizer, with
// ThreadSanitizer, or as they are.
//
//   node scripts/test-native.js [asan] [tsan] [clang] [gcc] [-R NAME]
//
// Without names: asan and tsan. -R runs the tests whose names contain NAME (a regular expression)
// alone. Results as JUnit XML in build-native/<name>/junit.xml.

const path = require('node:path')
const { root, run, runBin, runMain } = require('./run')
const { tool } = require('./tools')

const builds = {
  asan: {
    compiler: 'clang++',
    sanitize: 'address,undefined',
    env: { ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1', UBSAN_OPTIONS: 'print_stacktrace=1' }
  },
  tsan: { compiler: 'clang++', sanitize: 'thread', env: { TSAN_OPTIONS: 'second_deadlock_stack=1' } },
  clang: { compiler: 'clang++', sanitize: '', env: {} },
  gcc: { compiler: 'g++', sanitize: '', env: {} }
}

/** Longest time of one test, in seconds. */
const TIMEOUT = 120

function testBuild(name, only) {
  const { compiler, sanitize, env } = builds[name]
  const out = path.join(root, 'build-native', name)
  // Optimised, so that the races a user could meet are the ones that are looked for.
  const define = [`SHARDLOG_SANITIZE=${sanitize}`, `CMAKE_CXX_COMPILER=${tool(compiler)}`]
  const flags = define.map(definition => `--CD${definition}`)
  runBin('cmake-js', 'cmake-js', ['build', '-d', 'native', '-O', out, '-G', 'Ninja', '-B', 'RelWithDebInfo', ...flags])
  const report = ['--output-junit', path.join(out, 'junit.xml')]
  const chosen = only === undefined ? [] : ['-R', only]
  run(
    'ctest',
    ['--test-dir', out, '--output-on-failure', '--no-tests=error', '--timeout', String(TIMEOUT), ...report, ...chosen],
    {
      env: { ...process.env, ...env }
    }
  )
}

/** The builds that are named, and the tests that -R chooses. */
function parse(args) {
  const at = args.indexOf('-R')
  if (at < 0) return { names: args }
  if (args[at + 1] === undefined) throw new Error('-R needs the name of a test, or a part of it')
  return { names: args.toSpliced(at, 2), only: args[at + 1] }
}

function main() {
  const { names, only } = parse(process.argv.slice(2))
  for (const name of names.length ? names : ['asan', 'tsan']) {
    if (!Object.hasOwn(builds, name)) {
      throw new Error(`unknown build ${name}; known are ${Object.keys(builds).join(', ')}`)
    }
    testBuild(name, only)
  }
}

runMain(main)
