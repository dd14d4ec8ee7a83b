'use strict'

// Builds and runs the C++ tests twice: with AddressSanitizer and UndefinedBehaviorSanitizer, and with ThreadSanitizer.
//
//   node scripts/test-native.js [asan] [tsan]     results as JUnit XML in build-native/<name>/junit.xml

const path = require('node:path')
const { root, run, runBin, runMain } = require('./run')

const builds = {
  asan: {
    sanitize: 'address,undefined',
    env: { ASAN_OPTIONS: 'detect_leaks=1:strict_string_checks=1', UBSAN_OPTIONS: 'print_stacktrace=1' }
  },
  tsan: { sanitize: 'thread', env: { TSAN_OPTIONS: 'second_deadlock_stack=1' } }
}

/** Longest time of one test, in seconds. */
const TIMEOUT = 120

function testBuild(name) {
  const { sanitize, env } = builds[name]
  const out = path.join(root, 'build-native', name)
  const compiler = process.env.CXX ?? 'clang++-14'
  // Optimised, so that the races a user could meet are the ones that are looked for.
  const define = [`SHARDLOG_SANITIZE=${sanitize}`, `CMAKE_CXX_COMPILER=${compiler}`]
  const flags = define.map(definition => `--CD${definition}`)
  runBin('cmake-js', 'cmake-js', ['build', '-d', 'native', '-O', out, '-G', 'Ninja', '-B', 'RelWithDebInfo', ...flags])
  const report = ['--output-junit', path.join(out, 'junit.xml')]
  run(
    'ctest',
    ['--test-dir', out, '--output-on-failure', '--no-tests=error', '--timeout', String(TIMEOUT), ...report],
    {
      env: { ...process.env, ...env }
    }
  )
}

function main() {
  const names = process.argv.slice(2)
  for (const name of names.length ? names : Object.keys(builds)) {
    if (!builds[name]) throw new Error(`unknown build ${name}; known are ${Object.keys(builds).join(', ')}`)
    testBuild(name)
  }
}

runMain(main)
