'use strict'

// Recovers a log; the crash test kills it half way. Run as `node recoverer.js PACKAGE_ROOT LOG`.

const fs = require('node:fs')
const { recoverLog } = require(process.argv[2])

fs.writeSync(1, 'recovering\n')
Promise.resolve(recoverLog(process.argv[3])).then(report => fs.writeSync(1, `${JSON.stringify(report)}\n`))
