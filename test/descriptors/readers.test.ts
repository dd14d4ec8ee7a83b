import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { linesOf, loggingIn, loggingToPipe, onEngine, upTo } from '../support/descriptors'
import { engines } from '../support/engines'

const MIB = 1024 * 1024

interface Stats {
  totalLogs: number
  droppedLogs: number
  writtenLogs: number
  error: string | null
}

interface Figures {
  grown: number
  longestDelayMs: number
}

describe.each(engines)('with the %s engine, a reader that', engine => {
  onEngine(engine)

  it('stops in the middle of a line and goes on later finds every line whole', async () => {
    const { logging, reader } = loggingToPipe(`
      const destination = shardlog.destination({ dest: 1, format: 'ndjson', onFull: 'block', blockTimeout: Infinity })
      const log = shardlog({ base: null }, destination)
      for (let i = 0; i < 30_000; i++) log.info({ i, pad: 'x'.repeat((i * 37) % 6_000) })
      say(stats(destination).droppedLogs)`)
    const parts: Buffer[] = []
    for (const bytes of [777, 4_096, 1, 99_999]) parts.push(await reader.read(bytes))
    const output = Buffer.concat(parts).toString() + (await reader.rest())
    expect(linesOf(output).map(line => line.i)).toEqual(upTo(30_000))
    expect((await logging.end()).said).toEqual([0])
  })

  it('does not read costs a bounded amount of memory, and lines that are counted', async () => {
    const { logging, reader } = loggingToPipe(`
      const { monitorEventLoopDelay } = require('node:perf_hooks')
      const rss = () => Number(fs.readFileSync('/proc/self/status', 'utf8').match(/VmRSS:\\s+(\\d+)/)[1]) * 1024
      const destination = shardlog.destination({ dest: 1, format: 'ndjson' })
      const log = shardlog({ base: null }, destination)
      const delays = monitorEventLoopDelay({ resolution: 1 })
      let before = 0
      let i = 0
      const more = () => {
        for (const end = i + 1_000; i < end; i++) log.info({ i, text: 'x'.repeat(100), ok: true }, 'nobody reads this')
        if (i < 1_000_000) { setImmediate(more); return }
        delays.disable()
        say({ ...stats(destination), grown: rss() - before, longestDelayMs: delays.max / 1e6 })
        told().then(() => process.stdin.destroy())
      }
      setTimeout(() => { before = rss(); delays.enable(); more() }, 100)`)
    const first = await reader.read(100)
    await new Promise(resolve => logging.child.stderr!.once('data', resolve))
    logging.tell()
    const indexes = linesOf(first.toString() + (await reader.rest())).map(line => line.i)
    const { code, said } = await logging.end()
    const [{ totalLogs, droppedLogs, grown, longestDelayMs }] = said as [Stats & Figures]
    expect(code).toBe(0)
    expect(totalLogs).toBe(1_000_000)
    expect(droppedLogs).toBeGreaterThan(0)
    expect(indexes).toHaveLength(totalLogs - droppedLogs)
    expect(indexes.every((i, at) => at === 0 || i > indexes[at - 1]!)).toBe(true)
    expect(grown).toBeLessThan(64 * MIB + 32 * MIB)
    console.log(
      `1,000,000 lines, nobody reads: ${(grown / MIB).toFixed(0)} MiB more, longest delay of the loop ${longestDelayMs.toFixed(1)} ms`
    )
  })

  it('goes away ends nothing: lines are dropped and counted, without an error that has to be handled', async () => {
    const child = loggingIn(
      'RUN | head -n 1',
      `const destination = shardlog.destination(1)
       destination.on('error', error => say(['error', error.code]))
       const log = shardlog({ base: null }, destination)
       let i = 0
       const timer = setInterval(() => {
         for (const end = i + 100; i < end; i++) log.info({ i })
         if (stats(destination).droppedLogs === 0) return
         clearInterval(timer)
         destination.flushSync()
         say(stats(destination))
       }, 1)`
    )
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual([0])
    const { code, said, errors } = await child.end()
    expect({ code, errors }).toEqual({ code: 0, errors: '' })
    const [{ totalLogs, droppedLogs, writtenLogs, error }] = said as [Stats]
    expect(writtenLogs + droppedLogs).toBe(totalLogs)
    expect(error).toBe('ERR_SHARDLOG_WRITE')
  })

  it('does not read keeps flush and the end waiting for blockTimeout, and no longer', async () => {
    const { logging, reader } = loggingToPipe(`
      const destination = shardlog.destination({ dest: 1, format: 'ndjson', blockTimeout: 30 })
      const log = shardlog({ base: null }, destination)
      for (let i = 0; i < 10_000; i++) log.info({ i })
      const codes = []
      try { destination.flushSync() } catch (error) { codes.push(error.code) }
      log.fatal({ i: 10_000 })
      destination.flush(error => {
        codes.push(error.code)
        destination.on('error', error => codes.push(error.code))
        destination.on('close', () => say([codes, stats(destination)]))
        destination.end()
      })`)
    const { code, said } = await logging.end()
    const [[codes, { totalLogs, droppedLogs, writtenLogs }]] = said as [[string[], Stats]]
    const stalled = 'ERR_SHARDLOG_STALLED'
    expect([code, codes]).toEqual([0, [stalled, stalled, stalled]])
    expect(totalLogs).toBe(10_001)
    expect(writtenLogs + droppedLogs).toBe(totalLogs)
    expect(linesOf(await reader.rest()).map(line => line.i)).toEqual(upTo(writtenLogs))
  })

  it('does not read does not keep a process that ends', async () => {
    for (const ending of ['process.exit(3)', 'process.exitCode = 3']) {
      const { logging, reader } = loggingToPipe(`
        const log = shardlog({ base: null }, shardlog.destination({ dest: 1, blockTimeout: 30 }))
        for (let i = 0; i < 10_000; i++) log.info({ i })
        ${ending}`)
      expect((await logging.end()).code).toBe(3)
      const indexes = linesOf(await reader.rest()).map(line => line.i)
      expect(indexes).toEqual(upTo(indexes.length))
    }
  })

  it('comes late has each line once it reads, without anybody asking', async () => {
    const { logging, reader } = loggingToPipe(`
      const log = shardlog({ base: null })
      for (let i = 0; i < 10_000; i++) log.info({ i })
      setTimeout(() => say('waits'), 100)
      told().then(() => process.kill(process.pid, 'SIGKILL'))`)
    await new Promise(resolve => logging.child.stderr!.once('data', resolve))
    let output = ''
    while (!output.endsWith('"i":9999}\n'))
      output += (await reader.read(1)).toString() + (reader.take(1 << 20) ?? '').toString()
    expect(linesOf(output).map(line => line.i)).toEqual(upTo(10_000))
    logging.tell()
    expect((await logging.end()).code).toBe('SIGKILL')
  })
})
