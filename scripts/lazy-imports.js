'use strict'

// What a start does not need is loaded when it is first used. The compiler writes an import as
//
//   const reader_1 = require("./reader");
//
// Where start-modules.js lists the module, this makes of it
//
//   let reader_1_loaded; const reader_1 = () => (reader_1_loaded || (reader_1_loaded =
//   require("./reader")));
//
// (bundlers' tracers read ES2020) on one line, so that line numbers stay, and a call of each use of
// `reader_1`. Tracers and bundlers see the literal as before. The sources keep plain imports.
//
// In Jest, which gives each module the variable `jest`, nothing is put off: after
// `jest.resetModules()` it would be loaded anew with all it imports, as another start's, whose
// errors and symbols are not those of the one that asks for it.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')
const { soon, later, packages } = require('./start-modules')

const dist = path.join(root, 'dist')
const lazy = new Set([...soon, ...later, ...packages])

/** What `name`, required by `file`, is called in the lists. */
function listedName(file, name) {
  if (!name.startsWith('.')) return name
  const target = path.posix.join(path.posix.dirname(file), name)
  return fs.existsSync(path.join(dist, `${target}.js`)) ? target : `${target}/index`
}

const IMPORT = /^(?:const|var) (\w+) = (?:(__import\w+)\()?require\("([^"]+)"\)\)?;$/gm

/**
 * The text with one import put off.
 *
 * @throws if the import is used in another way than as `variable.name`
 */
function withoutImport(file, text, [line, variable, helper, name]) {
  // A dot before it makes it another's property; three of them spread it.
  const used = `(?<![\\w$]|(?<!\\.\\.)\\.)${variable}\\b`
  if (new RegExp(`${used}(?!\\.)`).test(text.replace(line, ''))) throw new Error(`${file}: cannot put off ${line}`)
  const value = helper === undefined ? `require("${name}")` : `${helper}(require("${name}"))`
  return (
    text
      .replace(line, '\0')
      // `new f().Name()` would call f as the constructor.
      .replace(new RegExp(`\\bnew ${variable}((?:\\.\\w+)+)`, 'g'), `new (${variable}()$1)`)
      .replace(new RegExp(`${used}\\.`, 'g'), `${variable}().`)
      .replace(
        '\0',
        `let ${variable}_loaded; const ${variable} = () => (${variable}_loaded || (${variable}_loaded = ${value})); if (typeof jest === "object") ${variable}();`
      )
  )
}

/** Puts off what is listed, and adds its names to `found`. */
function putOff(file, text, found) {
  const matches = [...text.matchAll(IMPORT)].filter(([, , , name]) => lazy.has(listedName(file, name)))
  for (const [, , , name] of matches) found.add(listedName(file, name))
  return matches.reduce((changed, match) => withoutImport(file, changed, match), text)
}

function main() {
  const found = new Set()
  for (const file of fs.readdirSync(dist, { recursive: true })) {
    if (!file.endsWith('.js')) continue
    const to = path.join(dist, file)
    const text = fs.readFileSync(to, 'utf8')
    const changed = putOff(file.split(path.sep).join('/'), text, found)
    if (changed !== text) fs.writeFileSync(to, changed)
  }
  const stale = [...lazy].filter(name => !found.has(name))
  if (stale.length > 0) throw new Error(`start-modules.js lists what no module imports: ${stale.join(', ')}`)
}

runMain(main)
