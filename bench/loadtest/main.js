'use strict'

/**
 * `npm run loadtest [-- options]`: a gRPC service that logs through shardlog, under load. See
 * docs/guide/load-testing.md.
 */
const { buildFloor } = require('../src/prepare')
const { readOptions, HELP } = require('./options')

async function main() {
  const options = readOptions(process.argv.slice(2))
  if (!options) return console.log(HELP)
  buildFloor()
  await require('./run').run(options)
}

main().catch(error => {
  console.error(`loadtest: ${error.message}`)
  process.exitCode = 1
})
