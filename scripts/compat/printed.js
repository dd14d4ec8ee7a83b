'use strict'

// What a program prints, without what differs from run to run.

const { execFile } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

/** Milliseconds that a program may take. Tests of a package take longest. */
const TIMEOUT = 30_000
const SUITE_TIMEOUT = 150_000

/** Members whose number or text is never the same twice. */
const NUMBERS = 'created|started|responseTime|res\\.?time|port|remotePort|process\\.thread\\.id|received'
const TEXTS =
  '@timestamp|timestamp|Timestamp|time|span_id|trace_id|span\\.id|trace\\.id|transaction\\.id|logging\\.googleapis\\.com/insertId'

/**
 * What differs from run to run, and from folder to folder: times, process ids, ports, ids, frames.
 */
const VOLATILE = [
  [/\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)/g, ''],
  [/\b1[6-9]\d{11}\b/g, '0'],
  [/\b1[6-9]\d{8}(\.\d+)?\b/g, '0'],
  [/^\[?\d\d:\d\d:\d\d(\.\d+)?\]? /gm, ''],
  [/\b\d+ms\b/g, ''],
  [/ compat \d+ - /g, ' compat - '],
  [/\b([\da-f]{32}|[\da-f]{16})\b/g, ''],
  [/(\bpid\\*"?[=:])\d+/g, '$1_'],
  [/\(\d+ on /g, '(0 on '],
  [new RegExp(`"(${NUMBERS})":[\\d.]+`, 'g'), '"$1":0'],
  [new RegExp(`"(${TEXTS})":"[^"]*"`, 'g'), '"$1":""'],
  [/"timestamp":\{[^}]*\}/g, '"timestamp":{}'],
  [/"id":"[\w-]*:?\d+:[^"]*"/g, '"id":""'],
  [/127\.0\.0\.1:\d+/g, '127.0.0.1'],
  // Frames of the logger's own code, and what follows them.
  [/(\\*n|\n) +at [^"\n]*/g, '']
]

function normalised(text, folders) {
  const placeless = folders.reduce((so, folder) => so.replaceAll(folder, ''), text)
  return VOLATILE.reduce((so, [pattern, replacement]) => so.replace(pattern, replacement), placeless)
}

/** Runs a program file; resolves with what it printed, and how it ended. */
function run(file, timeout) {
  return new Promise(resolve => {
    const options = { cwd: path.dirname(file), encoding: 'utf8', timeout, maxBuffer: 1 << 28 }
    const child = execFile(process.execPath, [file], options, (_error, stdout, stderr) => {
      resolve({ stdout, stderr, status: child.exitCode })
    })
  })
}

/**
 * What a program prints in `folder` with the logger's module `name`; and how it failed, if it did.
 */
async function printed(folder, { before = '', text, isSuite }, name) {
  const home = fs.mkdtempSync(path.join(folder, 'run-'))
  const file = path.join(home, 'program.cjs')
  fs.writeFileSync(file, `${before}\nconst pino = require('${name}')\n${text}`)
  const { stdout, stderr, status } = await run(file, isSuite ? SUITE_TIMEOUT : TIMEOUT)
  const lines = normalised(stdout, [home, folder])
  return status === 0 ? lines : `${lines}\nexit code ${status}: ${stderr.slice(-2_000)}`
}

module.exports = { printed }
