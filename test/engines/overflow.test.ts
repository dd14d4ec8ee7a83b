import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { engines, small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** Fills one buffer set several times over. */
const ENTRIES = 3_000
const ENTRY = 'x'.repeat(200)

describe.each(engines)('%s engine', engine => {
  it('drop: calls are refused and counted when nothing has room; total = dropped + written', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine), onFull: 'drop' })
    const accepted: string[] = []
    for (let i = 0; i < ENTRIES; i++) if (logger.log(`${i} ${ENTRY}`)) accepted.push(`${i} ${ENTRY}`)
    await logger.close()
    const stats = logger.getStatsSnapshot()
    expect(stats.totalLogs).toBe(ENTRIES)
    expect(stats.droppedLogs).toBe(ENTRIES - accepted.length)
    expect(stats.writtenLogs).toBe(accepted.length)
    expect(stats.blockedLogs).toBe(0)
    expect(readTexts(logFilePath)).toEqual(accepted)
  })

  it('drop: no entry is dropped while a set is free', () => {
    const logger = new Logger({ ...small(tempLog(), engine), onFull: 'drop' })
    // Both sets hold 2 x 2 shards of 64 KiB. The first set is swapped when a shard of it is nearly
    // full, and writing it may take longer than filling the second one; and a segment's end too
    // short for the next entry is lost.
    const fits = Math.floor(((0.85 + 2) * 65_536 * 0.9) / (4 + ENTRY.length))
    for (let i = 0; i < fits; i++) expect(logger.log(ENTRY)).toBe(true)
    expect(logger.getStatsSnapshot().droppedLogs).toBe(0)
    logger.closeSync()
  })

  it('drop: after a flush there is room again', async () => {
    const logger = new Logger({ ...small(tempLog(), engine), onFull: 'drop' })
    for (let i = 0; i < ENTRIES; i++) logger.log(ENTRY)
    await logger.flush()
    expect(logger.log('again')).toBe(true)
    await logger.close()
  })

  it('block: nothing is dropped, and calls that waited are counted', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({
      ...small(logFilePath, engine),
      onFull: 'block',
      blockTimeout: Number.POSITIVE_INFINITY
    })
    const bytes = Buffer.alloc(1_000, 'b')
    // Until the producer has outrun the flusher, which on a busy machine may take more than one
    // burst.
    let total = 0
    for (let bursts = 0; bursts < 50 && logger.getStatsSnapshot().blockedLogs === 0; bursts++) {
      let accepted = 0
      for (let i = 0; i < ENTRIES; i++) accepted += Number(i % 2 ? logger.log(ENTRY) : logger.logBytes(bytes))
      expect(accepted).toBe(ENTRIES)
      total += ENTRIES
    }
    await logger.close()
    expect(logger.getStatsSnapshot()).toMatchObject({ droppedLogs: 0, totalLogs: total, writtenLogs: total })
    expect(logger.getStatsSnapshot().blockedLogs).toBeGreaterThan(0)
    expect(readTexts(logFilePath)).toHaveLength(total)
  })

  it('block: round-robin too', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine), onFull: 'block', shardSelection: 'round-robin' })
    for (let i = 0; i < ENTRIES; i++) expect(logger.log(`${i} ${ENTRY}`)).toBe(true)
    await logger.close()
    const numbers = readTexts(logFilePath).map(text => Number.parseInt(text, 10))
    expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: ENTRIES }, (_, i) => i))
  })

  it('large entries among small ones keep their order', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({
      ...small(logFilePath, engine),
      onFull: 'block',
      blockTimeout: Number.POSITIVE_INFINITY
    })
    const expected = Array.from({ length: 300 }, (_, i) => `${i}${i % 10 === 0 ? 'L'.repeat(30_000 + 100 * i) : ''}`)
    for (const text of expected) expect(logger.log(text)).toBe(true)
    await logger.close()
    expect(readTexts(logFilePath)).toEqual(expected)
  })

  it('many flushes at once all resolve, each with what was logged before it on the device', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const flushes = Array.from({ length: 20 }, async (_, i) => {
      logger.log(`entry ${i}`)
      await logger.flush()
      expect(readTexts(logFilePath)).toContain(`entry ${i}`)
    })
    await Promise.all(flushes)
    await logger.close()
    expect(readTexts(logFilePath)).toHaveLength(20)
  })

  it('flushSync writes before it returns', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    for (let i = 0; i < 5; i++) {
      logger.log(`${i}`)
      logger.flushSync()
      expect(readTexts(logFilePath)).toHaveLength(i + 1)
    }
    logger.closeSync()
    expect(fs.existsSync(`${logFilePath}.lock`)).toBe(false)
    expect(fs.existsSync(arenaOf(logFilePath))).toBe(false)
  })
})
