import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { prelude } from '../support/child'
import { engines, small } from '../support/engines'
import { readTexts, readTrailers } from '../support/plain-reader'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

/**
 * A worker that runs `script` with `Logger`, `config`, `worker` (its number) and `say` (posts a
 * message) in scope.
 */
function start(config: object, number: number, script: string): Worker {
  const source =
    `${prelude(config)}const { parentPort, workerData: worker } = require('node:worker_threads')\n` +
    `const say = message => parentPort.postMessage(message)\n${script}`
  return new Worker(source, { eval: true, workerData: number })
}

/** `<producer>:<n>`: each producer's numbers ascend by one from 0. Returns how many each has. */
function countsInOrder(texts: string[]): Map<string, number> {
  const counts = new Map<string, number>()
  for (const text of texts) {
    const [producer, n] = text.split(':') as [string, string]
    expect(Number(n)).toBe(counts.get(producer) ?? 0)
    counts.set(producer, Number(n) + 1)
  }
  return counts
}

describe.each(engines)('%s engine', engine => {
  it('threads that log and flush at once keep each its order, with every block of one producer (R10)', async () => {
    const logFilePath = tempLog()
    const config = { ...small(logFilePath, engine), onFull: 'block', blockTimeout: 60_000 }
    const own = new Logger({ ...config, onFull: 'block' })
    const workers = Array.from({ length: 6 }, (_, i) =>
      start(
        config,
        i,
        `const logger = new Logger(config)
         const bytes = Buffer.alloc(64)
         ;(async () => {
           for (let i = 0; i < 3000; i++) {
             const text = worker + ':' + i
             const accepted = i % 3 ? logger.log(text) : logger.logBytes(bytes, 0, bytes.write(text))
             if (!accepted) throw new Error('dropped')
             if (i % 500 === 0) await logger.flush()
           }
           await logger.close()
         })()`
      )
    )
    const ends = workers.map(worker => once(worker, 'exit'))
    for (let i = 0; i < 3_000; i++) {
      own.log(`main:${i}`)
      if (i % 100 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    for (const [code] of await Promise.all(ends)) expect(code).toBe(0)
    await own.close()
    const counts = countsInOrder(readTexts(logFilePath))
    expect([...counts.values()]).toEqual(new Array(7).fill(3_000))
    const last = new Map<bigint, bigint>()
    for (const { stream, sequence } of readTrailers(logFilePath)) {
      expect(sequence).toBe((last.get(stream) ?? -1n) + 1n)
      last.set(stream, sequence)
    }
  })

  it('a worker that ends without close has its entries written', async () => {
    const logFilePath = tempLog()
    const own = new Logger(small(logFilePath, engine))
    for (let i = 0; i < 5; i++) {
      const script = `const logger = new Logger(config); for (let i = 0; i < 100; i++) logger.log(worker + ':' + i)`
      expect(await once(start(small(logFilePath, engine), i, script), 'exit')).toEqual([0])
    }
    await own.close()
    expect([...countsInOrder(readTexts(logFilePath)).values()]).toEqual(new Array(5).fill(100))
  })

  it('a worker that calls process.exit, or fails, has its entries written', async () => {
    const logFilePath = tempLog()
    const log = `const logger = new Logger(config); for (let i = 0; i < 100; i++) logger.log(worker + ':' + i);`
    await once(start(small(logFilePath, engine), 0, `${log} process.exit(0)`), 'exit')
    const failing = start(small(logFilePath, engine), 1, `${log} throw new Error('on purpose')`)
    failing.on('error', () => {})
    await new Promise(resolve => failing.on('exit', resolve))
    expect([...countsInOrder(readTexts(logFilePath)).values()]).toEqual([100, 100])
  })

  it('a thread that ends leaves the count of producers', async () => {
    const logFilePath = tempLog()
    const own = new Logger(small(logFilePath, engine))
    expect(own.getStatsSnapshot().producers).toBe(1)
    const script = 'const logger = new Logger(config); logger.log("x"); say(logger.getStatsSnapshot().producers)'
    const worker = start(small(logFilePath, engine), 0, script)
    // A short worker's last message and its end may come in one turn.
    const ended = once(worker, 'exit')
    const [producers] = await once(worker, 'message')
    expect(producers).toBe(2)
    await ended
    expect(own.getStatsSnapshot().producers).toBe(1)
    await own.close()
  })

  it('terminate() in the middle of logging harms nobody: others go on, nothing torn, each producer in order', async () => {
    const logFilePath = tempLog()
    const config = { ...small(logFilePath, engine), onFull: 'block', blockTimeout: 60_000 }
    const own = new Logger({ ...config, onFull: 'block' })
    for (let round = 0; round < 10; round++) {
      const script = `
        const logger = new Logger(config)
        const bytes = Buffer.alloc(2000)
        const count = new Int32Array(new SharedArrayBuffer(4))
        say(count)
        for (let i = 0; ; i++) {
          const text = worker + ':' + i + ':' + 'x'.repeat(i % 900)
          if (!(i % 2 ? logger.log(text) : logger.logBytes(bytes, 0, bytes.write(text)))) break
          Atomics.store(count, 0, i + 1)
        }`
      const worker = start(config, round, script)
      const [count] = (await once(worker, 'message')) as [Int32Array]
      while (Atomics.load(count, 0) < 200 * (round + 1)) await new Promise(resolve => setImmediate(resolve))
      await worker.terminate()
      expect(own.log(`main:${round}`)).toBe(true)
      await own.flush()
      // What the call had returned for is there: with the native engine, whose buffers outlive the
      // thread.
      if (engine !== 'native') continue
      const written = countsInOrder(readTexts(logFilePath)).get(`${round}`)!
      expect(written).toBeGreaterThanOrEqual(Atomics.load(count, 0))
      expect(written).toBeLessThanOrEqual(Atomics.load(count, 0) + 1)
    }
    await own.close()
    expect(countsInOrder(readTexts(logFilePath)).get('main')).toBe(10)
  })

  it('a worker may be the last to close, and the first to open', async () => {
    const logFilePath = tempLog()
    const worker = start(
      small(logFilePath, engine),
      0,
      `const logger = new Logger(config); logger.log('worker:0'); say('open')
       parentPort.once('message', () => { logger.log('worker:1'); logger.closeSync() })`
    )
    await once(worker, 'message')
    const own = new Logger(small(logFilePath, engine))
    own.log('main:0')
    await own.close()
    worker.postMessage('go on')
    await once(worker, 'exit')
    expect(countsInOrder(readTexts(logFilePath))).toEqual(
      new Map([
        ['worker', 2],
        ['main', 1]
      ])
    )
    expect(fs.readdirSync(path.dirname(logFilePath))).toEqual(['app.log'])
  })

  it('a logger of a worker does not keep it alive', async () => {
    const worker = start(small(tempLog(), engine), 0, `new Logger({ ...config, flushInterval: 1 }).log('x')`)
    expect(await once(worker, 'exit')).toEqual([0])
  })
})

describe.each(engines)('statistics of the %s engine', engine => {
  it('are of all threads, also those that were there before the log and those that have ended', async () => {
    const logFilePath = tempLog()
    const config = { ...small(logFilePath, engine), onFull: 'block' as const }
    const script = (end: string) => `
      parentPort.once('message', () => {
        const logger = new Logger(config)
        for (let i = 0; i < 100; i++) logger.log('text')
        logger.log('')
        logger.flushSync()
        say('logged')
        ${end}
      })`
    // Started before this thread opens the log; one closes it, one only ends, one goes on.
    const closing = start(config, 0, script('logger.closeSync()'))
    const ending = start(config, 1, script('process.exit()'))
    const staying = start(config, 2, script("parentPort.once('message', () => logger.closeSync())"))
    const workers = [closing, ending, staying]
    await Promise.all(workers.map(worker => once(worker, 'online')))
    const own = new Logger(config)
    for (let i = 0; i < 50; i++) own.log('text')
    own.flushSync()
    const ends = [once(closing, 'exit'), once(ending, 'exit')]
    const logged = workers.map(worker => once(worker, 'message'))
    for (const worker of workers) worker.postMessage('go')
    await Promise.all(logged)
    await Promise.all(ends)
    const stats = own.getStatsSnapshot()
    expect(stats).toMatchObject({ totalLogs: 353, droppedLogs: 3, emptyLogs: 3, writtenLogs: 350, producers: 2 })
    expect(stats.payloadBytes).toBe(350 * 4)
    expect(own.getShardStats().reduce((sum, { writeCount }) => sum + writeCount, 0)).toBe(350)
    const metrics = own.getFlushMetrics()
    expect(metrics.count).toBe(stats.flushes)
    expect(metrics.p50).toBeLessThanOrEqual(metrics.p999)
    expect(metrics.p999).toBeLessThanOrEqual(metrics.maxFlushDurationMs)
    const end = once(staying, 'exit')
    staying.postMessage('end')
    await end
    expect(own.getStatsSnapshot().producers).toBe(1)
    own.closeSync()
    expect(own.getStatsSnapshot()).toMatchObject({ totalLogs: 353, producers: 0 })
    const again = new Logger(config)
    expect(again.getStatsSnapshot()).toMatchObject({ totalLogs: 0, writtenLogs: 0, producers: 1 })
    again.closeSync()
  })
})
