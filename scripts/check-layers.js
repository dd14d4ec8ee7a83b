'use strict'

// Dependencies point one way. In native/: napi -> engine -> record, format, io -> platform; Node's headers are for napi only. In lib/: the entries
// of the package -> cli, reader, pino with features -> record -> engine -> arena -> format -> what stands in lib/ itself.

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

/** Files of lib/ itself that every folder may import; the others there are entries, which may import all and are imported by none. */
const foundation = [
  'config',
  'errors',
  'nearest-name',
  'own-place',
  'path-like',
  'pretty',
  'shared-memory',
  'timers',
  'tools.js',
  'types',
  'version'
]

/** What each folder of lib/ may import besides itself and the foundation. */
const belowInLib = {
  format: [],
  arena: ['format'],
  engine: ['arena', 'format'],
  record: ['engine', 'format'],
  reader: ['record', 'engine', 'arena', 'format'],
  cli: ['reader', 'arena', 'format'],
  // Features build on a logger, and its options name them.
  pino: ['features', 'record', 'engine'],
  features: ['pino']
}

/** The one import of an entry: its types are added to. */
const exceptions = new Set(['lib/pino/log-fn-fields.ts ../index'])

/** The layer of a module of lib/, by its path from there. */
function layerOf(name) {
  const [folder] = name.split('/')
  if (name.includes('/')) return folder
  return foundation.includes(name) ? 'foundation' : 'entries'
}

/** Whether a module of `layer` may import one of `target`. */
function mayImport(layer, target) {
  if (layer === 'entries' || layer === target || target === 'foundation') return true
  return (belowInLib[layer] ?? []).includes(target)
}

const IMPORT = /(?:\bfrom|\bimport|= require\()\s*'(\.[^']*)'/g

function checkModule(file) {
  const text = fs.readFileSync(path.join(root, file), 'utf8')
  const layer = layerOf(path.posix.relative('lib', file.replace(/\.ts$/, '')))
  return [...text.matchAll(IMPORT)].flatMap(([, name]) => {
    const target = path.posix.relative('lib', path.posix.join(path.posix.dirname(file), name))
    // The package's own folder holds its name and version.
    if (target.startsWith('..') || exceptions.has(`${file} ${name}`)) return []
    const isFolder = fs.statSync(path.join(root, 'lib', target), { throwIfNoEntry: false })?.isDirectory()
    return mayImport(layer, layerOf(isFolder ? `${target}/index` : target)) ? [] : [`${file} may not import ${name}`]
  })
}

/** Sources of lib/, as paths from the repository's root. */
function modules() {
  const names = fs.readdirSync(path.join(root, 'lib'), { recursive: true })
  return names.filter(name => name.endsWith('.ts') && !name.endsWith('.d.ts')).map(name => path.posix.join('lib', name))
}

function main() {
  const native = layers.flatMap(layer => filesOf([layer], ['.cc', '.h']).flatMap(file => checkFile(layer, file)))
  const complaints = [...native, ...modules().flatMap(checkModule)]
  if (complaints.length) throw new Error(`\n${complaints.join('\n')}`)
  console.log('every include and import points downwards')
}

runMain(main)
