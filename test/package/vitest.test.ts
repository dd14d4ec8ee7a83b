import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, expect, inject, it } from 'vitest'

const root = path.join(__dirname, '..', '..')
let project: string

/** A test of a program that logs, as its authors write them. */
const text = `
import fs from 'node:fs'
import path from 'node:path'
import shardlog, { Logger } from 'shardlog'
import pino from 'shardlog/pino'
import { expect, it, vi } from 'vitest'

const file = path.resolve(process.env.POOL + '.log')

it('logs natively under fake timers, and again after its modules are reset', async () => {
  vi.useFakeTimers()
  const destination = shardlog.destination({ dest: file, format: 'ndjson' })
  pino({ base: null }, destination).info({ err: new TypeError('told') }, 'hello')
  await new Promise(resolve => destination.flush(resolve))
  expect(destination.getStatsSnapshot().engine).toBe('native')
  expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toMatchObject({ msg: 'hello', err: { type: 'TypeError' } })
  destination.closeSync()
  vi.useRealTimers()
  vi.resetModules()
  const again = await import('shardlog')
  const logger = new again.Logger({ logFilePath: file + '.raw' })
  expect([logger.logBytes(Buffer.from('a')), logger.logBytes(new Uint8Array([66]))]).toEqual([true, true])
  await logger.close()
})

it('has errors that are errors here', () => {
  let error
  try {
    new Logger({ logFilePath: '/proc/none/app.log' })
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(Error)
  expect(error).toMatchObject({ name: 'ShardlogError', code: expect.stringMatching(/^ERR_SHARDLOG_/) })
})
`

beforeAll(() => {
  project = path.join(path.dirname(inject('app')), 'vitest')
  fs.mkdirSync(path.join(project, 'node_modules'), { recursive: true })
  fs.symlinkSync(path.join(inject('app'), 'node_modules', 'shardlog'), path.join(project, 'node_modules', 'shardlog'))
  fs.symlinkSync(path.join(root, 'node_modules', 'vitest'), path.join(project, 'node_modules', 'vitest'))
  fs.writeFileSync(path.join(project, 'logs.test.mjs'), text)
})

it.each(['threads', 'forks', 'vmThreads', 'vmForks'])('runs in vitest’s pool of %s', pool => {
  const program = path.join(root, 'node_modules', 'vitest', 'vitest.mjs')
  const env = { ...process.env, POOL: pool, VITEST: undefined, NODE_ENV: undefined }
  const options = { cwd: project, encoding: 'utf8', timeout: 120_000, env } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'run', `--pool=${pool}`], options)
  expect({ status, output: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, output: '' })
  expect(stdout).toMatch(/2 passed/)
})
