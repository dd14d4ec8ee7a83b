'use strict'

// Programs that use a package of pino's surroundings. Each logs to standard output, or prints what
// came of its lines; `pino` is the logger's module there. They are run with pino, with shardlog
// required instead, and with shardlog installed under the name pino, and must print the same.
//
// A program is an object: `packages` with their versions, `what` is run, its `text`; besides, where
// so,
//   besides   packages that are needed, but are not what is looked at
//   before    what it starts with, ahead of the logger's module
//   isByName  it hooks into modules called pino: with `require` changed there is nothing to compare
//   isSuite   it runs tests that the package brings along, with the package's own `require('pino')`
//   ci        false: left out of each run of the tests, which has few minutes for them all

module.exports = ['web', 'transports', 'formats', 'users', 'apm'].flatMap(kind => require(`./${kind}`))
