import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { buildSync } from 'esbuild'
import { expect, inject, it } from 'vitest'

const app = inject('app')

const node = (...args: string[]) => spawnSync(process.execPath, args, { cwd: app, encoding: 'utf8', timeout: 60_000 })

it('runs from a start-up snapshot, which is built where there are no shared buffers', () => {
  const text = `
const shardlog = require('shardlog')
require('node:v8').startupSnapshot.setDeserializeMainFunction(() => {
  const plain = { base: null, timestamp: false }
  shardlog(plain, { write: line => process.stdout.write(line) }).info('to a stream')
  shardlog(plain).info('to standard output')
})`
  fs.writeFileSync(path.join(app, 'snapshot.cjs'), text)
  const outfile = path.join(app, 'snapshot bundle.cjs')
  buildSync({
    entryPoints: [path.join(app, 'snapshot.cjs')],
    outfile,
    bundle: true,
    platform: 'node',
    logLevel: 'error'
  })
  expect(node('--snapshot-blob', 'snapshot.blob', '--build-snapshot', outfile)).toMatchObject({ status: 0 })
  const { stdout, status } = node('--snapshot-blob', 'snapshot.blob')
  expect([status, stdout]).toEqual([0, '{"level":30,"msg":"to a stream"}\n{"level":30,"msg":"to standard output"}\n'])
})

it('runs where the built-in objects are frozen', () => {
  const text = `
const shardlog = require('shardlog')
const logger = new shardlog.Logger({ logFilePath: 'frozen.log', bufferSize: 2 ** 22, numShards: 2 })
logger.log('raw')
shardlog({ base: null, timestamp: false }).child({ a: 1 }).info({ b: 2 }, logger.getStatsSnapshot().engine)`
  fs.writeFileSync(path.join(app, 'frozen.cjs'), text)
  const { stdout, status } = node('--frozen-intrinsics', 'frozen.cjs')
  expect([status, stdout]).toEqual([0, '{"level":30,"a":1,"b":2,"msg":"native"}\n'])
})
