'use strict'

// docs/reference/compatibility.md.

const { PINO } = require('./install')

const NAMES = { true: 'as pino', false: 'differs', null: '' }

/** `name@version` as it is shown. */
function shown(spec) {
  const at = spec.lastIndexOf('@')
  return `${spec.slice(0, at)} ${spec.slice(at + 1)}`
}

function row({ packages, what, required, alias, tests }) {
  return `| ${packages.map(shown).join(', ')} | ${what} | ${NAMES[required]} | ${NAMES[alias]}${tests} |`
}

/** The page that tells of `results`. */
function page(results) {
  const names = new Set(results.flatMap(({ packages }) => packages.map(spec => spec.slice(0, spec.lastIndexOf('@')))))
  return `# Compatibility

${names.size} packages of pino's surroundings were run with pino, with \`require('shardlog/pino')\` in its place, and with shardlog installed under pino's
name; what they print is compared, but for times, process ids and stack frames. A package's own tests, and agents that look for modules called
\`pino\`, are run under pino's name alone; of tests, the same ones must pass. \`node scripts/compat/main.js --write\` makes this page, with ${shown(PINO)}
on Node ${process.versions.node}; \`scripts/compat/programs\` has the programs. What is tested further, by its own behaviour, is in
[migrating-from-pino.md](../guide/migrating-from-pino.md#in-pinos-place); bundlers, test runners and runtimes are in
[platforms.md](platforms.md#what-is-tested).

| package | what was run | \`require\` changed | in pino's place |
| --- | --- | --- | --- |
${results.map(row).join('\n')}
`
}

module.exports = { NAMES, page }
