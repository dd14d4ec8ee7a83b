'use strict'

// The list of C++ files in the addon: one place for binding.gyp, the prebuilds and the checks.

const fs = require('node:fs')
const path = require('node:path')

const root = path.join(__dirname, '..')

/** Layers of native/ that go into the addon, lowest first. */
const layers = ['platform', 'format', 'io', 'record', 'engine', 'sink', 'log', 'recorder', 'napi']

/**
 * Paths, relative to the repository, of the files of the given folders of native/ that end in one
 * of `extensions`.
 */
function filesOf(folders, extensions) {
  return folders.flatMap(folder => {
    const directory = path.join(root, 'native', folder)
    if (!fs.existsSync(directory)) return []
    return fs
      .readdirSync(directory)
      .filter(name => extensions.includes(path.extname(name)))
      .sort()
      .map(name => `native/${folder}/${name}`)
  })
}

module.exports = filesOf(layers, ['.cc'])
module.exports.layers = layers
module.exports.filesOf = filesOf
