'use strict'

// The folders that programs run in.

const fs = require('node:fs')
const path = require('node:path')
const { run } = require('../run')

/** The pino that ours is compared with. */
const PINO = 'pino@10.4.0'

const OPTIONS = ['--silent', '--no-audit', '--no-fund', '--prefer-offline', '--legacy-peer-deps', '--ignore-scripts']

function install(folder, packages, manifest) {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'compat', private: true, ...manifest }))
  run('npm', ['install', ...OPTIONS, ...packages], { cwd: folder })
}

/**
 * Installs `packages` twice below `home`.
 *
 * @param tarball shardlog, packed
 * @returns `plain`, a folder with pino and shardlog beside each other, and `alias`, one where
 *   shardlog is pino for all packages
 */
function installAll(home, packages, tarball) {
  const folders = { plain: path.join(home, 'plain'), alias: path.join(home, 'alias') }
  install(folders.plain, [PINO, tarball, ...packages], {})
  const ours = `file:${path.resolve(tarball)}`
  install(folders.alias, packages, { dependencies: { pino: ours }, overrides: { pino: ours } })
  return folders
}

module.exports = { PINO, installAll }
