'use strict'

// Dependencies in native/ point one way: napi -> engine -> record, format, io -> platform. Node's headers are for napi only.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')
const { layers, filesOf } = require('./native-sources')

/**
 * What each layer may include, besides itself and system headers. format and io stand side by side; io may look at
 * format's constants (files are aligned to the format's sectors), format knows nothing of files.
 */
const below = {
  platform: [],
  format: ['platform'],
  io: ['format', 'platform'],
  record: ['format', 'platform'],
  engine: ['record', 'format', 'io', 'platform'],
  napi: ['engine', 'record', 'format', 'io', 'platform']
}

const nodeHeaders = /^(node|node_api|js_native_api|napi|napi-inl|uv|v8)\b.*\.h$/

/** Complaints about one #include of a file in `layer`; `quoted` tells "x" from <x>. */
function checkInclude(layer, name, quoted) {
  if (nodeHeaders.test(name) && layer !== 'napi') return `only native/napi may include ${name}`
  if (!quoted || !name.includes('/')) return quoted && layer !== 'napi' ? `write the path from native/: ${name}` : null
  const target = name.split('/')[0]
  if (target === layer || below[layer].includes(target)) return null
  return `native/${layer} may not include ${name}`
}

function checkFile(layer, file) {
  const lines = fs.readFileSync(path.join(root, file), 'utf8').split('\n')
  return lines.flatMap((line, index) => {
    const include = /^\s*#\s*include\s*([<"])([^>"]+)/.exec(line)
    const complaint = include && checkInclude(layer, include[2], include[1] === '"')
    return complaint ? [`${file}:${index + 1}: ${complaint}`] : []
  })
}

function main() {
  const complaints = layers.flatMap(layer => filesOf([layer], ['.cc', '.h']).flatMap(file => checkFile(layer, file)))
  if (complaints.length) throw new Error(`\n${complaints.join('\n')}`)
  console.log('every include points downwards')
}

runMain(main)
