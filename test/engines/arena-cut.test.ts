import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { prelude, runChild } from '../support/child'
import { readTexts } from '../support/plain-reader'
import { BUSY, OPEN, RECORDS_ON_THEIR_WAY } from '../support/records-on-their-way'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** How another program may cut the file `arena`, of `size` bytes. */
const CUTS = {
  'to nothing': 'fs.truncateSync(arena, 0)',
  'by a shell': "require('node:child_process').execFileSync('sh', ['-c', '> \"$0\"', arena])",
  'in its first page': 'fs.truncateSync(arena, 1000)',
  'in the middle': 'fs.truncateSync(arena, Math.floor(size / 2) + 100)',
  'and grown again': 'fs.truncateSync(arena, 0); fs.truncateSync(arena, size)',
  'by a hole':
    "require('node:child_process').execFileSync('fallocate', ['-p', '-o', '0', '-l', String(size / 2 | 0), arena])",
  'again and again': 'fs.truncateSync(arena, 0); setTimeout(() => fs.truncateSync(arena, 65536), 150)'
}

/** Logs before and after the cut, lets the flusher notice it, logs on, and dies of SIGKILL. */
const script = (cut: string): string => `
  const fs = require('node:fs')
  const told = []
  const logger = new Logger({ ...config, onError: error => told.push(error.code) })
  const { arenaPath: arena } = logger.getStatsSnapshot()
  const size = fs.statSync(arena).size
  let next = 0
  const log = count => { for (let i = 0; i < count; i++) if (!logger.log('entry ' + next++)) throw new Error('dropped') }
  log(100)
  logger.flushSync()
  log(50)
  ${cut}
  log(50)
  let mended = 0
  setTimeout(() => { mended = next }, 400)
  const busy = setInterval(() => log(20), 5)
  setTimeout(() => {
    log(500)
    const { arenaPath, lastError } = logger.getStatsSnapshot()
    fs.writeSync(1, JSON.stringify({ next, mended, told, arenaPath, message: lastError.message }))
    process.kill(process.pid, 'SIGKILL')
  }, 600)`

/** What is found to be lost when a log is closed is said on standard error. */
const SAID = /^(shardlog: \d+ entries for \S+ are lost: the arena \S+ was cut by another program.*\n)*$/

const numbersOf = (texts: readonly string[]): number[] =>
  texts.map(text => {
    expect(text).toMatch(/^entry \d+$/)
    return Number(text.slice('entry '.length))
  })

/** What is there comes once, and in order. */
function expectRising(numbers: readonly number[]): void {
  expect(numbers.every((n, i) => i === 0 || n > numbers[i - 1]!)).toBe(true)
}

describe('an arena whose file is cut while its log is open', () => {
  it.each(Object.entries(CUTS).flatMap(([name, cut]) => ['file', 'shm'].map(crashSafe => ({ name, cut, crashSafe }))))(
    '$name, $crashSafe: it is told, and a kill afterwards loses nothing',
    ({ cut, crashSafe }) => {
      const logFilePath = tempLog()
      const config = { logFilePath, engine: 'native', flushInterval: 50, bufferSize: 1 << 21, numShards: 2, crashSafe }
      const killed = runChild(script(cut), { config })
      expect(killed.stderr).toBe('')
      const { next, mended, told, arenaPath, message } = JSON.parse(killed.stdout)
      expect(new Set(told)).toEqual(new Set(['ERR_SHARDLOG_ARENA_LOST']))
      expect(message).toContain('was cut by another program; a new file has taken its place')
      if (crashSafe === 'file') expect(arenaPath).toBe(arenaOf(logFilePath))
      new Logger(config as never).closeSync()
      const numbers = numbersOf(readTexts(logFilePath))
      expectRising(numbers)
      expect(numbers.slice(0, 100)).toEqual(Array.from({ length: 100 }, (_, i) => i))
      const afterwards = numbers.filter(n => n >= mended)
      expect(afterwards).toEqual(Array.from({ length: next - mended }, (_, i) => mended + i))
      const rest = fs.readdirSync(path.dirname(logFilePath)).filter(name => name.endsWith('.arena'))
      expect(rest).toEqual([])
    }
  )

  it.each(Object.entries(CUTS))('%s: each entry is in the log, or counted', (_, cut) => {
    const logFilePath = tempLog()
    const config = { logFilePath, engine: 'native', flushInterval: 20, bufferSize: 1 << 21, numShards: 2 }
    const ended = runChild(
      `const fs = require('node:fs')
       const logger = new Logger({ ...config, onError: () => {} })
       const { arenaPath: arena } = logger.getStatsSnapshot()
       const size = fs.statSync(arena).size
       let next = 0
       const busy = setInterval(() => { for (let i = 0; i < 500; i++) logger.log('entry ' + next++) }, 1)
       setTimeout(() => { ${cut} }, 100)
       setTimeout(() => {
         clearInterval(busy)
         logger.closeSync()
         const { totalLogs, writtenLogs, droppedLogs } = logger.getStatsSnapshot()
         console.log(JSON.stringify({ next, totalLogs, writtenLogs, droppedLogs }))
       }, 400)`,
      { config }
    )
    expect(ended.stderr).toMatch(SAID)
    const { next, totalLogs, writtenLogs, droppedLogs } = JSON.parse(ended.stdout)
    const numbers = numbersOf(readTexts(logFilePath))
    expectRising(numbers)
    expect({ totalLogs, written: writtenLogs, droppedLogs }).toEqual({
      totalLogs: next,
      written: numbers.length,
      droppedLogs: next - numbers.length
    })
  })

  it.each(RECORDS_ON_THEIR_WAY)(
    'records that are on their way are whole, or counted: $format, $options',
    ({ format, options }) => {
      const dest = tempLog()
      const config = { dest, format, ...BUSY, options }
      const ended = runChild(
        `${OPEN}
       const { size } = fs.statSync(arenaPath)
       const cuts = [0, 1000, 8192, Math.floor(size / 3), Math.floor(size / 2) + 100]
       let cut = 0
       const step = () => {
         say()
         if (told.length === 60) return end()
         if (told.length === cut) fs.truncateSync(arenaPath, cuts[cut++ % cuts.length])
         setImmediate(step)
       }
       const end = () => {
         destination.closeSync()
         const { totalLogs, writtenLogs, droppedLogs } = destination.getStatsSnapshot()
         console.log(JSON.stringify({ n, told: [...new Set(told)], totalLogs, writtenLogs, droppedLogs }))
       }
       step()`,
        { config }
      )
      expect(ended.stderr).toMatch(SAID)
      const { n, told, totalLogs, writtenLogs, droppedLogs } = JSON.parse(ended.stdout)
      const lines = format === 'shard' ? readTexts(dest).join('') : fs.readFileSync(dest, 'utf8')
      const records = lines
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as { n: number; within: { n: number } })
      expect(records.every(({ n, within }) => within.n === n + 1)).toBe(true)
      expectRising(records.map(({ n }) => n))
      expect({ told, totalLogs, writtenLogs, droppedLogs }).toEqual({
        told: ['ERR_SHARDLOG_ARENA_LOST'],
        totalLogs: n,
        writtenLogs: records.length,
        droppedLogs: n - records.length
      })
    }
  )

  it('threads log on', () => {
    const logFilePath = tempLog()
    const config = {
      logFilePath,
      engine: 'native',
      flushInterval: 5,
      bufferSize: 1 << 21,
      numShards: 2,
      onFull: 'block'
    }
    const thread = `
      const { workerData } = require('node:worker_threads')
      const logger = new Logger(config)
      for (let i = 0; i < 100000; i++) logger.log('entry ' + (workerData * 1000000 + i))
      logger.closeSync()`
    const ended = runChild(
      `const fs = require('node:fs')
       const { Worker } = require('node:worker_threads')
       const logger = new Logger({ ...config, onError: () => {} })
       const { arenaPath } = logger.getStatsSnapshot()
       let left = 3
       const cut = () => {
         try { fs.truncateSync(arenaPath, 0) } catch (error) {
           if (error.code !== 'ENOENT') throw error // Another takes its place.
         }
       }
       const cutting = setInterval(cut, 3)
       for (let t = 1; t <= 3; t++) {
         new Worker(${JSON.stringify(prelude(config) + thread)}, { eval: true, workerData: t }).on('exit', () => {
           if (--left > 0) return
           clearInterval(cutting)
           logger.closeSync()
           const { totalLogs, writtenLogs, droppedLogs } = logger.getStatsSnapshot()
           console.log(JSON.stringify({ totalLogs, writtenLogs, droppedLogs }))
         })
       }`,
      { config }
    )
    expect(ended.stderr).toMatch(SAID)
    const { totalLogs, writtenLogs, droppedLogs } = JSON.parse(ended.stdout)
    const numbers = numbersOf(readTexts(logFilePath))
    for (const t of [1, 2, 3]) expectRising(numbers.filter(n => Math.floor(n / 1000000) === t))
    expect({ totalLogs, writtenLogs, droppedLogs }).toEqual({
      totalLogs: 300000,
      writtenLogs: numbers.length,
      droppedLogs: 300000 - numbers.length
    })
  })

  it.each(['closeSync', 'close'])('%s tells of what it finds', close => {
    const logFilePath = tempLog()
    const ended = runChild(
      `const fs = require('node:fs')
       const told = []
       const logger = new Logger({ ...config, onError: error => told.push(error.message) })
       for (let i = 0; i < 100; i++) logger.log('entry ' + i)
       fs.truncateSync(logger.getStatsSnapshot().arenaPath, 0)
       ;(async () => {
         await logger.${close}()
         for (let turn = 0; told.length === 0 && turn < 500; turn++) await new Promise(resolve => setTimeout(resolve, 10))
         const { totalLogs, droppedLogs } = logger.getStatsSnapshot()
         console.log(JSON.stringify({ told, totalLogs, droppedLogs }))
       })()`,
      { config: { logFilePath, engine: 'native', flushInterval: 3_600_000 } }
    )
    const { told, totalLogs, droppedLogs } = JSON.parse(ended.stdout)
    expect(told).toEqual([expect.stringContaining('100 entries are lost')])
    expect({ totalLogs, droppedLogs }).toEqual({ totalLogs: 100, droppedLogs: 100 })
    expect(ended.stderr).toMatch(SAID)
  })

  it('flush fails for what is lost, and not for what comes afterwards', () => {
    const logFilePath = tempLog()
    const ended = runChild(
      `const fs = require('node:fs')
       const logger = new Logger({ ...config, onError: () => {} })
       const said = []
       const cut = () => {
         logger.log('lost')
         fs.truncateSync(logger.getStatsSnapshot().arenaPath, 0)
       }
       ;(async () => {
         cut()
         try { logger.flushSync() } catch ({ code }) { said.push(code) }
         cut()
         await logger.flush().catch(({ code }) => said.push(code))
         for (let i = 0; i < 10; i++) logger.log('entry ' + i)
         await logger.flush()
         logger.flushSync()
         console.log(JSON.stringify({ said }))
         process.kill(process.pid, 'SIGKILL')
       })()`,
      { config: { logFilePath, engine: 'native', flushInterval: 3_600_000 } }
    )
    expect(ended.stderr).toBe('')
    const { said } = JSON.parse(ended.stdout)
    expect(said).toEqual(['ERR_SHARDLOG_ARENA_LOST', 'ERR_SHARDLOG_ARENA_LOST'])
    expect(numbersOf(readTexts(logFilePath))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('flushes end when the words that they wait for come back as zeroes', () => {
    const logFilePath = tempLog()
    const ended = runChild(
      `const { spawn } = require('node:child_process')
       const logger = new Logger({ ...config, onError: () => {} })
       const { arenaPath } = logger.getStatsSnapshot()
       let n = 0
       let pending = 0
       let punched = 0
       const punch = () => {
         if (++punched > 5) return
         spawn('fallocate', ['-p', '-o', '0', '-l', '65536', arenaPath]).on('exit', () => setTimeout(punch, 30))
       }
       punch()
       const step = () => {
         for (let i = 0; i < 20; i++) logger.log('entry ' + n++)
         pending++
         const settled = () => pending--
         logger.flush().then(settled, settled)
         // It fails if entries are lost, which are counted at the end.
         try { logger.flushSync() } catch {}
         if (punched <= 5) return setImmediate(step)
         // Nothing more is logged: what waits ends by itself.
         const wait = setInterval(() => {
           if (pending > 0) return
           clearInterval(wait)
           logger.closeSync()
           const { totalLogs, writtenLogs, droppedLogs } = logger.getStatsSnapshot()
           console.log(JSON.stringify({ n, totalLogs, writtenLogs, droppedLogs }))
         }, 10)
       }
       step()`,
      { config: { logFilePath, engine: 'native', flushInterval: 1, bufferSize: 1 << 20, numShards: 2 } }
    )
    expect(ended.stderr).toMatch(SAID)
    const { n, totalLogs, writtenLogs, droppedLogs } = JSON.parse(ended.stdout)
    const numbers = numbersOf(readTexts(logFilePath))
    expectRising(numbers)
    expect({ totalLogs, writtenLogs, droppedLogs }).toEqual({
      totalLogs: n,
      writtenLogs: numbers.length,
      droppedLogs: n - numbers.length
    })
  })

  it('a recorder whose arena is cut counts what it cannot record', () => {
    const dest = tempLog()
    const config = { dest, format: 'ndjson', engine: 'native', path: path.join(path.dirname(dest), 'ring') }
    const ended = runChild(
      `const fs = require('node:fs')
       const { path, ...rest } = config
       const destination = shardlog.destination(rest)
       const log = shardlog({ base: null, recorder: { capacity: 1000, path } }, destination)
       for (let i = 0; i < 100; i++) log.info({ i }, 'a message')
       const { path: ring } = shardlog.getLoggerStats(log).recorder
       fs.truncateSync(ring ?? path, 0)
       for (let i = 0; i < 20000; i++) log.info({ i }, 'a message')
       const { dropped } = shardlog.getLoggerStats(log).recorder
       destination.closeSync()
       console.log(JSON.stringify({ dropped }))`,
      { config }
    )
    expect(ended.stderr).toBe('')
    expect(JSON.parse(ended.stdout).dropped).toBeGreaterThan(0)
    expect(fs.readFileSync(dest, 'utf8').trimEnd().split('\n')).toHaveLength(20100)
  })
})
