'use strict'

// `npm pack` and `npm publish` start with this: a tarball without the compiled parts must not come
// to be.

const fs = require('node:fs')
const path = require('node:path')
const { root, run, runMain } = require('./run')

const compiled = [
  'dist/index.js',
  'dist/index.mjs',
  'dist/index.d.ts',
  'dist/index.d.mts',
  'dist/cli/main.js',
  'prebuilds/linux-x64/shardlog.glibc.node',
  'prebuilds/linux-x64/shardlog.musl.node',
  'prebuilds/linux-arm64/shardlog.glibc.node',
  'prebuilds/linux-arm64/shardlog.musl.node'
]

function main() {
  run(process.execPath, ['scripts/build-ts.js'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const missing = compiled.filter(file => !fs.existsSync(path.join(root, file)))
  if (missing.length) throw new Error(`${missing.join(', ')} missing; run npm run prebuilds`)
}

runMain(main)
