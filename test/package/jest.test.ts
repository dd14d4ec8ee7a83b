import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeProject, program } from './project'

// Jest runs modules in a realm of their own, with fake timers if asked, and looks for what keeps a
// process alive.
const text = `
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const vm = require('node:vm')
const shardlog = require('shardlog')
const { Logger, destination, readLog } = shardlog
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-jest-'))
const small = { bufferSize: 2 ** 22, numShards: 2 }
afterAll(() => fs.rmSync(directory, { recursive: true }))

describe.each(['native', 'js'])('%s', engine => {
  const file = name => path.join(directory, name + engine)

  test('errors carry what the kernel said', () => {
    const tried = [() => new Logger({ logFilePath: '/proc/1/x.log', engine }), () => destination({ dest: 99, format: 'ndjson', engine })]
    for (const open of tried) {
      let told
      try { open() } catch (error) { told = error }
      expect(told).toBeInstanceOf(Error)
      expect(told).toBeInstanceOf(shardlog.ShardlogError)
      expect([told.code, told.errno, told.syscall]).toEqual([expect.stringMatching(/^ERR_SHARDLOG_(IO|PATH)$/), expect.stringMatching(/^E[A-Z]+$/), expect.any(String)])
    }
  })

  test('bytes of every realm are bytes', async () => {
    const logger = new Logger({ logFilePath: file('bytes'), engine, ...small })
    const bytes = [Buffer.from('a'), new Uint8Array([98]), vm.runInNewContext('new Uint8Array([99])')]
    expect(bytes.map(value => logger.logBytes(value))).toEqual([true, true, true])
    expect(logger.logBytes(bytes[2], 0, 1)).toBe(true)
    await logger.close()
    const entries = []
    for await (const { text } of readLog(file('bytes'))) entries.push(text)
    expect(entries).toEqual(['a', 'b', 'c', 'c'])
  })

  test.each([{}, { legacyFakeTimers: true }])('timers are its own under fake ones: %j', async options => {
    jest.useFakeTimers(options)
    try {
      const to = destination({ dest: file('fake'), format: 'ndjson', engine, ...small })
      shardlog({}, to).error(new Error('boom'))
      await new Promise((resolve, reject) => to.flush(error => error ? reject(error) : resolve()))
      const closed = new Promise(resolve => to.on('close', resolve))
      to.end()
      await closed
      const logger = new Logger({ logFilePath: file('raw'), engine, ...small })
      logger.log('text')
      await logger.flush()
      await logger.close()
      expect(fs.readFileSync(file('fake'), 'utf8')).toContain('boom')
    } finally {
      jest.useRealTimers()
    }
  })

  test('timers that were faked before it was loaded', async () => {
    jest.useFakeTimers()
    jest.resetModules()
    const { Logger } = require('shardlog')
    try {
      const logger = new Logger({ logFilePath: file('early'), engine, ...small })
      logger.log('text')
      await logger.flush()
      await logger.close()
    } finally {
      jest.useRealTimers()
    }
  })

  test('what stays open keeps nothing alive', () => {
    globalThis.kept = [destination({ dest: file('open'), format: 'ndjson', engine, ...small }), new Logger({ logFilePath: file('open raw'), engine, ...small })]
    shardlog({}, globalThis.kept[0]).info('text')
    shardlog({ level: 'silent' }).info('text')
  })
})
`

const sinon = `
const FakeTimers = require('@sinonjs/fake-timers')
const clock = FakeTimers.install()
const { Logger } = require('shardlog')
async function main() {
  for (const engine of ['native', 'js']) {
    const logger = new Logger({ logFilePath: 'sinon.log' + engine, engine, bufferSize: 2 ** 22, numShards: 2 })
    logger.log('text')
    await logger.flush()
    await logger.close()
  }
  clock.uninstall()
  console.log('flushed')
}
main()`

describe('test runners', () => {
  let home: string
  beforeAll(() => {
    home = makeProject('jest', ['jest@30.5.2', '@sinonjs/fake-timers@15.5.0'])
    fs.writeFileSync(path.join(home, 'shardlog.test.js'), text)
    fs.writeFileSync(path.join(home, 'sinon.cjs'), sinon)
  })

  it('Jest: errors, bytes, fake timers, and no open handles', () => {
    const args = ['--detectOpenHandles', '--ci', '--rootDir', home]
    const { stderr, status } = spawnSync(program(home, 'jest'), args, { cwd: home, encoding: 'utf8', timeout: 120_000 })
    expect(stderr).toMatch(/12 passed/)
    expect(stderr).not.toMatch(/open handle/)
    expect(status).toBe(0)
  })

  it("Sinon's fake timers, in place before the package is loaded", () => {
    const { stdout } = spawnSync(process.execPath, ['sinon.cjs'], { cwd: home, encoding: 'utf8', timeout: 30_000 })
    expect(stdout).toBe('flushed\n')
  })
})
