'use strict'

// Dependencies point one way: what each part of native/ and lib/ may include or import, besides
// itself, is in layers.json. No file of lib/ imports itself by way of others, for types either. In
// native/, Node's headers are for napi only. In lib/, `foundation` is what stands in lib/ itself,
// and `entries` are the modules that assemble the package, which nothing imports.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')
const { layers, filesOf } = require('./native-sources')
const { native: below, lib, entries } = require('./layers.json')

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

/** Paths from lib/ of the files in it, declarations included. */
function modules() {
  const names = fs.readdirSync(path.join(root, 'lib'), { recursive: true })
  return names.filter(name => /\.[jt]s$/.test(name)).map(name => name.split(path.sep).join('/'))
}

/** Names of modules, as imports have them: without what a source's name ends with. */
const moduleOf = file => file.replace(/(?:\.d)?\.ts$|\.js$/, '')

/** The layer of a module of lib/, by its path from there. */
function layerOf(name) {
  if (entries.includes(name)) return 'entries'
  return name.includes('/') ? name.split('/')[0] : 'foundation'
}

const IMPORT = /(?:\bfrom|\bimport|\bimport\(|\brequire\(|\bdeclare module)\s*'(\.[^']*)'/g

/**
 * Modules of lib/ that a file there imports, types too. What is outside of lib/ is the package's
 * own name and version.
 */
function importsOf(file, known) {
  const text = fs.readFileSync(path.join(root, 'lib', file), 'utf8')
  const names = [...text.matchAll(IMPORT)].map(([, name]) =>
    path.posix.relative('lib', path.posix.join('lib', path.posix.dirname(file), name)).replace(/\.js$/, '')
  )
  const found = names.filter(name => !name.startsWith('..')).map(name => (known.has(name) ? name : `${name}/index`))
  return [...new Set(found)]
}

/** What each module of lib/ imports. */
function importGraph() {
  const files = modules()
  const known = new Set(files.map(moduleOf))
  const graph = new Map([...known].map(name => [name, []]))
  for (const file of files) graph.get(moduleOf(file)).push(...importsOf(file, known))
  return graph
}

function checkModule([name, imported]) {
  const layer = layerOf(name)
  const allowed = [layer, ...(lib[layer] ?? [])]
  return imported
    .filter(target => !allowed.includes(layerOf(target)))
    .map(target => `lib/${name} may not import lib/${target}`)
}

/** Complaints about circles of `graph`: one for each import that closes one. */
function circles(graph) {
  const done = new Set()
  const way = []
  const found = []
  const walk = name => {
    if (way.includes(name)) found.push(`a circle of imports: ${[...way.slice(way.indexOf(name)), name].join(' -> ')}`)
    if (way.includes(name) || done.has(name)) return
    way.push(name)
    for (const target of graph.get(name) ?? []) walk(target)
    way.pop()
    done.add(name)
  }
  for (const name of graph.keys()) walk(name)
  return found
}

function main() {
  const native = layers.flatMap(layer => filesOf([layer], ['.cc', '.h']).flatMap(file => checkFile(layer, file)))
  const graph = importGraph()
  const complaints = [
    ...native,
    ...[...graph].flatMap(checkModule),
    ...circles(graph),
    ...[below, lib].flatMap(table => circles(new Map(Object.entries(table))))
  ]
  if (complaints.length) throw new Error(`\n${complaints.join('\n')}`)
  console.log('every include and import points downwards, and no circle of imports is left')
}

runMain(main)
