'use strict'

// Compiles what has changed of the addon into build/Release with node-gyp. Arguments are handed on:
// `--debug`.

const { runBin, runMain } = require('./run')
const { nodeDirectory } = require('./node-headers')

function main() {
  if (process.platform !== 'linux') {
    console.log('The native engine needs Linux; the JavaScript engine is used here. Nothing to compile.')
    return
  }
  const directory = nodeDirectory()
  const where = directory ? [`--nodedir=${directory}`] : []
  runBin('node-gyp', 'node-gyp', ['configure', 'build', '--jobs=max', ...where, ...process.argv.slice(2)])
}

runMain(main)
