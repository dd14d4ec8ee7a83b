import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { linesOf, logging, loggingIn, loggingToPipe, onEngine, upTo } from '../support/descriptors'
import { engines } from '../support/engines'
import { packageRoot } from '../support/shardlog'

describe.each(engines)('lines to standard output, with the %s engine,', engine => {
  onEngine(engine)

  it('come without being asked for, also after a long silence', async () => {
    const { logging: child, reader } = loggingToPipe(`
      const log = shardlog({ base: null, timestamp: false })
      let i = 0
      process.stdin.on('data', () => log.info({ i: i++ }))`)
    for (let i = 0; i < 5; i++) {
      child.tell()
      const line = `{"level":30,"i":${i}}\n`
      expect((await reader.read(line.length)).toString()).toBe(line)
      await new Promise(resolve => setTimeout(resolve, 60))
    }
  })

  it.runIf(engine === 'native')('leave the flusher asleep while nothing is logged', async () => {
    const child = logging(
      `const log = shardlog()
       log.info('once')
       const wakes = () => {
         for (const task of fs.readdirSync('/proc/self/task')) {
           const status = fs.readFileSync('/proc/self/task/' + task + '/status', 'utf8')
           if (status.includes('shardlog-flush')) return Number(status.match(/voluntary_ctxt_switches:\\s+(\\d+)/)[1])
         }
       }
       setTimeout(() => {
         const before = wakes()
         setTimeout(() => say(wakes() - before), 500)
       }, 100)`,
      'pipe'
    )
    child.child.stdout!.resume()
    const { said } = await child.end()
    // Every 10 ms would be 50 times.
    expect(said[0]).toBeLessThan(5)
  })

  it.each([
    ['the end of the loop', '', 0],
    ['process.exit()', 'process.exit(7)', 7],
    ['an exception', "throw new Error('uncaught')", 1],
    ['a rejection', "Promise.reject(new Error('unhandled'))", 1]
  ])('are all there after %s, those of exit handlers too', async (_name, ending, expected) => {
    const child = loggingIn(
      'RUN | cat; true',
      `const log = shardlog({ base: null })
       process.on('exit', code => { log.warn({ i: 1_000 }); say(code) })
       for (let i = 0; i < 1_000; i++) log.info({ i })
       ${ending}`
    )
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual(upTo(1_001))
    expect((await child.end()).said).toEqual([expected])
  })

  it('are out when fatal returns', async () => {
    const { logging: child, reader } = loggingToPipe(`
      const log = shardlog({ base: null })
      for (let i = 0; i < 100; i++) log.info({ i })
      log.fatal({ i: 100 })
      process.kill(process.pid, 'SIGKILL')`)
    expect(linesOf(await reader.rest()).map(line => line.i)).toEqual(upTo(101))
    expect((await child.end()).code).toBe('SIGKILL')
  })

  it('of several threads are each in its order, and those of the native engine in that of their times', async () => {
    const worker = `
      const { workerData } = require('node:worker_threads')
      const shardlog = require(${JSON.stringify(packageRoot)})
      const log = shardlog({ base: { thread: workerData } })
      for (let i = 0; i < 2_000; i++) log.info({ i })`
    const child = loggingIn(
      'RUN | cat',
      `const { Worker } = require('node:worker_threads')
       const destination = shardlog.destination({ dest: 1, format: 'ndjson', flushInterval: 0 })
       const workers = [0, 1, 2].map(thread => new Worker(${JSON.stringify(worker)}, { eval: true, workerData: thread }))
       const log = shardlog({ base: { thread: 3 } }, destination)
       for (let i = 0; i < 2_000; i++) log.info({ i })
       Promise.all(workers.map(worker => new Promise(resolve => worker.once('exit', resolve)))).then(() => {
         destination.flushSync()
         say(stats(destination))
       })`
    )
    const lines = linesOf(await text(child.child.stdout!))
    expect((await child.end()).said).toMatchObject([{ totalLogs: 8_000, writtenLogs: 8_000, droppedLogs: 0 }])
    const times = lines.map(line => line.time)
    if (engine === 'native') expect(times).toEqual([...times].sort((a, b) => a - b))
    for (const thread of [0, 1, 2, 3]) {
      expect(lines.filter(line => line.thread === thread).map(line => line.i)).toEqual(upTo(2_000))
    }
  })

  it('of a worker that ends, or ends the process, are there, and those of one that is terminated with the native engine', async () => {
    const worker = `
      const shardlog = require(${JSON.stringify(packageRoot)})
      const log = shardlog({ base: null })
      for (let i = 0; i < 100; i++) log.info({ i })`
    const terminated = 'require("node:worker_threads").parentPort.postMessage(0); for (;;);'
    for (const ending of ['', 'process.exit()', ...(engine === 'native' ? [terminated] : [])]) {
      const child = loggingIn(
        'RUN | cat',
        `const { Worker } = require('node:worker_threads')
         const worker = new Worker(${JSON.stringify(`${worker}\n${ending}`)}, { eval: true })
         worker.once('message', () => worker.terminate())`
      )
      expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual(upTo(100))
    }
  })
})
