/**
 * Where this package's files lie, which version it is, and which of its modules belong together.
 *
 * In a bundle the files lie nowhere: a bundle of CommonJS has the names of its own file in
 * `__dirname` and `__filename`, one of ES modules has no such names, and webpack puts others in
 * their place.
 */

import path = require('node:path')

const here = typeof __filename === 'string' ? __filename : ''

// Required rather than imported: package.json lies outside rootDir, and this form bundlers follow
// too.
const manifest = require('../package.json') as { version: string }

/** Version of this package. */
export const version: string = manifest.version

/** The folder of the package's compiled files, with a separator at its end; null in a bundle. */
export const ownFolder: string | null = /^own-place\.[jt]s$/.test(path.basename(here))
  ? path.dirname(here) + path.sep
  : null

/**
 * The file from which what is installed beside this package is looked up; in a bundle of ES modules
 * from where the program is.
 */
export const ownFile: string = path.isAbsolute(here)
  ? here
  : path.resolve(process.argv[1] ?? path.join('.', 'program.js'))

// What a start puts off belongs to it. Tests and tools that load programs anew empty
// `require.cache`; what an earlier start asks for after that would be loaded with another start,
// whose symbols and errors are not its own.

type Modules = Map<string, NodeModule>
type Start = NodeModule & { [KEPT]?: Modules }
type Cache = Record<string, Start | undefined>

const KEPT: unique symbol = Symbol('shardlog.modules')

/** Adds what a module has loaded of `folder`, and what that has, to `kept`. */
function note(module: NodeModule, folder: string, kept: Modules): void {
  for (const child of module.children) {
    if (!child.filename.startsWith(folder) || kept.get(child.filename) === child) continue
    kept.set(child.filename, child)
    note(child, folder, kept)
  }
}

/** Takes what the cache has of `folder` out of it. */
function takeOut(cache: Cache, folder: string): Modules {
  const taken: Modules = new Map()
  for (const file of Object.keys(cache)) {
    if (!file.startsWith(folder)) continue
    taken.set(file, cache[file]!)
    delete cache[file]
  }
  return taken
}

function putBack(cache: Cache, modules: Modules): void {
  for (const [file, module] of modules) cache[file] = module
}

/** Whether Node's loader is at work here: bundles have none, or one of their own. */
const isKnown = (module: NodeModule, cache: Cache | undefined): cache is Cache =>
  Array.isArray(module.children) && cache?.[module.filename] === module

/**
 * For a file of the package that puts modules off: calls `load`, and what that requires are modules
 * of the same start.
 *
 * @param module the file's own
 * @param start the file that begins a start, from the package's folder
 */
export function keepTogether(module: Start, require: NodeJS.Require, start: string): <Made>(load: () => Made) => Made {
  const cache = require.cache as Cache | undefined
  if (!isKnown(module, cache)) return load => load()
  const { filename } = module
  const folder = path.dirname(filename) + path.sep
  const kept: Modules = cache[folder + start]?.[KEPT] ?? new Map()
  module[KEPT] = kept
  kept.set(filename, module)
  return load => {
    if (cache[filename] === module) {
      const made = load()
      note(module, folder, kept)
      return made
    }
    const others = takeOut(cache, folder)
    putBack(cache, kept)
    try {
      return load()
    } finally {
      for (const [file, made] of takeOut(cache, folder)) kept.set(file, made)
      putBack(cache, others)
    }
  }
}
