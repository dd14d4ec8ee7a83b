'use strict'

// A lockfile must work with any registry, so it names none: integrity hashes only.

const { root, output, runMain } = require('./run')
const fs = require('node:fs')
const path = require('node:path')

function main() {
  const files = output('git', ['ls-files', '*package-lock.json']).split('\n').filter(Boolean)
  const bad = files.filter(file => fs.readFileSync(path.join(root, file), 'utf8').includes('"resolved"'))
  if (bad.length)
    throw new Error(`${bad.join(', ')}: has "resolved" lines; run npm with omit-lockfile-registry-resolved`)
  console.log(`${files.length} lockfiles name no registry`)
}

runMain(main)
