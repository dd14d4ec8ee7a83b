'use strict'

// Finds the programs that are not of npm: `node scripts/tools.js clang++` prints the path of one.

const fs = require('node:fs')
const path = require('node:path')
const { runMain } = require('./run')

/**
 * Version that a program has to have at least, and the environment variable that names another one.
 */
const tools = {
  'clang++': { least: 14, variable: 'CXX' },
  'clang-format': { least: 14, variable: 'CLANG_FORMAT' },
  'clang-tidy': { least: 14, variable: 'CLANG_TIDY' },
  'g++': { least: 12, variable: 'GXX' }
}

/**
 * What PATH has of a name, also with a version behind it, by ascending versions; those without one
 * are last.
 */
function inPath(name) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(folder => fs.existsSync(folder))
  return folders
    .flatMap(folder => fs.readdirSync(folder).map(file => ({ file, at: path.join(folder, file) })))
    .filter(({ file }) => file === name || (file.startsWith(`${name}-`) && /^\d+$/.test(file.slice(name.length + 1))))
    .map(({ file, at }) => ({ at, version: Number(file.slice(name.length + 1)) || Number.POSITIVE_INFINITY }))
    .sort((a, b) => a.version - b.version)
}

/**
 * The path of a program, or what its environment variable says. The oldest version that will do:
 * another formats in another way.
 *
 * @throws if there is none
 */
function tool(name) {
  const { least, variable } = tools[name]
  const told = process.env[variable]
  if (told) return told
  const found = inPath(name).find(({ version }) => version >= least)
  if (found) return found.at
  throw new Error(`${name} ${least} or newer is missing: install it, or name it in ${variable}`)
}

function main() {
  const [name] = process.argv.slice(2)
  if (!Object.hasOwn(tools, name)) throw new Error(`unknown tool ${name}; known are ${Object.keys(tools).join(', ')}`)
  console.log(tool(name))
}

if (require.main === module) runMain(main)

module.exports = { tool }
