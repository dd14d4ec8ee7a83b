import fs from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

const MIB = 2 ** 20
const GIB = 2 ** 30

afterEach(() => {
  vi.restoreAllMocks()
})

/** Opens the log with the JavaScript engine, logs an entry and closes it. Bytes read meanwhile. */
function appendCounting(logFilePath: string, text: string): number {
  let bytes = 0
  const readSync = fs.readSync as (...args: unknown[]) => number
  vi.spyOn(fs, 'readSync').mockImplementation(((...args: unknown[]) => {
    const count = readSync(...args)
    bytes += count
    return count
  }) as typeof fs.readSync)
  const logger = new Logger(small(logFilePath, 'js'))
  logger.log(text)
  logger.closeSync()
  vi.restoreAllMocks()
  return bytes
}

function logWith(...texts: string[]): string {
  const logFilePath = tempLog()
  const logger = new Logger(small(logFilePath, 'js'))
  for (const text of texts) logger.log(text)
  logger.closeSync()
  return logFilePath
}

/** The block that is written at the end of the file, but for its last `missing` bytes. */
function tear(logFilePath: string, missing: number): void {
  const { size } = fs.statSync(logFilePath)
  const logger = new Logger(small(logFilePath, 'js'))
  for (let i = 0; i < 200; i++) logger.log(`entry ${i} of the torn block`)
  logger.closeSync()
  fs.truncateSync(logFilePath, fs.statSync(logFilePath).size - missing)
  expect(fs.statSync(logFilePath).size).toBeGreaterThan(size)
}

describe('the JavaScript engine opens a log with holes', () => {
  it('reads what has data of a log that ends in a hole of a gigabyte', () => {
    const logFilePath = logWith('first', 'x'.repeat(20_000))
    fs.truncateSync(logFilePath, GIB)
    expect(appendCounting(logFilePath, 'next')).toBeLessThan(8 * MIB)
    expect(fs.statSync(logFilePath).size).toBe(GIB + 512)
    const tail = Buffer.alloc(512)
    const fd = fs.openSync(logFilePath, 'r')
    fs.readSync(fd, tail, 0, tail.length, GIB)
    fs.closeSync(fd)
    expect(tail.toString('latin1', 12, 16)).toBe('next')
  })

  it('reads nothing of a log that is one hole but the end', () => {
    const logFilePath = tempLog()
    fs.writeFileSync(logFilePath, '')
    fs.truncateSync(logFilePath, GIB)
    expect(appendCounting(logFilePath, 'next')).toBeLessThan(4 * MIB)
  })

  it('reads what has data of a log that begins with a hole of a gigabyte', () => {
    const logFilePath = tempLog()
    fs.writeFileSync(logFilePath, '')
    fs.truncateSync(logFilePath, GIB)
    fs.appendFileSync(logFilePath, 'text of another program')
    expect(appendCounting(logFilePath, 'next')).toBeLessThan(8 * MIB)
    expect(fs.statSync(logFilePath).size).toBe(GIB + 1024)
  })

  it('finds the torn block behind a hole', () => {
    const logFilePath = logWith('first')
    fs.truncateSync(logFilePath, 64 * MIB)
    tear(logFilePath, 700)
    appendCounting(logFilePath, 'next')
    const texts = readTexts(logFilePath)
    expect(texts[0]).toBe('first')
    expect(texts.at(-1)).toBe('next')
    const between = texts.slice(1, -1)
    expect(between.length).toBeGreaterThan(100)
    expect(between).toEqual(between.map((_, i) => `entry ${i} of the torn block`))
  })

  it('finds the torn block between holes that others have made the log go on with', () => {
    const logFilePath = logWith('first', 'second')
    const at = 40 * MIB
    const header = Buffer.alloc(8)
    header.writeUInt32LE(2 ** 30, 0)
    header.writeUInt32LE(2 ** 29, 4)
    fs.truncateSync(logFilePath, at)
    const entries = Buffer.concat([Buffer.from([5, 0, 0, 0]), Buffer.from('whole')])
    fs.appendFileSync(logFilePath, Buffer.concat([header, entries]))
    fs.truncateSync(logFilePath, 80 * MIB)
    appendCounting(logFilePath, 'next')
    expect(readTexts(logFilePath)).toEqual(['first', 'second', 'whole', 'next'])
  })
})
