import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude, runChild } from '../support/child'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const contentOf = (file: string): string => {
  const bytes = fs.readFileSync(file)
  return (file.endsWith('.gz') ? zlib.gunzipSync(bytes) : bytes).toString()
}

/** Files below a folder, without hidden ones: arenas, and what is being made. */
function filesIn(folder: string): string[] {
  return (fs.readdirSync(folder, { recursive: true }) as string[])
    .filter(name => fs.statSync(path.join(folder, name)).isFile() && !path.basename(name).startsWith('.'))
    .sort()
}

/** Numbers of the lines in files, in their order. Throws if a line is not whole. */
const numbersIn = (files: readonly string[]): number[] =>
  files.flatMap(file => {
    const text = contentOf(file)
    if (text !== '' && !text.endsWith('\n')) throw new Error(`${file} ends in the middle of a line`)
    return text
      .split('\n')
      .filter(Boolean)
      .map(line => (JSON.parse(line) as { n: number }).n)
  })

/** Where numbers do not go on by one: what stands there, and what should. */
function faultsIn(numbers: readonly number[]): string[] {
  const faults = numbers.flatMap((n, at) =>
    n === (numbers[at - 1] ?? -1) + 1 ? [] : [`${n} after ${numbers[at - 1]}`]
  )
  return faults.slice(0, 10)
}

/** `app-1.log`, `app-2.log`, …, then `app.log`. */
function inOrder(folder: string, prefix = 'app'): string[] {
  const number = (name: string): number => Number(/(\d+)\.log(?:\.gz)?$/.exec(name)?.[1] ?? Number.POSITIVE_INFINITY)
  return filesIn(folder)
    .filter(name => path.basename(name).startsWith(prefix))
    .sort((a, b) => number(a) - number(b))
    .map(name => path.join(folder, name))
}

/** A child that logs numbers in bursts until it is told to end, and says how many. */
const LOGS_ON = `
  const logging = shardlog.configure(config.logging)
  const log = logging.getLogger('load')
  let n = config.from
  let isLast = false
  process.on('message', () => { isLast = true })
  function on() {
    for (let i = 0; i < config.burst; i++) log.info({ n: n++, more: 'x'.repeat(n % 100) }, 'a line')
    if (n > config.from + 200) process.send(n)
    if (!isLast) setImmediate(on)
    else logging.close().then(() => process.send(-n)).then(() => process.disconnect())
  }
  on()`

const appender = (folder: string, more: object): object => ({
  type: 'RollingFile',
  fileName: path.join(folder, 'app.log'),
  filePattern: path.join(folder, 'app-%i.log'),
  ...more
})

describe('rolling under load', () => {
  it.each([
    ['native', {}],
    ['js', { engine: 'js' }],
    ['native, compressed', { filePattern: 'gz' }],
    ['native, blocks of a batch', { bufferedIo: true, batchSize: 100 }],
    ['native, with a layout', { layout: { type: 'Pattern', pattern: '{"n":%X{n},"m":"%m"}%n' } }]
  ])('loses, splits and repeats no record (%s)', async (_, more: object) => {
    const folder = tempDir()
    const isCompressed = 'filePattern' in more
    const pattern = path.join(folder, isCompressed ? 'app-%i.log.gz' : 'app-%i.log')
    const logging = shardlog.configure({
      appenders: { r: appender(folder, { maxSize: 65_536, bufferSize: 1 << 18, ...more, filePattern: pattern }) }
    })
    const log = logging.getLogger('load')
    const COUNT = 60_000
    for (let n = 0; n < COUNT; ) {
      for (let i = 0; i < 500; i++, n++) log.info({ n, more: 'x'.repeat(n % 100) }, 'a line')
      await new Promise(resolve => setImmediate(resolve))
    }
    await logging.close()
    const files = inOrder(folder)
    // How often depends on when the flusher gets to run.
    expect(files.length).toBeGreaterThan(2)
    for (const file of files.slice(0, -1).filter(name => !name.endsWith('.gz'))) {
      expect(fs.statSync(file).size).toBeGreaterThanOrEqual(65_536)
    }
    expect(files.filter(file => file.endsWith('.gz')).length).toBe(isCompressed ? files.length - 1 : 0)
    const numbers = numbersIn(files)
    expect([faultsIn(numbers), numbers.length]).toEqual([[], COUNT])
    const { r } = logging.stats()
    expect(r).toMatchObject({ accepted: COUNT, dropped: 0, rolls: files.length - 1, failures: 0 })
  })

  it('goes on in a loop that never lets the event loop run', async () => {
    const folder = tempDir()
    const logging = shardlog.configure({ appenders: { r: appender(folder, { maxSize: 65_536, bufferSize: 1 << 18 }) } })
    const log = logging.getLogger()
    for (let n = 0; n < 100_000; n++) log.info({ n }, 'a line')
    await logging.close()
    const files = inOrder(folder)
    expect(files.length).toBeGreaterThan(2)
    const numbers = numbersIn(files)
    expect([faultsIn(numbers), numbers.length]).toEqual([[], 100_000])
  })

  it.each(['app-%i.log', 'app-%i.log.gz', 'old/%d{yyyy/MM}/app-%i.log', '%i.log'])(
    'loses and repeats nothing when the process is killed at any moment (%s)',
    async pattern => {
      const folder = tempDir()
      // Recovery has to find what was renamed, whatever it is called in the end.
      const options = { maxSize: 20_000, bufferSize: 1 << 18, filePattern: path.join(folder, pattern) }
      const logging = { appenders: { r: appender(folder, options) } }
      let from = 0
      for (let round = 0; round < 6; round++) {
        const config = { logging, from, burst: 50 }
        const child = spawn(process.execPath, ['-e', prelude(config) + LOGS_ON], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc']
        })
        onTestFinished(() => void child.kill('SIGKILL'))
        const exited = once(child, 'exit')
        await once(child, 'message')
        await new Promise(resolve => setTimeout(resolve, 20 + round * 37))
        child.kill('SIGKILL')
        await exited
        // The next start recovers what waited, and says where it goes on.
        const last = runChild('shardlog.configure(config).close()', { config: logging })
        expect([last.status, last.stderr]).toEqual([0, ''])
        const numbers = numbersIn(inOrder(folder, pattern === '%i.log' ? '' : 'app'))
        expect(faultsIn(numbers)).toEqual([])
        expect(numbers.length).toBeGreaterThan(from + 200)
        from = numbers.length
      }
      expect(filesIn(folder).length).toBeGreaterThan(2)
      const hidden = fs.readdirSync(folder).filter(name => /\.(?:tmp|rolled)/.test(name))
      expect(hidden).toEqual([])
    }
  )

  it('stands beside logrotate, which renames the file at any moment', async () => {
    const folder = tempDir()
    const logging = shardlog.configure({ appenders: { r: appender(folder, { maxSize: 65_536, bufferSize: 1 << 18 }) } })
    const log = logging.getLogger()
    let n = 0
    let rotations = 0
    while (rotations < 10) {
      for (let i = 0; i < 500; i++) log.info({ n: n++ }, 'a line')
      await new Promise(resolve => setTimeout(resolve, 2))
      if (n % 5_000 !== 0) continue
      if (fs.existsSync(path.join(folder, 'app.log'))) {
        fs.renameSync(path.join(folder, 'app.log'), path.join(folder, `other-${rotations++}.log`))
      }
    }
    await logging.close()
    const numbers = numbersIn([...inOrder(folder), ...inOrder(folder, 'other')])
    expect([faultsIn(numbers.sort((a, b) => a - b)), numbers.length]).toEqual([[], n])
  })

  it('is one file for all threads that have it', () => {
    const folder = tempDir()
    const logging = { appenders: { r: appender(folder, { maxSize: 65_536, bufferSize: 1 << 18 }) } }
    const script = `
      const shardlog = require(workerData.package)
      const logging = shardlog.configure(workerData.logging)
      const log = logging.getLogger()
      let n = workerData.from
      function on() {
        for (let i = 0; i < 200; i++) log.info({ n: n++ }, 'a line')
        if (n < workerData.from + 20000) setImmediate(on)
        else logging.close()
      }
      on()`
    const main = `
      const { Worker } = require('node:worker_threads')
      for (let id = 0; id < 4; id++) {
        const workerData = { package: config.package, logging: config.logging, from: id * 20000 }
        new Worker('const { workerData } = require("node:worker_threads")\\n' + config.script, { eval: true, workerData })
      }`
    const { status, stderr } = runChild(main, { config: { logging, script, package: packageRoot } })
    expect([status, stderr]).toEqual([0, ''])
    const files = inOrder(folder)
    expect(files.length).toBeGreaterThan(2)
    const numbers = numbersIn(files).sort((a, b) => a - b)
    expect([faultsIn(numbers), numbers.length]).toEqual([[], 80_000])
  })

  it('numbers go on after a restart, and nothing is overwritten', async () => {
    const folder = tempDir()
    fs.writeFileSync(path.join(folder, 'app-7.log'), '{"n":-1}\n')
    const configuration = { appenders: { r: appender(folder, { maxSize: 1, rollOnStart: true }) } }
    for (let start = 0; start < 3; start++) {
      const logging = shardlog.configure(configuration)
      logging.getLogger().info({ n: start })
      await logging.close()
    }
    expect(filesIn(folder)).toEqual(['app-7.log', 'app-8.log', 'app-9.log', 'app.log'])
    expect(numbersIn(inOrder(folder))).toEqual([-1, 0, 1, 2])
  })
})

describe('retention', () => {
  const rolled = (folder: string, names: readonly string[], bytes = 100): void => {
    names.forEach((name, index) => {
      const file = path.join(folder, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, 'x'.repeat(bytes))
      const days = names.length - index
      fs.utimesSync(file, new Date(), new Date(Date.now() - days * 86_400_000))
    })
  }

  async function kept(folder: string, more: object): Promise<string[]> {
    const logging = shardlog.configure({ appenders: { r: appender(folder, { maxSize: '1MB', ...more }) } })
    await logging.close()
    return filesIn(folder).filter(name => name !== 'app.log')
  }

  it('keeps so many files', async () => {
    const folder = tempDir()
    rolled(folder, ['app-1.log', 'app-2.log', 'app-10.log', 'app-9.log', 'other-1.log', 'app-x.log'])
    expect(await kept(folder, { maxFiles: 2 })).toEqual(['app-10.log', 'app-9.log', 'app-x.log', 'other-1.log'])
  })

  it('keeps files up to an age', async () => {
    const folder = tempDir()
    rolled(folder, ['app-1.log', 'app-2.log', 'app-3.log', 'app-4.log'])
    expect(await kept(folder, { maxAge: '60 hours' })).toEqual(['app-3.log', 'app-4.log'])
  })

  it('keeps files up to a size of all', async () => {
    const folder = tempDir()
    rolled(folder, ['app-1.log', 'app-2.log', 'app-3.log'], 1024)
    expect(await kept(folder, { maxTotalSize: '2KB' })).toEqual(['app-2.log', 'app-3.log'])
  })

  it('reaches into folders that the dates name', async () => {
    const folder = tempDir()
    rolled(folder, ['2026/01/app-1.log', '2026/02/app-1.log', '2026/02/app-2.log', '2026/keep.log'])
    const filePattern = path.join(folder, '%d{yyyy/MM}/app-%i.log')
    expect(await kept(folder, { maxFiles: 1, filePattern })).toEqual(['2026/02/app-2.log', '2026/keep.log'])
  })

  it('finishes what an earlier process had begun to rename and to compress', () => {
    const folder = tempDir()
    const begun = ['.app-1.log.gz.1-0-0.tmp', 'app.log.rolled.app-3.log', 'app.log.rolled.app-4.log']
    rolled(folder, ['app-1.log', 'app-2.log', ...begun])
    fs.truncateSync(path.join(folder, 'app.log.rolled.app-4.log'))
    const logging = {
      appenders: { r: appender(folder, { maxSize: '1MB', filePattern: path.join(folder, 'app-%i.log.gz') }) }
    }
    const { status, stderr } = runChild('shardlog.configure(config).close()', { config: logging })
    expect([status, stderr]).toEqual([0, ''])
    expect(fs.readdirSync(folder).sort()).toEqual(['app-1.log.gz', 'app-2.log.gz', 'app-3.log.gz', 'app.log'])
    expect(contentOf(path.join(folder, 'app-1.log.gz'))).toBe('x'.repeat(100))
    expect(contentOf(path.join(folder, 'app-3.log.gz'))).toBe('x'.repeat(100))
  })

  it('says what Zstandard needs where Node has none, and compresses where it has', async () => {
    const folder = tempDir()
    rolled(folder, ['app-1.log'])
    const filePattern = path.join(folder, 'app-%i.log.zst')
    if ('createZstdCompress' in zlib) {
      expect(await kept(folder, { filePattern })).toEqual(['app-1.log.zst'])
    } else {
      await expect(kept(folder, { filePattern })).rejects.toThrow(/needs a Node with Zstandard.*Use \.gz/)
    }
  })
})

/**
 * Logs a record at each of the times, by a clock that is put there, and gives the appender the time
 * to notice. The names of the files that there are then, with their records.
 */
function rolledAt(
  zone: string,
  filePattern: string,
  times: readonly string[],
  more: object = {}
): Record<string, number[]> {
  const folder = tempDir()
  const r = appender(folder, { ...more, filePattern: path.join(folder, filePattern) })
  const script = `
    let offset = 0
    const now = Date.now
    Date.now = () => now() + offset
    async function run() {
      const first = Date.parse(config.times[0])
      offset = first - now()
      let logging = shardlog.configure(config.logging)
      let n = 0
      for (const time of config.times) {
        if (time === 'restart') {
          await logging.close()
          // As if what was written had been written by that clock.
          const stat = require('node:fs').statSync(config.logging.appenders.r.fileName)
          require('node:fs').utimesSync(config.logging.appenders.r.fileName, stat.atime, new Date(Date.now()))
          offset = Date.parse(config.times[n + 2]) - now()
          logging = shardlog.configure(config.logging)
          continue
        }
        offset = Date.parse(time) - now()
        // The appender looks once a second.
        await new Promise(resolve => setTimeout(resolve, 1100))
        logging.getLogger().info({ n: n++ })
        await logging.flush()
      }
      await logging.close()
    }
    run()`
  const { TZ } = process.env
  process.env.TZ = zone
  const { stderr, status } = runChild(script, { config: { logging: { appenders: { r } }, times } })
  if (TZ === undefined) delete process.env.TZ
  else process.env.TZ = TZ
  expect([status, stderr]).toEqual([0, ''])
  return Object.fromEntries(filesIn(folder).map(name => [name, numbersIn([path.join(folder, name)])]))
}

describe('rolling by time', () => {
  it('names files by the period that they are of, across midnight of the time zone', () => {
    const times = ['2026-03-01T22:59:50Z', '2026-03-01T23:00:02Z', '2026-03-03T12:00:00Z', '2026-03-03T12:00:05Z']
    expect(rolledAt('Europe/Berlin', 'app-%d{yyyy-MM-dd}.log', times)).toEqual({
      'app-2026-03-01.log': [0],
      'app-2026-03-02.log': [1],
      'app.log': [2, 3]
    })
  })

  it('rolls the longest day once, at its end', () => {
    const times = ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z', '2026-10-25T22:59:30Z', '2026-10-25T23:00:05Z']
    expect(rolledAt('Europe/Berlin', 'app-%d{yyyy-MM-dd}.log', times)).toEqual({
      'app-2026-10-25.log': [0, 1, 2],
      'app.log': [3]
    })
  })

  it('has one file for the hour that comes twice, and none for the one that does not come', () => {
    const autumn = ['2026-10-25T00:10:00Z', '2026-10-25T01:10:00Z', '2026-10-25T02:10:00Z']
    expect(rolledAt('Europe/Berlin', 'app-%d{yyyy-MM-dd-HH}.log', autumn)).toEqual({
      'app-2026-10-25-02.log': [0, 1],
      'app.log': [2]
    })
    const spring = ['2026-03-29T00:59:50Z', '2026-03-29T01:00:05Z', '2026-03-29T02:00:05Z']
    expect(rolledAt('Europe/Berlin', 'app-%d{yyyy-MM-dd-HH}.log', spring)).toEqual({
      'app-2026-03-29-01.log': [0],
      'app-2026-03-29-03.log': [1],
      'app.log': [2]
    })
  })

  it('goes on where the clock is put back a little, and begins anew where it was wrong by hours', () => {
    const little = ['2026-03-01T23:59:58Z', '2026-03-02T00:00:01Z', '2026-03-01T23:59:59Z', '2026-03-02T00:00:03Z']
    expect(rolledAt('UTC', 'app-%d{yyyy-MM-dd}.log', little)).toEqual({
      'app-2026-03-01.log': [0],
      'app.log': [1, 2, 3]
    })
    const much = ['2031-01-01T00:00:00Z', '2026-03-02T10:00:00Z', '2026-03-03T10:00:00Z']
    expect(rolledAt('UTC', 'app-%d{yyyy-MM-dd}.log', much)).toEqual({
      'app-2026-03-02.log': [1],
      'app-2031-01-01.log': [0],
      'app.log': [2]
    })
  })

  it('rolls at the start what an earlier day left, under its own date', () => {
    const times = ['2026-03-01T12:00:00Z', 'restart', '2026-03-04T12:00:00Z', 'restart', '2026-03-04T13:00:00Z']
    expect(rolledAt('UTC', 'app-%d{yyyy-MM-dd}.log', times)).toEqual({ 'app-2026-03-01.log': [0], 'app.log': [1, 2] })
  })
})
