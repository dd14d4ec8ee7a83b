import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines, small } from '../support/engines'
import { readEntries, readPlain, readTexts, readTrailers } from '../support/plain-reader'
import { Logger, shardlog } from '../support/shardlog'
import { tempDir, tempLog } from '../support/temp'

describe.each(engines)('%s engine', engine => {
  function append(logFilePath: string, ...texts: string[]): void {
    const logger = new Logger(small(logFilePath, engine))
    for (const text of texts) expect(logger.log(text)).toBe(true)
    logger.closeSync()
  }

  it('an existing log is appended to, under a stream of its own that begins at 0', () => {
    const logFilePath = tempLog()
    append(logFilePath, 'a', 'b')
    append(logFilePath, 'c')
    append(logFilePath, 'd')
    expect(readTexts(logFilePath)).toEqual(['a', 'b', 'c', 'd'])
    const trailers = readTrailers(logFilePath)
    expect(trailers.map(trailer => trailer.sequence)).toEqual([0n, 0n, 0n])
    expect(new Set(trailers.map(trailer => trailer.stream)).size).toBe(3)
  })

  it('R6: a foreign tail is left as it is and rounded up', () => {
    const logFilePath = tempLog()
    append(logFilePath, 'ours')
    const before = fs.statSync(logFilePath).size
    const foreign = Buffer.alloc(700, 0)
    foreign.write('text of another program')
    fs.appendFileSync(logFilePath, foreign)
    append(logFilePath, 'ours again')
    const file = fs.readFileSync(logFilePath)
    expect(file.toString('latin1', before, before + 23)).toBe('text of another program')
    const at = Math.ceil((before + 700) / 512) * 512
    expect(file.readUInt32LE(at + 4)).toBe(4 + 'ours again'.length)
    expect(file.toString('latin1', at + 12, at + 22)).toBe('ours again')
  })

  it('D1: a torn last block is cut to its whole entries, and the next block lies behind it', () => {
    const logFilePath = tempLog()
    append(logFilePath, 'first')
    const torn = fs.statSync(logFilePath).size
    append(logFilePath, ...Array.from({ length: 200 }, (_, i) => `entry ${i} of the torn block`))
    fs.truncateSync(logFilePath, torn + 1_000)
    append(logFilePath, 'next')
    const blocks = readPlain(logFilePath).filter(block => block.valid > 0)
    const texts = blocks.flatMap(block => block.entries.map(String))
    expect(texts[0]).toBe('first')
    expect(texts.at(-1)).toBe('next')
    const between = texts.slice(1, -1)
    expect(between.length).toBeGreaterThan(30)
    expect(between).toEqual(between.map((_, i) => `entry ${i} of the torn block`))
  })

  it('D1: a torn last block without one whole entry is none, and does not swallow the next block', async () => {
    const logFilePath = tempLog()
    append(logFilePath, 'first')
    const torn = fs.statSync(logFilePath).size
    append(logFilePath, 'x'.repeat(3_000))
    fs.truncateSync(logFilePath, torn + 1_000)
    append(logFilePath, 'next')
    // Its first sector becomes fill; the rest could be somebody else's.
    expect(fs.readFileSync(logFilePath).subarray(torn, torn + 512)).toEqual(Buffer.alloc(512))
    const texts = []
    for await (const { text } of shardlog.readLog(logFilePath)) texts.push(text)
    expect(texts).toEqual(['first', 'next'])
  })

  it('an empty file and a file of fill are appended to', () => {
    const logFilePath = tempLog()
    fs.writeFileSync(logFilePath, '')
    append(logFilePath, 'a')
    expect(readTexts(logFilePath)).toEqual(['a'])
    fs.writeFileSync(logFilePath, Buffer.alloc(8_192))
    append(logFilePath, 'b')
    expect(readTexts(logFilePath)).toEqual(['b'])
  })

  it('an existing file keeps its mode', () => {
    const logFilePath = tempLog()
    fs.writeFileSync(logFilePath, '', { mode: 0o600 })
    append(logFilePath, 'a')
    expect(fs.statSync(logFilePath).mode & 0o777).toBe(0o600)
  })

  it('a path with spaces, letters of other scripts and %p', () => {
    const directory = path.join(tempDir(), 'with space', 'ünïcode 日志')
    fs.mkdirSync(directory, { recursive: true })
    append(path.join(directory, 'app %p.log'), 'a')
    expect(readTexts(path.join(directory, `app ${process.pid}.log`))).toEqual(['a'])
  })

  it('a symbolic link is followed', () => {
    const directory = tempDir()
    const target = path.join(directory, 'target.log')
    const link = path.join(directory, 'link.log')
    fs.writeFileSync(target, '')
    fs.symlinkSync(target, link)
    append(link, 'a')
    expect(readEntries(target)).toHaveLength(1)
    expect(fs.lstatSync(link).isSymbolicLink()).toBe(true)
  })

  it('a hundred openings and closings leave one block each and no file beside', () => {
    const logFilePath = tempLog()
    for (let i = 0; i < 100; i++) append(logFilePath, `${i}`)
    expect(readTexts(logFilePath)).toHaveLength(100)
    expect(fs.readdirSync(path.dirname(logFilePath))).toEqual(['app.log'])
  })
})
