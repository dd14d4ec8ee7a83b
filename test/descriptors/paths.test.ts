import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readTexts } from '../support/plain-reader'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'

// Paths that stand for a descriptor of the process.

const PATHS = { 1: ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'], 2: ['/dev/stderr', '/dev/fd/2', '/proc/self/fd/2'] }
const cases = Object.entries(PATHS).flatMap(([fd, names]) => names.map(name => [name, fd] as const))

const LINES = `
const shardlog = require(${JSON.stringify(packageRoot)})
const destination = shardlog.destination({ dest: process.argv[1], format: 'ndjson' })
shardlog({ base: null, timestamp: false }, destination).info('line')
if (destination.getStatsSnapshot().arenaPath !== null) throw new Error('there is an arena')`

const ENTRIES = `
const fs = require('node:fs')
const { Logger } = require(${JSON.stringify(packageRoot)})
const logger = new Logger({ logFilePath: process.argv[1], bufferSize: 1 << 20 })
logger.log('entry')
fs.writeFileSync(process.argv[2], logger.getStatsSnapshot().arenaPath)
logger.closeSync()`

/** Runs a program whose descriptor `fd` is `to`. */
function run(program: string, args: string[], fd: string, to: string): void {
  const script = `exec "$0" -e "$1" "$2" "$3" ${fd}>>"$4"`
  execFileSync('sh', ['-c', script, process.execPath, program, args[0]!, args[1] ?? '', to], { stdio: 'pipe' })
}

describe.each(cases)('%s', (name, fd) => {
  it('is for lines what the number of the descriptor is: a pipe', () => {
    const script = `"$0" -e "$1" "$2" ${fd === '2' ? '2>&1 >/dev/null' : ''} | cat`
    const output = execFileSync('sh', ['-c', script, process.execPath, LINES, name], { encoding: 'utf8' })
    expect(output).toBe('{"level":30,"msg":"line"}\n')
  })

  it('is for lines what the number of the descriptor is: a file', () => {
    const file = tempLog()
    run(LINES, [name], fd, file)
    expect(fs.readFileSync(file, 'utf8')).toBe('{"level":30,"msg":"line"}\n')
    expect(fs.readdirSync(path.dirname(file))).toEqual([path.basename(file)])
  })

  it('is for a Logger the file that it leads to, beside whose own name the arena lies', () => {
    const file = tempLog()
    const told = tempLog()
    run(ENTRIES, [name, told], fd, file)
    expect(readTexts(file)).toEqual(['entry'])
    expect(fs.readFileSync(told, 'utf8')).toBe(path.join(path.dirname(file), `.${path.basename(file)}.arena`))
  })

  it('is refused by a Logger where it leads to no file', () => {
    const program = `
      const { Logger } = require(${JSON.stringify(packageRoot)})
      try { new Logger(process.argv[1]) } catch (error) { require('node:fs').writeFileSync(process.argv[2], error.code + error.message) }`
    const told = tempLog()
    run(program, [name, told], fd, '/dev/null')
    expect(fs.readFileSync(told, 'utf8')).toMatch(/^ERR_SHARDLOG_PATH.*is not a regular file; lines go to a pipe/)
  })
})
