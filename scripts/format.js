'use strict'

// Puts every file into the form that `npm run check` asks for. With --check, tells of the C++ files
// that are not in it.

const { run, runBin, runMain } = require('./run')
const { layers, filesOf } = require('./native-sources')
const { tool } = require('./tools')

function main() {
  const header = 'include/shardlog/recorder.h'
  const cpp = [header, ...filesOf([...layers, 'test', 'fuzz'], ['.cc', '.h'])]
  if (process.argv.includes('--check')) {
    run(tool('clang-format'), ['--dry-run', '-Werror', ...cpp])
    return
  }
  runBin('@biomejs/biome', 'biome', ['check', '--write', '.'])
  run(tool('clang-format'), ['-i', ...cpp])
}

runMain(main)
