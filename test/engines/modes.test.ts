import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { runChild } from '../support/child'
import { engines, small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { type Config, Logger, ShardlogError, type StatsSnapshot } from '../support/shardlog'
import { tempDir, tempLog } from '../support/temp'

const TEXTS = Array.from({ length: 2_000 }, (_, i) => `entry ${i} ${'x'.repeat(i % 200)}`)

function roundTrip(config: Config): StatsSnapshot {
  const logger = new Logger({ ...config, onFull: 'block', blockTimeout: Number.POSITIVE_INFINITY })
  for (const text of TEXTS) expect(logger.log(text)).toBe(true)
  const stats = logger.getStatsSnapshot()
  logger.closeSync()
  expect(readTexts(config.logFilePath)).toEqual(TEXTS)
  return stats
}

describe.each(engines)('%s engine', engine => {
  it.each([
    { crashSafe: 'file' },
    { crashSafe: 'shm' },
    { crashSafe: false, useMmap: false },
    { crashSafe: false, useMmap: true },
    { crashSafe: 'file', useMmap: true },
    { directIO: 'off' },
    { directIO: 'off', dsync: true },
    { directIO: 'auto', dsync: true },
    { flushTimeout: 0 },
    { flushInterval: 1 },
    { numShards: 1, bufferSize: 1 << 17 },
    { numShards: 3, bufferSize: 1_000_003 },
    { numShards: 256, bufferSize: 1 << 25 }
  ] satisfies Partial<Config>[])('%j: everything is read back', options => {
    if (engine === 'js' && 'crashSafe' in options && options.crashSafe !== false) {
      expect(() => roundTrip({ ...small(tempLog(), engine), ...options })).toThrow('option crashSafe')
      return
    }
    const stats = roundTrip({ ...small(tempLog(), engine), ...options })
    const { crashSafe = 'file', directIO = 'auto' } = options as Partial<Config>
    expect(stats.crashSafe).toBe(engine === 'js' ? false : crashSafe)
    expect(stats.arenaPath === null).toBe(stats.crashSafe === false)
    expect(stats.directIO === (stats.directIOReason === null)).toBe(true)
    if (engine === 'js' || directIO === 'off') expect(stats.directIO).toBe(false)
    expect(stats.ioAlignment % 512).toBe(0)
    expect(stats.ioAlignment).toBeGreaterThan(0)
  })

  it.runIf(fs.existsSync('/dev/shm'))('on a file system without direct I/O, auto falls back and says why', () => {
    const logFilePath = `${fs.mkdtempSync('/dev/shm/shardlog-test-')}/app.log`
    try {
      const stats = roundTrip({ ...small(logFilePath, engine), directIO: 'auto' })
      // tmpfs has had direct I/O since Linux 6.6.
      if (!stats.directIO) expect(stats.directIOReason).not.toBe('')
    } finally {
      fs.rmSync(logFilePath.slice(0, -'/app.log'.length), { recursive: true })
    }
  })

  it('an error in the onError callback is the application’s, not the logger’s', () => {
    const directory = tempDir()
    const script = `
      const fs = require('node:fs')
      process.on('uncaughtException', error => console.log('uncaught', error.message))
      fs.mkdirSync(config.directory)
      const logger = new Logger({ ...config.base, onError: error => { throw new Error('from the callback: ' + error.code) } })
      fs.rmSync(config.directory, { recursive: true })
      logger.log('x')
      logger.flush().catch(error => console.log('rejected', error.code)).then(() => setTimeout(() => {
        fs.mkdirSync(config.directory)
        logger.flush().then(() => console.log('flushed'))
      }, 50))`
    const base = small(`${directory}/sub/app.log`, engine)
    const result = runChild(script, { config: { base, directory: `${directory}/sub` } })
    const lines = result.stdout.trim().split('\n')
    expect(lines).toContain('rejected ERR_SHARDLOG_WRITE')
    expect(lines).toContain('uncaught from the callback: ERR_SHARDLOG_WRITE')
    expect(lines).toContain('flushed')
    expect(readTexts(`${directory}/sub/app.log`)).toEqual(['x'])
  })
})

describe('the JavaScript engine', () => {
  it('refuses directIO: required, and says what would do', () => {
    const open = (): Logger => new Logger({ logFilePath: tempLog(), engine: 'js', directIO: 'required' })
    expect(open).toThrow(ShardlogError)
    expect(open).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_DIRECT_IO' }))
  })

  it('refuses a log with an arena that waits for recovery, and leaves it alone', () => {
    const logFilePath = tempLog()
    fs.writeFileSync(arenaOf(logFilePath), 'anything')
    const open = (): Logger => new Logger({ logFilePath, engine: 'js' })
    expect(open).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_ARENA_LEFT' }))
    expect(fs.readFileSync(arenaOf(logFilePath), 'utf8')).toBe('anything')
    expect(fs.existsSync(`${logFilePath}.lock`)).toBe(false)
  })

  it('takes over the lock of a dead process, and one that was never filled in', () => {
    for (const content of ['999999999 1 ready    \n', '999999999 1 preparing\n', '', 'not a lock']) {
      const logFilePath = tempLog()
      fs.writeFileSync(`${logFilePath}.lock`, content)
      const logger = new Logger({ logFilePath, engine: 'js' })
      logger.log('x')
      logger.closeSync()
      expect(readTexts(logFilePath)).toEqual(['x'])
      expect(fs.existsSync(`${logFilePath}.lock`)).toBe(false)
    }
  })
})

describe('a package without a native build', () => {
  // node-gyp-build looks only where this says, and finds nothing.
  const script = (engine: string): string => `
    process.env.SHARDLOG_PREBUILD = ${JSON.stringify(tempDir())}
    try {
      const logger = new Logger({ ...config, engine: '${engine}' })
      logger.log('x')
      console.log(logger.getStatsSnapshot().engine)
    } catch (error) {
      console.log(error.code, error.cause instanceof Error, error.message)
    }`

  it("engine 'auto' is the JavaScript engine, which stats tell", () => {
    const config = { logFilePath: tempLog() }
    expect(runChild(script('auto'), { config }).stdout).toBe('js\n')
    expect(readTexts(config.logFilePath)).toEqual(['x'])
  })

  it("engine 'native' fails with the platform and the command that builds it", () => {
    const { stdout } = runChild(script('native'), { config: { logFilePath: tempLog() } })
    expect(stdout).toContain('ERR_SHARDLOG_NO_NATIVE true')
    expect(stdout).toContain(`${process.platform}-${process.arch}`)
    expect(stdout).toContain('npm run build:native')
  })
})
