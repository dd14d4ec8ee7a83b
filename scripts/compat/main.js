'use strict'

// Runs the programs of programs/ with pino, with shardlog required in its place, and with shardlog
// installed under its name, and compares what they print.
//
//   node scripts/compat/main.js [--tarball FILE] [--write] [--only TEXT] [--ci] [--home FOLDER]
//
// --write makes docs/reference/compatibility.md of the results; --only takes the programs with a
// package whose name has TEXT in it; --ci leaves out those that are not for each run of the tests;
// --home installs into FOLDER, and uses what an earlier run installed there.
//
// Packages come from the registry by name, otherwise into a temporary folder. Without --tarball the
// repository is packed. Exit code 1: something printed otherwise, or nothing.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { root, run } = require('../run')
const { installAll } = require('./install')
const { NAMES, page } = require('./page')
const { printed } = require('./printed')
const programs = require('./programs')

function option(name) {
  const at = process.argv.indexOf(name)
  return at < 0 ? undefined : process.argv[at + 1]
}

function pack(to) {
  run('npm', ['pack', '--silent', '--pack-destination', to], { stdio: ['ignore', 'ignore', 'inherit'] })
  return path.join(
    to,
    fs.readdirSync(to).find(name => name.endsWith('.tgz'))
  )
}

function tell({ packages, what, expected, required, alias }) {
  console.log(`--- ${packages.join(', ')}: ${what}\npino:\n${expected}`)
  if (required !== undefined) console.log(`required:\n${required}`)
  console.log(`alias:\n${alias}`)
}

/** How many tests passed, as text, by what their runner told. */
function passed(told) {
  const [tests, pass, skipped] = ['tests', 'pass', 'skipped'].map(
    name => new RegExp(`^# ${name} (\\d+)`, 'm').exec(told)?.[1]
  )
  return tests === undefined ? '' : ` (${pass} of ${tests} pass${skipped > 0 ? `, ${skipped} skipped` : ''})`
}

async function oneByOne(runs) {
  const results = []
  for (const start of runs) results.push(await start())
  return results
}

/**
 * The result of one program: `required` and `alias` are whether it printed the same, null if it was
 * not run.
 */
async function compare(folders, program) {
  const { packages, what, isByName, isSuite } = program
  const runs = [
    () => printed(folders.plain, program, 'pino'),
    () => printed(folders.alias, program, 'pino'),
    ...(isByName || isSuite ? [] : [() => printed(folders.plain, program, 'shardlog/pino')])
  ]
  // Tests of packages may be about a port, or the time.
  const [expected, alias, required] = isSuite ? await oneByOne(runs) : await Promise.all(runs.map(start => start()))
  const result = {
    packages,
    what,
    tests: isSuite ? passed(expected) : '',
    fails: /exit code/.test(expected) || expected.trim() === '',
    required: required === undefined ? null : required === expected,
    alias: alias === expected
  }
  if (result.required === false || !result.alias || result.fails) tell({ packages, what, expected, required, alias })
  return result
}

function isChosen({ packages, ci }) {
  const only = option('--only')
  return (only === undefined || packages.join().includes(only)) && (ci !== false || !process.argv.includes('--ci'))
}

function report(results) {
  for (const { packages, what, required, alias, fails, tests } of results) {
    const told = fails ? 'NO RESULT' : [required, alias].filter(isSame => isSame !== null).map(isSame => NAMES[isSame])
    console.log(`${told}: ${packages.join(', ')}, ${what}${tests}`)
  }
  const names = new Set(results.flatMap(({ packages }) => packages.map(name => name.slice(0, name.lastIndexOf('@')))))
  console.log(`${results.length} programs, ${names.size} packages`)
}

async function main() {
  const kept = option('--home')
  const home = fs.realpathSync(kept ?? fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-compat-')))
  try {
    const chosen = programs.filter(isChosen)
    const packages = [...new Set(chosen.flatMap(({ packages, besides = [] }) => [...packages, ...besides]))]
    const folders = installAll(home, packages, option('--tarball') ?? pack(home))
    const results = await oneByOne(chosen.map(program => () => compare(folders, program)))
    report(results)
    const usable = results.filter(({ fails }) => !fails)
    if (process.argv.includes('--write'))
      fs.writeFileSync(path.join(root, 'docs', 'reference', 'compatibility.md'), page(usable))
    process.exitCode = results.every(({ fails, required, alias }) => !fails && required !== false && alias) ? 0 : 1
  } finally {
    if (kept === undefined) fs.rmSync(home, { recursive: true, force: true })
  }
}

main().catch(error => {
  console.error(error)
  process.exitCode = 1
})
