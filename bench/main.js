'use strict'

/**
 * `npm run bench [-- options]`, which installs the peers first. See docs/benchmarks.md, or
 * `npm run bench -- --help`.
 */
const { buildFloor } = require('./src/prepare')

buildFloor()
require('./src/cli')
  .main(process.argv.slice(2))
  .catch(error => {
    console.error(`bench: ${error.message}`)
    process.exitCode = 1
  })
