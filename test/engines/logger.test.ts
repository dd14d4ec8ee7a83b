import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { FLUSH_BOUNDS_MS } from '../../lib/engine/engine'
import { prelude, runChild } from '../support/child'
import { engines, small } from '../support/engines'
import { readEntries, readPlain, readTexts, readTrailers } from '../support/plain-reader'
import { defaultConfig, Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

const JS_FLAG = 4

/** Runs `script` in `count` workers, each with its number as `worker`, and waits for their ends. */
async function inWorkers(count: number, config: object, script: string): Promise<void> {
  const source = `${prelude(config)}const worker = require('node:worker_threads').workerData\n${script}`
  const ends = Array.from({ length: count }, (_, workerData) => {
    const worker = new Worker(source, { eval: true, workerData })
    return new Promise<void>((resolve, reject) => {
      worker.once('error', reject)
      worker.once('exit', code => (code === 0 ? resolve() : reject(new Error(`exit code ${code}`))))
    })
  })
  await Promise.all(ends)
}

/** Each producer's numbers `<producer>:<n>` must be 0, 1, 2, … in file order. */
function expectEachInOrder(texts: string[], producers: number, each: number): void {
  const next = new Array<number>(producers).fill(0)
  for (const text of texts) {
    const [producer, n] = text.split(':').map(Number) as [number, number]
    expect(n).toBe(next[producer])
    next[producer] = n + 1
  }
  expect(next).toEqual(new Array<number>(producers).fill(each))
}

/** What a million calls did to the heap. */
interface Round {
  growth: number
  collections: number
}

describe.each(engines)('%s engine', engine => {
  it('TestLogger_BasicLogging: what is logged is in the file', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({
      ...defaultConfig(logFilePath),
      engine,
      crashSafe: engine === 'native' ? 'file' : false
    })
    expect(logger.log('first')).toBe(true)
    expect(logger.log('second')).toBe(true)
    await logger.close()
    expect(fs.existsSync(logFilePath)).toBe(true)
    expect(readTexts(logFilePath)).toEqual(['first', 'second'])
  })

  it('the file is created with mode 0644 less the umask', () => {
    const logFilePath = tempLog()
    new Logger({ logFilePath, engine }).closeSync()
    expect(fs.statSync(logFilePath).mode & 0o777).toBe(0o644 & ~process.umask())
  })

  it.each([8, 50, 100])('TestLogger_ConcurrentWrites: %i workers, nothing lost', async count => {
    const logFilePath = tempLog()
    const each = 200
    const config = { logFilePath, engine, bufferSize: 1 << 23, numShards: 8, onFull: 'block', dsync: false }
    await inWorkers(
      count,
      config,
      `const logger = new Logger(config)
       for (let i = 0; i < ${each}; i++) if (!logger.log(worker + ':' + i)) throw new Error('dropped')
       logger.closeSync()`
    )
    expectEachInOrder(readTexts(logFilePath), count, each)
  })

  it('TestLogger_BufferFillingAndSwapping: more than both sets hold, and one producer uses every shard', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({
      ...small(logFilePath, engine),
      onFull: 'block',
      blockTimeout: Number.POSITIVE_INFINITY
    })
    const expected = Array.from({ length: 20_000 }, (_, i) => `entry ${i} ${'x'.repeat(i % 90)}`)
    for (const text of expected) expect(logger.log(text)).toBe(true)
    await logger.close()
    const stats = logger.getStatsSnapshot()
    expect(stats.setSwaps).toBeGreaterThan(1)
    expect(stats.flushes).toBeGreaterThan(1)
    expect(stats.droppedLogs).toBe(0)
    expect(readTexts(logFilePath)).toEqual(expected)
  })

  it('the swap that ends a log is not counted as one that makes room', async () => {
    const logger = new Logger(small(tempLog(), engine))
    logger.log('flushed')
    logger.flushSync()
    logger.log('closed')
    await logger.close()
    expect(logger.getStatsSnapshot()).toMatchObject({ setSwaps: 1, flushes: 2, writtenLogs: 2 })
  })

  it('TestLogger_GracefulShutdown: close writes what no flush has written', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine) })
    for (let i = 0; i < 100; i++) logger.log(`0:${i}`)
    await logger.close()
    expectEachInOrder(readTexts(logFilePath), 1, 100)
  })

  it('TestLogger_DoubleClose: the second close succeeds, and so do flushes after it', async () => {
    const logger = new Logger(small(tempLog(), engine))
    logger.log('x')
    const closing = logger.close()
    await logger.close()
    await closing
    logger.closeSync()
    await logger.close()
    await logger.flush()
    logger.flushSync()
    expect(logger.getStatsSnapshot().writtenLogs).toBe(1)
  })

  it('closeSync during close waits for the end', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    logger.log('x')
    const closing = logger.close()
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(['x'])
    await closing
  })

  it('a log call after close is dropped and counted, and does not throw', async () => {
    const logger = new Logger(small(tempLog(), engine))
    logger.log('in')
    await logger.close()
    expect(logger.log('late')).toBe(false)
    expect(logger.logBytes(Buffer.from('late'))).toBe(false)
    expect(logger.getStatsSnapshot()).toMatchObject({ totalLogs: 3, droppedLogs: 2, writtenLogs: 1 })
  })

  it('TestLogger_Statistics: every call is counted, and every byte', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    for (let i = 0; i < 10; i++) logger.log('12345')
    logger.log('')
    logger.logBytes(Buffer.alloc(70_000))
    expect(logger.getStatsSnapshot()).toMatchObject({
      totalLogs: 12,
      droppedLogs: 2,
      emptyLogs: 1,
      oversizedLogs: 1,
      writtenLogs: 0,
      engine
    })
    await logger.flush()
    expect(logger.getStatsSnapshot()).toMatchObject({ writtenLogs: 10, payloadBytes: 50, flushes: 1, flushErrors: 0 })
    await logger.close()
    const stats = logger.getStatsSnapshot()
    expect(stats.bytesWritten).toBe(fs.statSync(logFilePath).size)
    expect(stats.lastError).toMatchObject({ code: 'ERR_SHARDLOG_OVERSIZED' })
    expect(stats.recoveredLogs).toBe(0)
    expect(stats.reopens).toBe(0)
  })

  it('flush metrics are in order and count the flushes', async () => {
    const logger = new Logger(small(tempLog(), engine))
    expect(logger.getFlushMetrics()).toMatchObject({ count: 0, avgFlushDurationMs: 0, maxFlushDurationMs: 0, p50: 0 })
    for (let i = 0; i < 5; i++) {
      logger.log('x')
      await logger.flush()
    }
    const metrics = logger.getFlushMetrics()
    expect(metrics.count).toBe(5)
    expect(metrics.avgFlushDurationMs).toBeGreaterThan(0)
    expect(metrics.p50).toBeLessThanOrEqual(metrics.p90)
    expect(metrics.p90).toBeLessThanOrEqual(metrics.p99)
    expect(metrics.p99).toBeLessThanOrEqual(metrics.p999)
    expect(metrics.p999).toBeLessThanOrEqual(metrics.maxFlushDurationMs * 1.03)
    expect(metrics.buckets.map(({ leMs }) => leMs)).toEqual(FLUSH_BOUNDS_MS)
    const counts = metrics.buckets.map(({ count }) => count)
    expect(counts).toEqual(counts.toSorted((a, b) => a - b))
    const longer = metrics.buckets.findIndex(({ leMs }) => leMs > metrics.maxFlushDurationMs * 1.04)
    expect(counts.slice(longer)).toEqual(counts.slice(longer).map(() => 5))
    const shorter = metrics.buckets.filter(({ leMs }) => leMs < metrics.p50 * 0.96)
    for (const { count } of shorter) expect(count).toBeLessThan(3)
    expect(metrics.lastError).toBeNull()
    await logger.close()
  })

  it('shard stats tell the active set’s use and all written entries', async () => {
    const logger = new Logger(small(tempLog(), engine))
    expect(logger.getShardStats()).toEqual([
      { shardId: 0, utilizationPct: 0, writeCount: 0 },
      { shardId: 1, utilizationPct: 0, writeCount: 0 }
    ])
    for (let i = 0; i < 100; i++) logger.log('x'.repeat(300))
    const used = logger.getShardStats().reduce((sum, shard) => sum + shard.utilizationPct, 0)
    expect(used).toBeGreaterThan((100 * 30_000) / 65_536)
    await logger.flush()
    expect(logger.getShardStats().reduce((sum, shard) => sum + shard.writeCount, 0)).toBe(100)
    await logger.close()
  })

  it('TestLogger_MessageWithoutNewline: bytes are stored as they are', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    for (const text of ['without', 'with\n', '\n', 'a\nb\r\n']) logger.log(text)
    await logger.close()
    expect(readTexts(logFilePath)).toEqual(['without', 'with\n', '\n', 'a\nb\r\n'])
  })

  it('TestLogger_LogBytes: whole arrays and ranges, as subarray takes them', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const bytes = Buffer.from('0123456789')
    const ranges: [number?, number?][] = [[], [3], [3, 5], [undefined, 4], [-3], [0, -1], [-4, -2], [5, 100], [-100, 2]]
    for (const [start, end] of ranges) expect(logger.logBytes(bytes, start, end)).toBe(true)
    for (const [start, end] of [[5, 5], [6, 3], [10], [0, 0]]) expect(logger.logBytes(bytes, start, end)).toBe(false)
    logger.logBytes(new Uint8Array([1, 2, 3]))
    logger.logBytes(bytes.subarray(8))
    await logger.close()
    const expected = ranges.map(([start, end]) => bytes.subarray(start, end))
    expect(readEntries(logFilePath)).toEqual([...expected, Buffer.from([1, 2, 3]), Buffer.from('89')])
    expect(logger.getStatsSnapshot()).toMatchObject({ emptyLogs: 4, droppedLogs: 4 })
  })

  it('TestLogger_LogBytes_ZeroAllocation: a million calls grow no heap and collect no garbage', () => {
    const config = { logFilePath: tempLog(), engine, bufferSize: 1 << 28, flushInterval: 0, dsync: false }
    // The best of some rounds: the optimiser, which works beside the program and allocates, is done
    // at some point.
    const script = `
      const { PerformanceObserver } = require('node:perf_hooks')
      const { setTimeout: sleep } = require('node:timers/promises')
      const logger = new Logger(config)
      const bytes = Buffer.alloc(64, 'a')
      const run = n => { for (let i = 0; i < n; i++) logger.logBytes(bytes) }
      let collections = 0
      new PerformanceObserver(list => { collections += list.getEntries().length }).observe({ entryTypes: ['gc'] })
      async function round() {
        run(100_000)
        logger.flushSync()
        gc()
        await sleep(20)
        collections = 0
        const before = process.memoryUsage().heapUsed
        run(1_000_000)
        const growth = process.memoryUsage().heapUsed - before
        await sleep(20)
        return { growth, collections }
      }
      (async () => {
        const rounds = []
        for (let i = 0; i < 6; i++) rounds.push(await round())
        console.log(JSON.stringify({ rounds, dropped: logger.getStatsSnapshot().droppedLogs }))
        logger.closeSync()
      })()`
    const result = runChild(script, { config, nodeArgs: ['--expose-gc'] })
    expect(result.stderr).toBe('')
    const { rounds, dropped } = JSON.parse(result.stdout) as { rounds: Round[]; dropped: number }
    expect(dropped).toBe(0)
    const best = rounds.sort((a, b) => a.collections - b.collections || a.growth - b.growth)[0]!
    // What reading the heap's size allocates; a byte per call would be 1,000,000. The JavaScript
    // engine allocates with each segment it begins and each view it takes, not with each call that
    // fits.
    if (engine === 'native') expect(best.collections).toBe(0)
    expect(best.growth).toBeLessThan(engine === 'native' ? 50_000 : 8_000_000)
  })

  it('TestLogger_LogBytes_ConcurrentWithReuse: a buffer may be reused as soon as the call is over', async () => {
    const logFilePath = tempLog()
    const config = { logFilePath, engine, bufferSize: 1 << 23, onFull: 'block', dsync: false }
    await inWorkers(
      8,
      config,
      `const logger = new Logger(config)
       const buffer = Buffer.alloc(64)
       for (let i = 0; i < 500; i++) {
         const end = buffer.write(worker + ':' + i)
         if (!logger.logBytes(buffer, 0, end)) throw new Error('dropped')
         buffer.fill(0)
       }
       logger.closeSync()`
    )
    expectEachInOrder(readTexts(logFilePath), 8, 500)
  })

  it('TestLogger_LogString_BackwardCompatible and TestLogger_MixedStringAndBytes: both calls in one order', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const expected: string[] = []
    for (let i = 0; i < 500; i++) {
      const text = `${i % 2 ? 'text' : 'bytes'} ${i}`
      expected.push(text)
      expect(i % 2 ? logger.log(text) : logger.logBytes(Buffer.from(text))).toBe(true)
    }
    await logger.close()
    expect(readTexts(logFilePath)).toEqual(expected)
  })

  it('TestLogger_FileFormatVerification: header, entries without gaps, zero padding, trailer', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const expected = Array.from({ length: 2_000 }, (_, i) => `line ${i} ${'-'.repeat(i % 37)}\n`)
    for (const text of expected) logger.log(text)
    await logger.close()
    const blocks = readPlain(logFilePath)
    expect(blocks.flatMap(block => block.entries.map(String))).toEqual(expected)
    const file = fs.readFileSync(logFilePath)
    for (const { offset, capacity, valid, stride } of blocks.filter(block => block.valid > 0)) {
      expect(offset % 512).toBe(0)
      expect(valid).toBeLessThanOrEqual(capacity - 8)
      const padding = file.subarray(offset + 8 + valid, offset + stride)
      const unused = padding.length >= 64 ? padding.subarray(0, -64) : padding
      expect(unused.every(byte => byte === 0)).toBe(true)
    }
    const trailers = readTrailers(logFilePath)
    expect(trailers.map(trailer => Number(trailer.sequence))).toEqual(trailers.map((_, i) => i))
    expect(new Set(trailers.map(trailer => trailer.stream)).size).toBe(1)
    expect(trailers.reduce((sum, trailer) => sum + trailer.entries, 0)).toBe(expected.length)
    for (const trailer of trailers) {
      expect(trailer.flags & JS_FLAG).toBe(engine === 'js' ? JS_FLAG : 0)
      expect(trailer.lastTime >= trailer.firstTime).toBe(true)
      expect(trailer.producer).toBeGreaterThanOrEqual(1)
    }
  })

  it('TestBuffer_FillAndFlush: at 90 % of a shard the set is written without being asked', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine), numShards: 1, bufferSize: 2 * 65_536 })
    const entry = 'x'.repeat(996)
    for (let i = 0; i < 62; i++) logger.log(entry)
    while (logger.getStatsSnapshot().writtenLogs === 0) await new Promise(resolve => setTimeout(resolve, 5))
    expect(logger.getStatsSnapshot().setSwaps).toBeGreaterThan(0)
    await logger.close()
    expect(readEntries(logFilePath)).toHaveLength(62)
  })

  it('the flush interval writes what is buffered; TestBufferSet_HasData: an empty set is not written', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine), flushInterval: 5 })
    await new Promise(resolve => setTimeout(resolve, 30))
    expect(logger.getStatsSnapshot()).toMatchObject({ flushes: 0, bytesWritten: 0 })
    logger.log('x')
    while (logger.getStatsSnapshot().writtenLogs === 0) await new Promise(resolve => setTimeout(resolve, 5))
    expect(readTexts(logFilePath).filter(text => text !== '')).toEqual(['x'])
    await logger.close()
  })

  it('TestBufferSet_RoundRobin: each entry goes to the next shard', async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine), shardSelection: 'round-robin' })
    for (let i = 0; i < 100; i++) expect(logger.log(`entry ${i}`)).toBe(true)
    expect(logger.logBytes(Buffer.from('bytes'))).toBe(true)
    expect(logger.logBytes(Buffer.from('bytes'))).toBe(true)
    await logger.close()
    expect(logger.getShardStats().map(shard => shard.writeCount)).toEqual([51, 51])
    expect(readTexts(logFilePath).sort()).toEqual([
      ...['bytes', 'bytes'],
      ...Array.from({ length: 100 }, (_, i) => `entry ${i}`).sort()
    ])
  })

  it('two loggers of one file share it, each in the order of its calls, until the last closes', async () => {
    const logFilePath = tempLog()
    const first = new Logger(small(logFilePath, engine))
    const second = new Logger(small(logFilePath, engine))
    first.log('1')
    second.log('2')
    await first.close()
    expect(first.log('no')).toBe(false)
    expect(second.log('3')).toBe(true)
    expect(first.logBytes(Buffer.from('no'))).toBe(false)
    await second.close()
    expect(readTexts(logFilePath)).toEqual(['1', '2', '3'])
  })

  it('log and logBytes are own properties that work without their logger', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    expect(Object.keys(logger)).toEqual(expect.arrayContaining(['log', 'logBytes']))
    const { log, logBytes } = logger
    log('a')
    logBytes(Buffer.from('b'))
    await logger.close()
    expect(readTexts(logFilePath)).toEqual(['a', 'b'])
  })

  it('a logger can be disposed of, at once or asynchronously', async () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    logger.log('a')
    logger[Symbol.dispose]()
    const again = new Logger(small(logFilePath, engine))
    again.log('b')
    await again[Symbol.asyncDispose]()
    expect(readTexts(logFilePath)).toEqual(['a', 'b'])
  })
})
