import fs from 'node:fs'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
import { roundTrip, run, runProgram } from './run'

const app = inject('app')
const entries = ['from log', 'from logBytes']

it('works natively once installed without a compiler, at a path with spaces', () => {
  expect(app).toContain(' ')
  expect(runProgram(app, 'round-trip.cjs', roundTrip('plain.log'))).toMatchObject({ engine: 'native', entries })
})

it('is a function with the names as properties for require', () => {
  const text = `
    const shardlog = require('shardlog')
    const names = ['Logger', 'defaultConfig', 'readLog', 'verifyLog', 'recoverLog']
    console.log(JSON.stringify([typeof shardlog, ...names.map(name => typeof shardlog[name])]))`
  expect(runProgram(app, 'require.cjs', text)).toEqual(Array(6).fill('function'))
})

it('has a callable default and the same names for import', () => {
  const text = `
    import shardlog, { Logger, defaultConfig, readLog, verifyLog, recoverLog } from 'shardlog'
    import { createRequire } from 'node:module'
    const required = createRequire(import.meta.url)('shardlog')
    const types = [shardlog, Logger, defaultConfig, readLog, verifyLog, recoverLog].map(value => typeof value)
    console.log(JSON.stringify({ types, same: Logger === required.Logger && Logger === shardlog.Logger }))`
  expect(runProgram(app, 'import.mjs', text)).toEqual({ types: Array(6).fill('function'), same: true })
})

it('logs from a worker thread into the file that the main thread has open', () => {
  const text = `
    const { Worker, isMainThread } = require('node:worker_threads')
    const { Logger, readLog } = require('shardlog')
    const logger = new Logger({ logFilePath: 'worker.log', bufferSize: 2 ** 22, numShards: 2 })
    logger.log(isMainThread ? 'main' : 'worker')
    if (isMainThread) {
      new Worker(__filename).on('exit', async () => {
        await logger.close()
        let count = 0
        for await (const entry of readLog('worker.log')) count++
        console.log(count)
      })
    } else logger.close()`
  expect(runProgram(app, 'worker.cjs', text)).toBe(2)
})

it('installs the command, which prints what was logged', () => {
  runProgram(app, 'for-cli.cjs', roundTrip('cli.log'))
  const command = path.join(app, 'node_modules', '.bin', 'shardlog')
  expect(fs.statSync(command).mode & 0o111).not.toBe(0)
  expect(run([command, 'cat', 'cli.log'], app)).toBe(`${entries.join('\n')}\n`)
})

it('says how to get a native build where none fits, and logs with the JavaScript engine', () => {
  const copy = path.join(path.dirname(app), 'no addon')
  fs.cpSync(app, copy, { recursive: true })
  fs.rmSync(path.join(copy, 'node_modules', 'shardlog', 'prebuilds'), { recursive: true })
  expect(runProgram(copy, 'round-trip.cjs', roundTrip('js.log'))).toMatchObject({ engine: 'js', entries })
  const text = `
    const { Logger } = require('shardlog')
    try { new Logger({ logFilePath: 'no.log', engine: 'native' }) } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }))
    }`
  const { code, message } = runProgram(copy, 'native.cjs', text) as { code: string; message: string }
  expect(code).toBe('ERR_SHARDLOG_NO_NATIVE')
  expect(message).toContain('npm run build:native')
})
