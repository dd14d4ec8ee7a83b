'use strict'

// Puts every file into the form that `npm run check` asks for.

const { run, runBin, runMain } = require('./run')
const { layers, filesOf } = require('./native-sources')

function main() {
  runBin('@biomejs/biome', 'biome', ['check', '--write', '.'])
  run(process.env.CLANG_FORMAT ?? 'clang-format-14', ['-i', ...filesOf([...layers, 'test', 'fuzz'], ['.cc', '.h'])])
}

runMain(main)
