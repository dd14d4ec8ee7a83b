'use strict'

// Puts the modules that a start needs into one file, dist/start-pino.js, and what the first log
// needs into dist/first-log.js, since Node takes longer to find a file, read it and wrap it than to
// run what most of them hold. Each remains a function of its own, which runs when it is first asked
// for, once, and the module's own file passes on what it exports: whoever requires it, by whichever
// way, gets the same objects. Bundlers' plugins for pino (esbuild-plugin-pino) look for a file
// whose name ends with pino.js, and put their code in front of it.

const fs = require('node:fs')
const path = require('node:path')
const { buildSync } = require('esbuild')
const { root, runMain } = require('./run')
const { entries, soon, later, inPlace } = require('./start-modules')

const dist = path.join(root, 'dist')
const fileOf = name => path.join(dist, `${name}.js`)

/** What a merged file begins with; `other` is the second one. See lib/own-place.ts. */
const heading = other => `"use strict";
const own = require("./own-place.js").keepTogether(module, require, "start-pino.js");
let loaded; const other = () => (loaded || (loaded = own(() => ${requiring('.', other)})));
`

/** The text of a module that exports all modules of `names`, each run when it is first read. */
function exposing(names) {
  const getters = names.map(name => `  get ${JSON.stringify(name)}() { return require("./${name}.js") }`)
  return `module.exports = {\n${getters.join(',\n')}\n}\n`
}

/**
 * Text of a file that exposes the modules `names` and holds all they import but `apart`; the names
 * of all it holds.
 */
function bundled(names, apart) {
  const { metafile, outputFiles } = buildSync({
    stdin: { contents: exposing(names), resolveDir: dist, sourcefile: 'exposed' },
    outfile: fileOf('bundled'),
    absWorkingDir: dist,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    packages: 'external',
    external: apart.map(fileOf),
    write: false,
    metafile: true,
    logLevel: 'error'
  })
  const held = Object.keys(metafile.inputs).filter(name => name !== 'exposed')
  return { text: outputFiles[0].text, names: held.map(name => name.slice(0, -'.js'.length)).sort() }
}

/** A file that holds the modules `names` and what these import: all of it can be asked for. */
function merged(file, names, apart) {
  const held = bundled(names, apart).names
  held.forEach(checkPlace)
  return { file, names: held, text: bundled(held, apart).text }
}

/** @throws if the module looks for files from its own place */
function checkPlace(name) {
  if (!/\b__(?:dirname|filename)\b/.test(fs.readFileSync(fileOf(name), 'utf8'))) return
  throw new Error(`${name} asks where it lies: list it in start-modules.js as in place, or as later`)
}

/** How a module in `folder` requires `file`. */
function requiring(folder, file) {
  const to = path.posix.relative(folder, file)
  return `require("${to.startsWith('.') ? to : `./${to}`}.js")`
}

/** The text of the own file of a module that `file` holds. */
function passedOn(name, file) {
  // In two statements: of `module.exports = require(…)` Node reads all of the file in search of
  // names, when an ES module imports this.
  return `"use strict";\nconst held = ${requiring(path.posix.dirname(name), file)};\nmodule.exports = held["${name}"];\n`
}

function main() {
  const start = merged('start-pino', entries, [...soon, ...later, ...inPlace])
  const firstLog = merged('first-log', soon, [...start.names, ...later, ...inPlace])
  const homes = new Map([start, firstLog].flatMap(({ file, names }) => names.map(name => [name, file])))
  // From one file to the other without the module's own between them.
  const direct = (whole, name) => (homes.has(name) ? `other()["${name}"]` : `own(() => ${whole})`)
  for (const [{ file, text }, other] of [
    [start, firstLog],
    [firstLog, start]
  ]) {
    const body = text.replace(/\brequire\("\.\/([\w/-]+)\.js"\)/g, direct)
    fs.writeFileSync(fileOf(file), heading(other.file) + body)
  }
  for (const [name, file] of homes) fs.writeFileSync(fileOf(name), passedOn(name, file))
}

runMain(main)
