import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeProject, program } from './project'
import { run } from './run'

// Bun and Deno load the addon too: it asks for nothing but Node-API and libc.
const LINES = 1_000

const errors = `
const { Logger, destination, ShardlogError } = require('shardlog')
const tried = [
  () => new Logger({ logFilePath: '/proc/x.log' }),
  () => new Logger({ logFilePath: '/nowhere/x.log' }),
  () => new Logger({ logFilePath: '/tmp/' + 'x'.repeat(300) }),
  () => destination({ dest: 99, format: 'ndjson' })
]
const told = tried.map(open => {
  try { open() } catch (error) { return [error instanceof ShardlogError, /^ERR_SHARDLOG_(IO|PATH)$/.test(error.code), error.errno] }
})
console.log(JSON.stringify(told))`

const round = `
const fs = require('node:fs')
const { Worker, isMainThread } = require('node:worker_threads')
const shardlog = require('shardlog')
const destination = shardlog.destination({ dest: 'round.ndjson', format: 'ndjson', bufferSize: 2 ** 22, numShards: 2 })
const log = shardlog({}, destination)
for (let i = 0; i < ${LINES}; i++) log.info({ i, nested: { text: 'é' }, none: undefined }, 'row %d', i)
if (isMainThread) {
  new Worker(__filename).on('exit', () => {
    destination.flushSync()
    const lines = fs.readFileSync('round.ndjson', 'utf8').trim().split('\\n').map(line => JSON.parse(line))
    console.log(JSON.stringify([destination.getStatsSnapshot().engine, lines.length, lines[1].nested]))
    process.exit()
  })
}`

const doomed = `
const shardlog = require('shardlog')
const options = { dest: 'killed.ndjson', format: 'ndjson', bufferSize: 2 ** 22, numShards: 2, flushInterval: 0 }
const log = shardlog({}, shardlog.destination(options))
for (let i = 0; i < ${LINES}; i++) log.info({ i }, 'row')
process.kill(process.pid, 'SIGKILL')`

const heir = `
require('shardlog').recoverLog('killed.ndjson').then(({ entries }) => console.log(entries))`

const output = `
const log = require('shardlog')({ base: null, timestamp: false })
for (let i = 0; i < 3; i++) log.info('row')
if (process.argv.at(-1) === 'throw') throw new Error('uncaught')
process.exit()`

describe.runIf(process.arch === 'x64')('runtimes besides Node.js', () => {
  let home: string
  const commands: Record<string, string[]> = {}

  beforeAll(() => {
    home = makeProject('runtimes', ['bun@1.4.5', 'deno@2.9.6'])
    commands.Bun = [program(home, 'bun'), 'run']
    commands.Deno = [program(home, 'deno'), 'run', '--quiet', '-A']
    for (const [name, text] of Object.entries({ errors, round, doomed, heir, output })) {
      fs.writeFileSync(path.join(home, `${name}.cjs`), text)
    }
  })

  const runtime = (name: string, file: string, ...args: string[]) =>
    spawnSync((commands[name] as string[])[0] as string, [...(commands[name] as string[]).slice(1), file, ...args], {
      cwd: home,
      encoding: 'utf8',
      timeout: 60_000
    })

  it.each(['Bun', 'Deno'])('%s: errors of the addon have code and errno', name => {
    const told = JSON.parse(runtime(name, 'errors.cjs').stdout) as [boolean, boolean, string][]
    expect(told.map(([isOurs, hasCode]) => isOurs && hasCode)).toEqual([true, true, true, true])
    // Which call fails first under /proc is the runtime's affair.
    expect(told.map(([, , errno]) => errno).slice(1)).toEqual(['ENOENT', 'ENAMETOOLONG', 'EBADF'])
  })

  it.each(['Bun', 'Deno'])('%s: records of two threads, natively', name => {
    fs.rmSync(path.join(home, 'round.ndjson'), { force: true })
    expect(JSON.parse(runtime(name, 'round.cjs').stdout)).toEqual(['native', 2 * LINES, { text: 'é' }])
  })

  it.each(['Bun', 'Deno'])('%s: a kill takes nothing', name => {
    fs.rmSync(path.join(home, 'killed.ndjson'), { force: true })
    expect(runtime(name, 'doomed.cjs').signal).toBe('SIGKILL')
    expect(run([process.execPath, 'heir.cjs'], home).trim()).toBe(String(LINES))
    const lines = fs.readFileSync(path.join(home, 'killed.ndjson'), 'utf8').trim().split('\n')
    expect(lines.map(line => JSON.parse(line).i)).toEqual(Array.from({ length: LINES }, (_, i) => i))
  })

  it.each(['Bun', 'Deno'])('%s: standard output is complete when the process ends', name => {
    const lines = '{"level":30,"msg":"row"}\n'.repeat(3)
    expect(runtime(name, 'output.cjs', 'exit').stdout).toBe(lines)
    expect(runtime(name, 'output.cjs', 'throw').stdout).toBe(lines)
  })
})
