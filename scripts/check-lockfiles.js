'use strict'

// A lockfile must work with any registry, so it names no host at all: integrity hashes only.
//
//   node scripts/check-lockfiles.js [--fix]     takes out download addresses and funding pages

const { root, output, runMain } = require('./run')
const fs = require('node:fs')
const path = require('node:path')

function withoutHosts(text) {
  const lock = JSON.parse(text)
  for (const entry of Object.values(lock.packages)) {
    // Of a workspace it is a folder.
    if (!entry.link) delete entry.resolved
    delete entry.funding
  }
  return `${JSON.stringify(lock, null, 2)}\n`
}

function main() {
  const names = output('git', ['ls-files', '*package-lock.json']).split('\n').filter(Boolean)
  const files = names.map(name => path.join(root, name))
  if (process.argv.includes('--fix')) {
    for (const file of files) fs.writeFileSync(file, withoutHosts(fs.readFileSync(file, 'utf8')))
  }
  const bad = names.filter((_, i) => fs.readFileSync(files[i], 'utf8').includes('://'))
  if (bad.length) throw new Error(`${bad.join(', ')}: names a host; node scripts/check-lockfiles.js --fix takes it out`)
  console.log(`${names.length} lockfiles name no host`)
}

runMain(main)
