'use strict'

/**
 * `npm run bench [-- options]`. Brings what the benchmarks need into place (peers, floor addon), then runs them. See
 * docs/benchmarks.md, or `npm run bench -- --help`.
 */
const { installDependencies, buildFloor } = require('./src/prepare')

installDependencies()
buildFloor()
require('./src/cli')
  .main(process.argv.slice(2))
  .catch(error => {
    console.error(`bench: ${error.message}`)
    process.exitCode = 1
  })
