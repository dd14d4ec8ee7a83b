'use strict'

const { spawnSync } = require('node:child_process')
const path = require('node:path')

const root = path.join(__dirname, '..')

/** Runs a command with its output shown; throws if it cannot be started or does not exit with 0. */
function run(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: 'inherit', ...options })
  if (result.error) throw new Error(`cannot run ${command}: ${result.error.message}`, { cause: result.error })
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${result.status ?? result.signal}`)
  return result
}

/** As `run`, but returns what the command printed on standard output. */
function output(command, args, options = {}) {
  return run(command, args, { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8', maxBuffer: 1 << 28, ...options })
    .stdout
}

/** Runs the JavaScript program of an installed package with the running Node: no shell, no PATH. */
function runBin(packageName, binName, args, options = {}) {
  run(process.execPath, [binPath(packageName, binName), ...args], options)
}

/** Path of the program `binName` of an installed package. */
function binPath(packageName, binName = packageName) {
  const directory = path.join(root, 'node_modules', packageName)
  const { bin } = require(path.join(directory, 'package.json'))
  return path.join(directory, typeof bin === 'string' ? bin : bin[binName])
}

/**
 * Runs `main`; an error ends the process with its message and exit code 1, without a stack that
 * helps nobody.
 */
function runMain(main) {
  try {
    main()
  } catch (error) {
    console.error(`${path.basename(process.argv[1])}: ${error.message}`)
    process.exitCode = 1
  }
}

module.exports = { root, run, output, runBin, binPath, runMain }
