import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { engines, small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { Logger, type StatsSnapshot } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** Of a log that is open: its flusher may make the arena anew between two steps of the removal. */
const removeFolderOf = (file: string): void =>
  fs.rmSync(path.dirname(file), { recursive: true, maxRetries: 10, retryDelay: 1 })

describe.each(engines)('%s engine', engine => {
  it('a deleted log is created again by the next flush', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    logger.log('lost with its file')
    await logger.flush()
    fs.rmSync(logFilePath)
    logger.log('after')
    await logger.flush()
    expect(readTexts(logFilePath)).toEqual(['after'])
    expect(logger.getStatsSnapshot()).toMatchObject({ reopens: 1, writtenLogs: 2, flushErrors: 0 })
    await logger.close()
  })

  it('a renamed log keeps what it has, and the path gets a new one', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    for (let i = 0; i < 3; i++) {
      logger.log(`file ${i}`)
      await logger.flush()
      fs.renameSync(logFilePath, `${logFilePath}.${i}`)
    }
    logger.log('last')
    await logger.close()
    for (let i = 0; i < 3; i++) expect(readTexts(`${logFilePath}.${i}`)).toEqual([`file ${i}`])
    expect(readTexts(logFilePath)).toEqual(['last'])
  })

  it('a log replaced by another file is appended to behind what that one holds', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    logger.log('a')
    await logger.flush()
    const copy = `${logFilePath}.copy`
    fs.copyFileSync(logFilePath, copy)
    fs.renameSync(copy, logFilePath)
    logger.log('b')
    await logger.flush()
    expect(readTexts(logFilePath)).toEqual(['a', 'b'])
    expect(logger.getStatsSnapshot().reopens).toBe(1)
    await logger.close()
  })

  it.each([0, 512, 700, 1_024])('a log truncated to %i bytes is appended to on the next boundary', async length => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    for (let i = 0; i < 3; i++) {
      logger.log(`block ${i} ${'x'.repeat(300)}`)
      await logger.flush()
    }
    fs.truncateSync(logFilePath, length)
    logger.log('after')
    await logger.close()
    const texts = readTexts(logFilePath)
    expect(texts.at(-1)).toBe('after')
    expect(texts.slice(0, Math.floor(length / 512))).toEqual(
      Array.from({ length: Math.floor(length / 512) }, (_, i) => `block ${i} ${'x'.repeat(300)}`)
    )
  })

  it('what another program appends meanwhile stays, and the next block begins behind it', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    logger.log('a')
    await logger.flush()
    const size = fs.statSync(logFilePath).size
    await logger.close()
    const again = new Logger(small(logFilePath, engine))
    again.log('b')
    await again.flush()
    fs.appendFileSync(logFilePath, 'foreign')
    again.log('c')
    await again.close()
    const file = fs.readFileSync(logFilePath)
    expect(file.includes('foreign')).toBe(true)
    expect(file.length % 512).toBe(0)
    expect(file.subarray(-512).includes('c')).toBe(true)
    expect(size % 512).toBe(0)
  })

  it('the directory disappears: flush rejects, onError is told, and logging resumes when it is back', async () => {
    const logFilePath = path.join(path.dirname(tempLog()), 'sub', 'app.log')
    fs.mkdirSync(path.dirname(logFilePath))
    const told: string[] = []
    const logger = new Logger({ ...small(logFilePath, engine), onError: error => told.push(error.code) })
    logger.log('a')
    await logger.flush()
    fs.renameSync(path.dirname(logFilePath), `${path.dirname(logFilePath)}.gone`)
    logger.log('b')
    await expect(logger.flush()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_WRITE', errno: 'ENOENT' })
    expect(() => logger.flushSync()).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_WRITE' }))
    expect(logger.log('c')).toBe(true)
    const failing = logger.getStatsSnapshot()
    expect(failing.flushErrors).toBeGreaterThanOrEqual(2)
    expect(failing.lastError).toMatchObject({ code: 'ERR_SHARDLOG_WRITE', errno: 'ENOENT' })
    expect(logger.getFlushMetrics().lastError).toMatchObject({ code: 'ERR_SHARDLOG_WRITE' })
    fs.mkdirSync(path.dirname(logFilePath))
    await logger.flush()
    expect(readTexts(logFilePath)).toEqual(['b', 'c'])
    await logger.close()
    const expected = ['ERR_SHARDLOG_WRITE', 'ERR_SHARDLOG_RESUMED']
    while (!told.includes('ERR_SHARDLOG_RESUMED')) await new Promise(resolve => setImmediate(resolve))
    // The arena went with the directory, too.
    expect(told.filter(code => code !== 'ERR_SHARDLOG_ARENA_LOST')).toEqual(expected)
    expect(logger.getStatsSnapshot().lastError).not.toBeNull()
  })

  it('a set that failed is written again by itself when the cause is gone', async () => {
    const logFilePath = path.join(path.dirname(tempLog()), 'sub', 'app.log')
    fs.mkdirSync(path.dirname(logFilePath))
    const logger = new Logger(small(logFilePath, engine))
    removeFolderOf(logFilePath)
    logger.log('kept')
    await expect(logger.flush()).rejects.toThrow()
    fs.mkdirSync(path.dirname(logFilePath))
    while (logger.getStatsSnapshot().writtenLogs === 0) await new Promise(resolve => setTimeout(resolve, 5))
    expect(readTexts(logFilePath)).toEqual(['kept'])
    await logger.close()
  })

  it('while a set cannot be written entries go to the other, then the policy decides; a call never throws', async () => {
    const logFilePath = path.join(path.dirname(tempLog()), 'sub', 'app.log')
    fs.mkdirSync(path.dirname(logFilePath))
    const logger = new Logger({ ...small(logFilePath, engine), onFull: 'block', blockTimeout: 20 })
    removeFolderOf(logFilePath)
    const entry = 'x'.repeat(1_000)
    let accepted = 0
    while (logger.log(entry)) accepted++
    // Two sets of 128 KiB, less what does not fit at the ends of segments.
    expect(accepted).toBeGreaterThan(180)
    expect(logger.getStatsSnapshot()).toMatchObject({ droppedLogs: 1, blockedLogs: 1 })
    fs.mkdirSync(path.dirname(logFilePath))
    await logger.close()
    expect(readTexts(logFilePath)).toHaveLength(accepted)
  })

  it('while writing fails one call waits, and each does again when it works', async () => {
    const logFilePath = path.join(path.dirname(tempLog()), 'sub', 'app.log')
    fs.mkdirSync(path.dirname(logFilePath))
    const logger = new Logger({ ...small(logFilePath, engine), onFull: 'block', blockTimeout: 20 })
    const entry = 'x'.repeat(1_000)
    const blocked = (): number => logger.getStatsSnapshot().blockedLogs
    for (let outage = 1; outage <= 2; outage++) {
      removeFolderOf(logFilePath)
      await expect(logger.log(entry) && logger.flush()).rejects.toThrow()
      // Before the flusher is found to fail, a call may wait for the other set in vain.
      while (logger.log(entry));
      const waited = blocked()
      for (let i = 0; i < 1_000; i++) logger.log(entry)
      expect([outage, blocked() - waited]).toEqual([outage, 0])
      fs.mkdirSync(path.dirname(logFilePath))
      while (!logger.log(entry)) await new Promise(resolve => setTimeout(resolve, 5))
      await logger.flush()
    }
    const { totalLogs, droppedLogs, writtenLogs } = logger.getStatsSnapshot()
    expect(writtenLogs).toBe(totalLogs - droppedLogs)
    await logger.close()
  })

  it('what cannot be written at close is counted, and close says so; a second close succeeds', async () => {
    const logFilePath = path.join(path.dirname(tempLog()), 'sub', 'app.log')
    fs.mkdirSync(path.dirname(logFilePath))
    const logger = new Logger({ ...small(logFilePath, engine), crashSafe: false })
    removeFolderOf(logFilePath)
    for (let i = 0; i < 5; i++) logger.log('x')
    await expect(logger.close()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_WRITE' })
    await logger.close()
    expect(logger.getStatsSnapshot()).toMatchObject({ totalLogs: 5, droppedLogs: 5, writtenLogs: 0 })
  })

  it('a file size limit: short writes and EFBIG leave whole blocks, each entry once', () => {
    const logFilePath = tempLog()
    const script = `
      process.on('SIGXFSZ', () => {})
      const logger = new Logger(config)
      const accepted = []
      for (let i = 0; i < 400; i++) if (logger.log('entry ' + i + ' ' + 'x'.repeat(500))) accepted.push(i)
      let code = 'none'
      try { logger.flushSync() } catch (error) { code = error.code + ' ' + error.errno }
      const stats = logger.getStatsSnapshot()
      console.log(JSON.stringify({ code, accepted: accepted.length, stats }))`
    const limit = 100 * 1_024
    const result = runChild(script, {
      config: { ...small(logFilePath, engine), crashSafe: false },
      fileSizeLimit: limit
    })
    expect(result.stderr).toMatch(/^shardlog: \d+ entries for .* are lost: .*too large[^\n]*\n$/)
    const { code, accepted, stats } = JSON.parse(result.stdout) as {
      code: string
      accepted: number
      stats: StatsSnapshot
    }
    expect(code).toBe('ERR_SHARDLOG_WRITE EFBIG')
    expect(stats.flushErrors).toBeGreaterThan(0)
    const texts = readTexts(logFilePath, true)
    expect(texts.length).toBeLessThan(accepted)
    expect(new Set(texts).size).toBe(texts.length)
    expect(fs.statSync(logFilePath).size).toBeLessThanOrEqual(limit)
  })
})
