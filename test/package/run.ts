import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

/** Options of one run in the installed project. */
export interface RunOptions {
  /** The Node to run; default the one that runs the tests. */
  node?: string
  /** Put before the program: an emulator and its arguments. */
  prefix?: string[]
}

/** Runs a program text as `fileName` in `directory` and returns what it printed, parsed as JSON. */
export function runProgram(directory: string, fileName: string, text: string, options: RunOptions = {}): unknown {
  const file = path.join(directory, fileName)
  fs.writeFileSync(file, text)
  const command = [...(options.prefix ?? []), options.node ?? process.execPath, file]
  return JSON.parse(run(command, directory))
}

/**
 * Runs a command in `directory`; throws if it does not exit with 0. Returns its standard output.
 */
export function run(command: string[], directory: string, env: NodeJS.ProcessEnv = process.env): string {
  const [program = '', ...args] = command
  return execFileSync(program, args, { cwd: directory, encoding: 'utf8', env, timeout: 170_000 })
}

/**
 * A CommonJS program that logs a string and bytes, closes, reads the file back and prints
 * `{ engine, entries, node, arch }`.
 */
export function roundTrip(logName: string): string {
  return `
const { Logger, readLog } = require('shardlog')
const logFilePath = ${JSON.stringify(logName)}
async function main() {
  const logger = new Logger({ logFilePath, bufferSize: 2 ** 22, numShards: 2 })
  logger.log('from log')
  logger.logBytes(Buffer.from('from logBytes'))
  const { engine } = logger.getStatsSnapshot()
  await logger.close()
  const entries = []
  for await (const entry of readLog(logFilePath)) entries.push(entry.text)
  console.log(JSON.stringify({ engine, entries, node: process.version, arch: process.arch }))
}
main()
`
}
