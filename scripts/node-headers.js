'use strict'

const fs = require('node:fs')
const path = require('node:path')

/**
 * The folder whose include/node holds the running Node's headers, or null. Official archives,
 * distribution packages and most version managers lay the headers beside the program, so a build
 * needs no download.
 */
function nodeDirectory(execPath = process.execPath) {
  const prefix = path.join(path.dirname(fs.realpathSync(execPath)), '..')
  return fs.existsSync(path.join(prefix, 'include', 'node', 'node_api.h')) ? prefix : null
}

module.exports = { nodeDirectory }
