'use strict'

// Compiles lib/ into dist/, puts what a start needs into one file, and writes beside it the public
// surface of both module systems and the modules at pino's paths.

const fs = require('node:fs')
const path = require('node:path')
const { root, run, runBin, runMain } = require('./run')

function main() {
  fs.rmSync(path.join(root, 'dist'), { recursive: true, force: true })
  runBin('typescript', 'tsc', ['-p', 'tsconfig.json'])
  run(process.execPath, ['scripts/lazy-imports.js'])
  run(process.execPath, ['scripts/merge-modules.js'])
  run(process.execPath, ['scripts/public-surface.js'])
  run(process.execPath, ['scripts/pino-paths.js'])
  const cli = path.join(root, 'dist', 'cli', 'main.js')
  if (fs.existsSync(cli)) fs.chmodSync(cli, 0o755)
}

runMain(main)
