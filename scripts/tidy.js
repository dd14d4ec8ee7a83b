'use strict'

// clang-tidy over the addon's sources, as many at a time as there are cores.

const { spawn } = require('node:child_process')
const os = require('node:os')
const path = require('node:path')
const sources = require('./native-sources')
const { nodeDirectory } = require('./node-headers')
const { root } = require('./run')
const { tool } = require('./tools')

const program = tool('clang-tidy')
const nodeHeaders = path.join(nodeDirectory() ?? '/usr', 'include', 'node')
const flags = [
  '-std=c++20',
  '-Inative',
  '-Iinclude',
  '-isystem',
  require('node-addon-api').include_dir,
  '-isystem',
  nodeHeaders
]
const defines = ['-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS']

/** Resolves to whether the file is clean; what is not is printed. */
function tidy(file) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['--quiet', file, '--', ...flags, ...defines], { cwd: root })
    const printed = []
    child.stdout.on('data', chunk => printed.push(chunk))
    child.stderr.on('data', chunk => printed.push(chunk))
    child.on('error', reject)
    child.on('close', status => {
      if (status !== 0) console.log(Buffer.concat(printed).toString())
      resolve(status === 0)
    })
  })
}

async function main() {
  const queue = [...sources]
  let clean = true
  const worker = async () => {
    for (let file = queue.shift(); file; file = queue.shift()) clean = (await tidy(file)) && clean
  }
  await Promise.all(Array.from({ length: os.availableParallelism() }, worker))
  if (!clean) process.exitCode = 1
}

main().catch(error => {
  console.error(`tidy.js: ${error.message}`)
  process.exitCode = 1
})
