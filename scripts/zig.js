'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { root, run } = require('./run')

/** The version that the shipped addons are compiled with. */
const VERSION = '0.17.0'

/**
 * Path of the Zig program: $ZIG, or the PyPI package `ziglang`, which is installed below
 * build-tools/ at first use. Throws if it cannot be had.
 */
function findZig() {
  if (process.env.ZIG) return process.env.ZIG
  const directory = path.join(root, 'build-tools', `zig-${VERSION}`)
  const zig = path.join(directory, 'ziglang', 'zig')
  if (!fs.existsSync(zig)) {
    run('python3', ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', directory, `ziglang==${VERSION}`])
  }
  const { status, stdout } = spawnSync(zig, ['version'], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${zig} does not run`)
  if (stdout.trim() !== VERSION) throw new Error(`${zig} is version ${stdout.trim()}, wanted ${VERSION}`)
  return zig
}

module.exports = { findZig }
