'use strict'

// Runs programs.js with pino, with shardlog required in its place, and with shardlog installed under its name, and compares what they print.
//
//   node scripts/compat/main.js [--tarball FILE] [--write] [--only TEXT] [--ci]
//
// --write makes docs/compatibility.md of the results; --ci leaves out what is known to differ.
//
// Packages come from the registry by name, into a temporary folder. Without --tarball the repository is packed. Exit code 1: something
// printed otherwise.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { root, run } = require('../run')
const programs = require('./programs')

const PINO = 'pino@10.4.0'
const TIMEOUT = 30_000

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

/** A folder with the packages of all programs, and `dependencies` besides. */
function install(folder, packages, manifest) {
  fs.mkdirSync(folder)
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: 'compat', private: true, ...manifest }))
  const options = ['--silent', '--no-audit', '--no-fund', '--prefer-offline', '--legacy-peer-deps', '--ignore-scripts']
  run('npm', ['install', ...options, ...packages], { cwd: folder })
}

/** What differs from run to run, and from folder to folder. */
function normalised(text, folder) {
  return (
    text
      .replaceAll(folder, '')
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '')
      .replace(/\(\d+ms\)/g, '')
      .replace(/"(time|created|started|pid|responseTime|res\.?time|port|remotePort|process\.pid)":[\d.]+/g, '"$1":0')
      .replace(/"(@timestamp|timestamp|time)":"[^"]*"/g, '"$1":""')
      .replace(/"id":"[\w-]*:?\d+:[^"]*"/g, '"id":""')
      .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1')
      .replace(/"received":\d+/g, '"received":0')
      // Frames of the logger's own code, and what follows them.
      .replace(/(\\n|\n) +at [^"\n]*/g, '')
      .replace(/^\[\d+:\d+:\d+\.\d+\] /gm, '')
  )
}

/** What a program prints in `folder` with the logger's module `name`. */
function printed(folder, text, name) {
  const home = fs.mkdtempSync(path.join(folder, 'run-'))
  const file = path.join(home, 'program.cjs')
  fs.writeFileSync(file, `const pino = require('${name}')\n${text}`)
  const { stdout, stderr, status } = spawnSync(process.execPath, [file], {
    cwd: home,
    encoding: 'utf8',
    timeout: TIMEOUT
  })
  const lines = normalised(stdout, home).replaceAll(folder, '')
  return status === 0 ? lines : `${lines}\nexit code ${status}: ${stderr.slice(-2_000)}`
}

function compare(folders, { packages, what, text }) {
  const expected = printed(folders.plain, text, 'pino')
  const required = printed(folders.plain, text, 'shardlog/pino')
  const alias = printed(folders.alias, text, 'pino')
  const result = {
    packages,
    what,
    fails: /exit code/.test(expected) || expected.trim() === '',
    required: required === expected,
    alias: alias === expected
  }
  if (!result.required || !result.alias || result.fails) {
    console.log(`--- ${packages.join(', ')}: ${what}\npino:\n${expected}\nrequired:\n${required}\nalias:\n${alias}`)
  }
  return result
}

const NAMES = { true: 'as pino', false: 'differs' }

function table(results) {
  const rows = results.map(({ packages, what, required, alias }) => {
    const named = packages.map(name => {
      const at = name.lastIndexOf('@')
      return `${name.slice(0, at)} ${name.slice(at + 1)}`
    })
    return `| ${named.join(', ')} | ${what} | ${NAMES[required]} | ${NAMES[alias]} |`
  })
  return `# Compatibility

Packages of pino's surroundings that were run with pino, with \`require('shardlog/pino')\` in its place, and with shardlog installed under pino's name;
what they print is compared, but for times, process ids and stack frames. \`node scripts/compat/main.js --write\` makes this page, with ${PINO.replace('@', ' ')} on
Node ${process.versions.node}; \`scripts/compat/programs.js\` has the programs. Packages that are tested further, by their own behaviour, are in
[migrating-from-pino.md](migrating-from-pino.md#in-pinos-place); bundlers, test runners and runtimes in
[platforms.md](platforms.md#what-is-tested).

| package | what was run | \`require\` changed | in pino's place |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

function isChosen({ packages, known }) {
  const only = option('--only')
  return (only === undefined || packages.join().includes(only)) && !(known && process.argv.includes('--ci'))
}

function main() {
  const home = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-compat-')))
  try {
    const chosen = programs.filter(isChosen)
    const tarball = option('--tarball') ?? pack(home)
    const packages = [...new Set(chosen.flatMap(program => program.packages))]
    const folders = { plain: path.join(home, 'plain'), alias: path.join(home, 'alias') }
    install(folders.plain, [PINO, tarball, ...packages], {})
    const ours = `file:${tarball}`
    install(folders.alias, packages, { dependencies: { pino: ours }, overrides: { pino: ours } })
    const results = chosen.map(program => compare(folders, program))
    for (const { packages: names, what, required, alias, fails } of results) {
      console.log(`${fails ? 'NO RESULT' : `${NAMES[required]}, ${NAMES[alias]}`}: ${names.join(', ')}, ${what}`)
    }
    const usable = results.filter(({ fails }) => !fails)
    if (process.argv.includes('--write')) fs.writeFileSync(path.join(root, 'docs', 'compatibility.md'), table(usable))
    process.exitCode = results.every(({ fails, required, alias }) => !fails && required && alias) ? 0 : 1
  } finally {
    fs.rmSync(home, { recursive: true, force: true })
  }
}

main()
