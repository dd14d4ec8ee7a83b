'use strict'

// Everything that can be found wrong without running the tests. Runs all steps and fails if one
// did.
//
//   node scripts/check.js [--report FILE]     FILE gets {"passed": N, "failed": N}

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const { root, binPath } = require('./run')

const node = process.execPath

const steps = [
  ['Biome', node, [binPath('@biomejs/biome', 'biome'), 'ci', '--colors=off', '--error-on-warnings', '.']],
  ['TypeScript, library', node, [binPath('typescript', 'tsc'), '-p', 'tsconfig.json', '--noEmit']],
  ['TypeScript, tests', node, [binPath('typescript', 'tsc'), '-p', 'tsconfig.check.json']],
  ['clang-format', node, ['scripts/format.js', '--check']],
  ['clang-tidy', node, ['scripts/tidy.js']],
  ['layers', node, ['scripts/check-layers.js']],
  ['memory order', node, ['scripts/check-memory-order.js']],
  ['lockfiles', node, ['scripts/check-lockfiles.js']],
  ['house', node, ['scripts/check-house.js']]
]

/** Most lines shown of one step. */
const SHOWN = 80

function shortened(text) {
  const lines = text.trimEnd().split('\n')
  return lines.length <= SHOWN
    ? text
    : `${lines.slice(0, SHOWN).join('\n')}\n... and ${lines.length - SHOWN} more lines`
}

/** Runs one step; its output is shown only if it failed. */
function passes([name, command, args]) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  const ok = result.status === 0
  console.log(`${ok ? 'ok    ' : 'FAILED'} ${name}`)
  if (!ok) console.log(shortened(result.error ? result.error.message : result.stdout + result.stderr))
  return ok
}

function main() {
  const failed = steps.filter(step => !passes(step)).length
  const report = process.argv.indexOf('--report')
  const counts = { passed: steps.length - failed, failed }
  if (report > 0) fs.writeFileSync(process.argv[report + 1], JSON.stringify(counts))
  process.exitCode = failed ? 1 : 0
}

main()
