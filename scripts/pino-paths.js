'use strict'

// Writes, beside dist/index.js, the modules that other packages import from pino by their paths, or
// that bundlers' plugins for pino look for beside its main module. Each passes on a part of ours.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')

const dist = path.join(root, 'dist')

/**
 * Path below dist, the module of ours, and the export of it that is meant; null for the module
 * itself.
 */
const paths = [
  ['file.js', 'pino/destination.js', 'fileTransport'],
  ['lib/caller.js', 'pino/transport.js', 'callers'],
  ['lib/constants.js', 'pino-paths.js', 'constants'],
  ['lib/levels.js', 'pino-paths.js', 'levels'],
  ['lib/meta.js', 'pino-paths.js', 'meta'],
  ['lib/multistream.js', 'pino/public.js', 'multistream'],
  ['lib/proto.js', 'pino-paths.js', 'proto'],
  ['lib/redaction.js', 'pino-paths.js', 'redaction'],
  ['lib/symbols.js', 'pino/public.js', 'symbols'],
  ['lib/time.js', 'pino/json-line.js', 'stdTimeFunctions'],
  ['lib/tools.js', 'pino-paths.js', 'tools'],
  ['lib/transport.js', 'pino/public.js', 'transport'],
  ['lib/transport-stream.js', 'pino/transport-worker.js', 'loadTarget'],
  ['lib/worker.js', 'pino/transport-worker.js', null],
  // Where transport.ts finds the module for a transport's thread.
  ['pino/file.js', 'pino/destination.js', 'fileTransport']
]

/**
 * Says that this package is installed under the name `pino`: a type asks for `pino/in-its-place`,
 * which pino has not.
 */
const IN_ITS_PLACE = 'pino/in-its-place'

const bin = `#!/usr/bin/env node
'use strict'

console.error('The command pino has been replaced by pino-pretty; shardlog cat --pretty prints files.')
process.exit(1)
`

function write(file, text) {
  const to = path.join(dist, file)
  fs.mkdirSync(path.dirname(to), { recursive: true })
  fs.writeFileSync(to, text)
}

/**
 * In a form that ES modules see the name of, and that reads it when it is asked for: loggers note
 * which of their symbols are known.
 */
const passedOn = name =>
  `Object.defineProperty(exports, '${name}', { enumerable: true, get: function () { return part.${name} } })\n`

function moduleText(from, name, value) {
  const required = `require('${from}')${name === null ? '' : `.${name}`}`
  if (typeof value === 'function') return `'use strict'\n\nmodule.exports = ${required}\n`
  const names = Object.keys(value)
  return `'use strict'\n\nconst part = ${required}\n\n${names.map(passedOn).join('')}`
}

function typesText(from, name) {
  const type = `typeof import('${from}')`
  return `declare const part: ${name === null ? type : `${type}.${name}`}\nexport = part\n`
}

function writePath([file, source, name]) {
  const ours = require(path.join(dist, source))
  const from = path.posix.relative(path.posix.dirname(file), source)
  const relative = from.startsWith('.') ? from : `./${from}`
  write(file, moduleText(relative, name, name === null ? ours : ours[name]))
  write(file.replace(/\.js$/, '.d.ts'), typesText(relative, name))
}

/**
 * Names the properties of a module that is a function, in a form that is never run, so that ES
 * modules can import them.
 */
function nameExports(file) {
  const names = Object.keys(require(path.join(dist, file))).filter(name => name !== 'default')
  fs.appendFileSync(path.join(dist, file), `0 && (module.exports = { ${names.join(', ')} })\n`)
}

runMain(() => {
  paths.forEach(writePath)
  write(`${IN_ITS_PLACE}.js`, "'use strict'\n\nexports.inItsPlace = true\n")
  write(`${IN_ITS_PLACE}.d.ts`, 'export declare const inItsPlace = true\n')
  write('bin.js', bin)
  write('bin.d.ts', 'export {}\n')
  nameExports('browser.js')
})
