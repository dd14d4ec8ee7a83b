'use strict'

// Writes the ES modules beside the CommonJS ones whose export is a function: the function as default, its properties as named
// exports. A name of lib/public.ts that index.ts does not carry is an error.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')

const dist = path.join(root, 'dist')

const moduleText = names => `import main from './index.js'

export default main
export const {
${names.map(name => `  ${name}`).join(',\n')}
} = main
`

/** Declarations: the function under its names, and everything of these files. */
const typesText = (aliases, files) => `import main from './index.js'

export default main
export { ${aliases.map(name => `main as ${name}`).join(', ')} }
${files.map(file => `export * from '${file}'`).join('\n')}
`

/** Names that are values: what a program can import. Types live in the declarations alone. */
function namesOf(carried) {
  return Object.keys(carried)
    .filter(name => name !== 'default')
    .sort()
}

function checkPublicNames(carried) {
  const names = Object.keys(require(path.join(dist, 'public.js')))
  const missing = names.filter(name => !(name in carried))
  if (missing.length > 0) throw new Error(`lib/index.ts lacks ${missing.join(', ')} of lib/public.ts`)
}

function writeFacade(folder, types) {
  const carried = require(path.join(folder, 'index.js'))
  fs.writeFileSync(path.join(folder, 'index.mjs'), moduleText(namesOf(carried)))
  fs.writeFileSync(path.join(folder, 'index.d.mts'), types)
}

function main() {
  checkPublicNames(require(path.join(dist, 'index.js')))
  writeFacade(dist, typesText(['shardlog', 'pino'], ['./public.js', './pino/log-fn-fields.js']))
  writeFacade(path.join(dist, 'pino'), typesText(['pino'], ['./statics.js', './types.js', './log-fn-fields.js']))
}

runMain(main)
