'use strict'

// Writes dist/index.mjs and dist/index.d.mts: the public names as named ESM exports beside the callable default. The names are
// those of lib/public.ts, so there is one list of them; a name that index.ts does not carry is an error.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')

const dist = path.join(root, 'dist')

const MODULE = names => `import shardlog from './index.js'

export default shardlog
export { shardlog, shardlog as pino }
export const {
${names.map(name => `  ${name}`).join(',\n')}
} = shardlog
`

const TYPES = `import shardlog from './index.js'

export default shardlog
export { shardlog, shardlog as pino }
export * from './public.js'
`

/** Names that are values: what a program can import. Types live in the declarations alone. */
function publicNames() {
  const carried = require(path.join(dist, 'index.js'))
  const names = Object.keys(require(path.join(dist, 'public.js'))).sort()
  const missing = names.filter(name => !(name in carried))
  if (missing.length > 0) throw new Error(`lib/index.ts lacks ${missing.join(', ')} of lib/public.ts`)
  return names
}

function main() {
  fs.writeFileSync(path.join(dist, 'index.mjs'), MODULE(publicNames()))
  fs.writeFileSync(path.join(dist, 'index.d.mts'), TYPES)
}

runMain(main)
