'use strict'

// Loaded into a process by --require: at its end it puts the processor time that it took, in µs of
// all its threads, into the file that SHARDLOG_BENCH_CPU names.

const fs = require('node:fs')

process.on('exit', () => {
  const { user, system } = process.cpuUsage()
  fs.writeFileSync(process.env.SHARDLOG_BENCH_CPU, String(user + system))
})
