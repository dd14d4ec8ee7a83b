'use strict'

// The modules of a folder of TypeScript, and what they import of each other.

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('./run')

const IMPORT = /(?:\bfrom|\bimport|= require\()\s*'(\.[^']*)'/g

/** A module's path without its extension. */
const plain = name => name.replace(/\.d\.ts$|\.ts$/, '')

/** The file that an import of `file` means; undefined if it is none of `names`. */
function fileOf(file, specifier, names) {
  const target = path.posix.join(path.posix.dirname(file), specifier)
  return names.get(target) ?? names.get(`${target}/index`)
}

/**
 * @param {string} folder from the repository's root
 * @returns {{name: string, imports: string[]}[]} each module with those of the folder that it
 *   imports, for values or types
 */
function modulesOf(folder) {
  const files = fs.readdirSync(path.join(root, folder), { recursive: true })
  const sources = files
    .filter(name => name.endsWith('.ts'))
    .map(name => path.posix.join(folder, name.split(path.sep).join('/')))
  const names = new Map(sources.map(name => [plain(name), name]))
  return sources.map(name => {
    const text = fs.readFileSync(path.join(root, name), 'utf8')
    const imports = [...text.matchAll(IMPORT)].map(([, specifier]) => fileOf(name, specifier, names))
    return { name, imports: [...new Set(imports.filter(target => target !== undefined && target !== name))] }
  })
}

/**
 * Groups of modules that import each other, directly or by others (Tarjan's strongly connected
 * components).
 */
function circlesOf(modules) {
  const importsOf = new Map(modules.map(({ name, imports }) => [name, imports]))
  const order = new Map()
  const low = new Map()
  const stack = []
  const circles = []
  function visit(name) {
    order.set(name, order.size)
    low.set(name, order.get(name))
    stack.push(name)
    for (const target of importsOf.get(name)) {
      if (!order.has(target)) visit(target)
      if (stack.includes(target)) low.set(name, Math.min(low.get(name), low.get(target)))
    }
    if (low.get(name) !== order.get(name)) return
    const group = stack.splice(stack.indexOf(name))
    if (group.length > 1) circles.push(group.sort())
  }
  for (const { name } of modules) if (!order.has(name)) visit(name)
  return circles
}

module.exports = { modulesOf, circlesOf }
