import fs from 'node:fs'
import path from 'node:path'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import zlib from 'node:zlib'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { runChild } from '../support/child'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

type Logging = ReturnType<typeof shardlog.configure>

interface Opened {
  logging: Logging
  /** Codes of what was told. */
  told: string[]
  /** Logs `count` numbers more, and flushes. */
  log: (count: number) => Promise<void>
}

function open(folder: string, more: object = {}): Opened {
  const told: string[] = []
  const r = {
    type: 'RollingFile',
    fileName: path.join(folder, 'app.log'),
    filePattern: path.join(folder, 'old/app-%i.log'),
    maxSize: 10_000,
    bufferSize: 1 << 18,
    ...more
  }
  const logging = shardlog.configure({ appenders: { r } }, { onError: ({ code }) => told.push(code) })
  let n = 0
  return {
    logging,
    told,
    log: async count => {
      for (let i = 0; i < count; i++) logging.getLogger().info({ n: n++, more: 'x'.repeat(50) })
      await logging.flush()
    }
  }
}

/** Numbers in all files below a folder, sorted. */
function numbersBelow(folder: string): number[] {
  return (fs.readdirSync(folder, { recursive: true }) as string[])
    .filter(name => /app[^/]*$/.test(name) && !path.basename(name).startsWith('.'))
    .filter(name => fs.statSync(path.join(folder, name)).isFile())
    .flatMap(name => {
      const bytes = fs.readFileSync(path.join(folder, name))
      const text = (name.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString()
      return text
        .split('\n')
        .filter(Boolean)
        .map(line => (JSON.parse(line) as { n: number }).n)
    })
    .sort((a, b) => a - b)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: injected`), { code, errno: code === 'ENOSPC' ? -28 : -5, syscall: 'write' })
}

/** Logs until something has happened. */
async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await pause(20)
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a file that cannot be rolled', () => {
  it('goes on, is told of once, and is rolled when that works again', async () => {
    const folder = tempDir()
    const { logging, told, log } = open(folder)
    const rename = fs.renameSync
    let tried = 0
    vi.spyOn(fs, 'renameSync').mockImplementation((from, to) => {
      if (String(from).endsWith('app.log') && ++tried > 0) throw failure('EIO')
      rename(from, to)
    })
    for (let i = 0; i < 30; i++) await log(600)
    // Not at each look, of which there were more than thirty.
    expect(tried).toBeGreaterThan(0)
    expect(tried).toBeLessThan(10)
    expect(told).toEqual(['ERR_SHARDLOG_IO'])
    vi.restoreAllMocks()
    await until(() => told.length > 1)
    expect(told).toEqual(['ERR_SHARDLOG_IO', 'ERR_SHARDLOG_RESUMED'])
    await logging.close()
    expect(logging.stats().r).toMatchObject({ accepted: 18_000, dropped: 0, failures: tried })
    expect(numbersBelow(folder)).toEqual(upTo(18_000))
    // No name that was taken for nothing.
    expect(fs.readdirSync(folder).filter(name => name.includes('.rolled.'))).toEqual([])
  })
})

describe('rolled files', () => {
  it('whose folder cannot be made wait beside the log, and get their names when it can', async () => {
    const folder = tempDir()
    const { logging, told, log } = open(folder)
    fs.rmdirSync(path.join(folder, 'old'))
    // Of another kind than a folder: not even root can make one there.
    fs.writeFileSync(path.join(folder, 'old'), 'in the way')
    for (let i = 0; i < 5; i++) await log(600)
    await until(() => told.length > 0)
    fs.rmSync(path.join(folder, 'old'))
    await until(() => told.includes('ERR_SHARDLOG_RESUMED'))
    await logging.close()
    expect(told.filter(code => code !== 'ERR_SHARDLOG_RESUMED')).toEqual(['ERR_SHARDLOG_PATH'])
    expect(numbersBelow(folder)).toEqual(upTo(3_000))
    expect(fs.readdirSync(folder).filter(name => name.includes('.rolled.'))).toEqual([])
  })

  it.each(['ENOSPC', 'EIO'])(
    'that cannot be compressed (%s) stay as they are, and are compressed later',
    async code => {
      const folder = tempDir()
      const { logging, told, log } = open(folder, { filePattern: path.join(folder, 'old/app-%i.log.gz') })
      const failing = (): fs.WriteStream =>
        new Writable({ write: (_chunk, _encoding, done) => done(failure(code)) }) as unknown as fs.WriteStream
      const spy = vi.spyOn(fs, 'createWriteStream').mockImplementation(failing)
      for (let i = 0; i < 4; i++) await log(600)
      await until(() => told.length > 0)
      const names = fs.readdirSync(path.join(folder, 'old'))
      expect(names.filter(name => !name.endsWith('.log'))).toEqual([])
      spy.mockRestore()
      await until(() => told.includes('ERR_SHARDLOG_RESUMED'))
      await logging.close()
      expect(told).toEqual(['ERR_SHARDLOG_IO', 'ERR_SHARDLOG_RESUMED'])
      expect(fs.readdirSync(path.join(folder, 'old')).filter(name => !name.endsWith('.gz'))).toEqual([])
      expect(numbersBelow(folder)).toEqual(upTo(2_400))
    }
  )

  it('that an earlier process could not compress are compressed by the next, each for itself', async () => {
    const folder = tempDir()
    fs.mkdirSync(path.join(folder, 'old'))
    for (const name of ['app-1.log', 'app-2.log', 'app-3.log']) fs.writeFileSync(path.join(folder, 'old', name), '{}\n')
    const create = fs.createWriteStream
    let isFirst = true
    vi.spyOn(fs, 'createWriteStream').mockImplementation((...given) => {
      if (!isFirst) return create(...given)
      isFirst = false
      return new Writable({ write: (_chunk, _encoding, done) => done(failure('EIO')) }) as unknown as fs.WriteStream
    })
    const { logging, told } = open(folder, { filePattern: path.join(folder, 'old/app-%i.log.gz') })
    await until(() => told.includes('ERR_SHARDLOG_RESUMED'))
    await logging.close()
    expect(fs.readdirSync(path.join(folder, 'old')).sort()).toEqual(['app-1.log.gz', 'app-2.log.gz', 'app-3.log.gz'])
  })

  it('of ten thousand the oldest are deleted, and files of others never', async () => {
    const folder = tempDir()
    const old = path.join(folder, 'old')
    fs.mkdirSync(old)
    for (let n = 1; n <= 10_000; n++) fs.writeFileSync(path.join(old, `app-${n}.log`), 'x'.repeat(100))
    const others = ['app-1.log.bak', 'app-x.log', 'app-.log', 'zapp-1.log', 'app-1.logs', 'app-1 .log', 'app-1.log~']
    for (const name of others) fs.writeFileSync(path.join(old, name), 'x'.repeat(10_000))
    fs.mkdirSync(path.join(old, 'app-7.logs'))
    const { logging, log } = open(folder, { maxTotalSize: 100_000 })
    await log(600)
    await logging.close()
    const names = fs.readdirSync(old)
    const own = names.filter(name => /^app-\d+\.log$/.test(name))
    const size = own.reduce((sum, name) => sum + fs.statSync(path.join(old, name)).size, 0)
    expect(size).toBeLessThanOrEqual(100_000)
    expect(size).toBeGreaterThan(50_000)
    expect(names.filter(name => !own.includes(name)).sort()).toEqual([...others, 'app-7.logs'].sort())
    const numbers = own.map(name => Number(/\d+/.exec(name)![0])).sort((a, b) => a - b)
    // The latest of them.
    expect(numbers[0]).toBe(numbers.at(-1)! - numbers.length + 1)
  })

  it.each([
    ['we+ird [x] {y} (z) $1 ^.log', 'we+ird [x] {y} (z) $1 ^-%i.log'],
    ['100%.log', '100%%-%d{yyyy}-%i.log'],
    ['app ü 日本.log', 'app ü 日本-%i.log'],
    ['a b/app.log', 'a b/%%d/app-%i.log']
  ])('may have letters in their names that stand for something elsewhere (%s)', async (name, pattern) => {
    const folder = tempDir()
    const { logging, log } = open(folder, {
      fileName: path.join(folder, name.replace(/%/g, '%%')),
      filePattern: path.join(folder, pattern),
      maxFiles: 2
    })
    for (let i = 0; i < 4; i++) await log(600)
    await logging.close()
    const { rolls, deleted, failures } = logging.stats().r as Record<string, number>
    expect(rolls).toBeGreaterThan(2)
    expect({ kept: rolls! - deleted!, failures }).toEqual({ kept: 2, failures: 0 })
  })
})

describe('two processes with one configuration', () => {
  it('the second is told who has the file, and what to do', () => {
    const folder = tempDir()
    const script = `
      const path = require('node:path')
      const { spawnSync } = require('node:child_process')
      const logging = shardlog.configure(config)
      const again = [process.argv[0], ['-e', process.env.AGAIN]]
      process.stdout.write(spawnSync(...again, { encoding: 'utf8' }).stdout)
      logging.close()`
    const r = {
      type: 'RollingFile',
      fileName: path.join(folder, 'app.log'),
      filePattern: path.join(folder, 'app-%i.log'),
      maxSize: 1_000
    }
    const config = { appenders: { r } }
    const entry = JSON.stringify(path.resolve(__dirname, '../..'))
    const again = `try { require(${entry}).configure(${JSON.stringify(config)}) } catch (error) { console.log(error.message) }`
    const { AGAIN } = process.env
    process.env.AGAIN = again
    const { stdout, status } = runChild(script, { config })
    if (AGAIN === undefined) delete process.env.AGAIN
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^appender r: \S+app\.log is locked by pid \d+; %p in file_name gives each process a file of its own\n$/
      )
    ])
  })
})
