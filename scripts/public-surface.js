'use strict'

// Makes the public surface of the modules whose export is a function, for both module systems, of
// one list each: lib/public.ts and lib/pino/public.ts. Writes
//
//   index.d.ts    adds the listed names to the function's declarations (CommonJS: properties;
//                 `default` for those without esModuleInterop)
//   index.mjs     the ES module: the function as default, its properties as named exports
//   index.d.mts   its declarations
//
// and checks that what is imported is what the list says.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')

const dist = path.join(root, 'dist')

/** The modules: folder below lib and dist, name of the function, the names it has for itself. */
const modules = [
  { folder: '', main: 'shardlog', selves: ['shardlog', 'pino'] },
  { folder: 'pino', main: 'pino', selves: ['pino'] }
]

/** The name that `item` of an export clause is exported under. */
function exportedName(item) {
  const name = /^(?:type\s+)?(?:[\w$]+\s+as\s+)?([\w$]+)$/.exec(item)?.[1]
  if (name === undefined) throw new Error(`cannot read the export ${item}`)
  return name
}

/**
 * Names that the file exports. Its exports are clauses (`export { … }`), constants, functions and
 * types.
 */
function listedNames(file) {
  const text = fs.readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  const names = []
  for (const [whole, clause, declared] of text.matchAll(
    /^export (?:type )?(?:\{([^}]*)\}|(?:const |type |function )?([\w$]+)).*/gm
  )) {
    if (clause === undefined && !/^export (const|type|function) /.test(whole))
      throw new Error(`${file}: cannot read ${whole}`)
    const items =
      clause === undefined
        ? [declared]
        : clause
            .split(',')
            .map(item => item.trim())
            .filter(Boolean)
    names.push(...items.map(exportedName))
  }
  return [...new Set(names)].sort()
}

/** Names that are values: what a program can import. Types live in the declarations alone. */
function valueNames(carried) {
  return Object.keys(carried)
    .filter(name => name !== 'default')
    .sort()
}

function checkValues(folder, carried, names, selves) {
  const values = valueNames(carried)
  const listed = Object.keys(require(path.join(dist, folder, 'public.js')))
  const missing = listed.filter(name => !values.includes(name))
  const unlisted = values.filter(name => !names.includes(name) && !selves.includes(name))
  if (missing.length > 0) throw new Error(`the function of dist/${folder} lacks ${missing.join(', ')}`)
  if (unlisted.length > 0)
    throw new Error(`the function of dist/${folder} has ${unlisted.join(', ')}, which is not listed`)
}

const lines = names => names.map(name => `  ${name}`).join(',\n')

const moduleText = names => `import main from './index.js'

export default main
export const {
${lines(names)}
} = main
`

const moduleTypes = selves => `import main from './index.js'

export default main
export { ${selves.map(name => `main as ${name}`).join(', ')} }
export * from './public.js'
export * from '${selves.length > 1 ? './pino' : '.'}/log-fn-fields.js'
`

/** The function's declarations, as the compiler wrote them, with the names. */
function functionTypes(file, main, names, selves) {
  const end = `export = ${main};`
  const text = fs.readFileSync(file, 'utf8')
  if (!text.includes(end)) throw new Error(`${file} does not end with ${end}`)
  const own = [`${main} as default`, ...selves.map(name => (name === main ? name : `${main} as ${name}`))]
  const namespace = `declare namespace ${main} {\n  export {\n${lines([...names, ...own]).replace(/^/gm, '  ')}\n  }\n}\n`
  return `import {\n${lines(names)}\n} from './public';\n${text.replace(end, `${namespace}${end}`)}`
}

function writeSurface({ folder, main, selves }) {
  const to = path.join(dist, folder)
  const carried = require(path.join(to, 'index.js'))
  const names = listedNames(path.join(root, 'lib', folder, 'public.ts'))
  checkValues(folder, carried, names, selves)
  fs.writeFileSync(path.join(to, 'index.d.ts'), functionTypes(path.join(to, 'index.d.ts'), main, names, selves))
  fs.writeFileSync(path.join(to, 'index.mjs'), moduleText(valueNames(carried)))
  fs.writeFileSync(path.join(to, 'index.d.mts'), moduleTypes(selves))
}

/**
 * Types that were exported as types only can be given no other name by
 * `import Name = shardlog.Name`. In declarations there is nothing else to tell them from, so they
 * are exported plainly.
 */
function exportPlainly() {
  for (const name of fs.readdirSync(dist, { recursive: true })) {
    if (!name.endsWith('.d.ts')) continue
    const file = path.join(dist, name)
    const text = fs.readFileSync(file, 'utf8')
    const plain = text.replace(/^export type (?=[{*])/gm, 'export ')
    if (plain !== text) fs.writeFileSync(file, plain)
  }
}

/**
 * Lets programs say which fields log calls must or must not carry, by adding to the interface of
 * that name in either module: the types of the calls take what was added to both. The sources do
 * not, since these modules are above the types. It is a file of its own, which the ES modules'
 * declarations re-export whole: that is how additions to them reach it.
 */
function joinLogFnFields() {
  const types = path.join(dist, 'pino', 'types.d.ts')
  const text = fs.readFileSync(types, 'utf8')
  const own = /^export interface LogFnFields \{\s*\}$/m
  if (!own.test(text)) throw new Error(`${types} does not declare LogFnFields`)
  const imported = "import { LogFnFields } from './log-fn-fields';\nexport { LogFnFields };"
  fs.writeFileSync(types, text.replace(own, imported))
  const roots = modules.map(
    ({ folder }, i) => `import { LogFnFields as Fields${i} } from '../${folder && `${folder}/`}index';\n`
  )
  const joined = `export interface LogFnFields extends ${modules.map((_, i) => `Fields${i}`).join(', ')} {}\n`
  fs.writeFileSync(path.join(dist, 'pino', 'log-fn-fields.d.ts'), roots.join('') + joined)
}

runMain(() => {
  modules.forEach(writeSurface)
  joinLogFnFields()
  exportPlainly()
})
