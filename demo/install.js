'use strict'

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

/** Installs Fastify and autocannon beside this file from the lock file, if they are not there yet. */
function installDependencies() {
  if (fs.existsSync(path.join(__dirname, 'node_modules', '.package-lock.json'))) return
  console.log('demo: installing fastify and autocannon')
  const { status, error, stderr } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: __dirname,
    encoding: 'utf8'
  })
  if (error) throw error
  if (status !== 0) throw new Error(`npm ci ended with ${status}\n${stderr}`)
}

module.exports = { installDependencies }
