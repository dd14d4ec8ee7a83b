'use strict'

const { execFileSync } = require('node:child_process')
const fs = require('node:fs')

/**
 * Opens both ends of a new pipe at `path`: a real one, where Node's own would be a pair of sockets.
 */
function openPipe(path) {
  execFileSync('mkfifo', [path])
  // Opened for reading first, and without waiting for a writer; else neither end could be opened
  // before the other.
  const reader = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
  const writer = fs.openSync(path, fs.constants.O_WRONLY)
  return { reader, writer }
}

module.exports = { openPipe }
