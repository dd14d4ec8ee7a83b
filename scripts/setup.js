'use strict'

// Makes a fresh or changed clone ready: installs what is missing, compiles what is out of date.
// `npm test`, the demo and the benchmark start with it. Only Node's own modules are used here,
// since nothing is installed yet.
//
//   node scripts/setup.js [folder...]     also installs what these folders need (demo, bench)

const fs = require('node:fs')
const path = require('node:path')
const { root, run, runMain } = require('./run')
const nativeSources = require('./native-sources')

/** Installed package versions by path, as a lockfile tells them; null if there is no such file. */
function lockedVersions(file) {
  if (!fs.existsSync(file)) return null
  const { packages } = JSON.parse(fs.readFileSync(file, 'utf8'))
  return new Map(Object.entries(packages).filter(([name]) => name !== ''))
}

/**
 * Whether node_modules of `directory` holds what its lockfile asks for, leaving aside other
 * platforms' packages.
 */
function isInstalled(directory) {
  const wanted = lockedVersions(path.join(directory, 'package-lock.json'))
  const present = lockedVersions(path.join(directory, 'node_modules', '.package-lock.json'))
  if (!wanted || !present) return false
  return [...wanted].every(
    ([name, entry]) => entry.optional || entry.link || present.get(name)?.version === entry.version
  )
}

function install(directory) {
  if (isInstalled(directory)) return
  const npm = process.env.npm_execpath
  const [command, first] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  run(command, [...first, 'ci', '--no-audit', '--no-fund', '--prefer-offline'], { cwd: directory })
}

/** Time of the last change below `file`, in ms; 0 if it does not exist. */
function newest(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  if (!stat) return 0
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...fs.readdirSync(file).map(name => newest(path.join(file, name))))
}

/**
 * Whether `output` is older than one of `inputs`, or missing. Paths are relative to the repository.
 */
function isStale(output, inputs) {
  const built = newest(path.join(root, output))
  return built === 0 || inputs.some(input => newest(path.join(root, input)) > built)
}

function main() {
  for (const folder of ['.', ...process.argv.slice(2)]) install(path.join(root, folder))
  const layers = nativeSources.layers.map(layer => `native/${layer}`)
  if (process.platform === 'linux' && isStale('build/Release/shardlog.node', ['binding.gyp', ...layers])) {
    run(process.execPath, ['scripts/build-native.js'])
  }
  if (
    isStale('dist/index.mjs', [
      'lib',
      'tsconfig.json',
      'tsconfig.base.json',
      'scripts/build-ts.js',
      'scripts/lazy-imports.js',
      'scripts/merge-modules.js',
      'scripts/start-modules.js',
      'scripts/public-surface.js',
      'scripts/pino-paths.js'
    ])
  ) {
    run(process.execPath, ['scripts/build-ts.js'])
  }
}

runMain(main)
