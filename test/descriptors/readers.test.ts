import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { linesOf, loggingIn, loggingToPipe, onEngine, upTo, wholeLines } from '../support/descriptors'
import { engines } from '../support/engines'
import { shardlog } from '../support/shardlog'

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

  it('does not read keeps flush waiting for blockTimeout and the end for exitTimeout, and no longer', async () => {
    const { logging, reader } = loggingToPipe(`
      const destination = shardlog.destination({ dest: 1, format: 'ndjson', blockTimeout: 30, exitTimeout: 30 })
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
    // Of the end, `end` tells, and perhaps the engine as well.
    expect([code, codes.slice(0, 3)]).toEqual([0, [stalled, stalled, stalled]])
    expect(codes.slice(3)).toEqual(codes.length > 3 ? [stalled] : [])
    expect(totalLogs).toBe(10_001)
    expect(writtenLogs + droppedLogs).toBe(totalLogs)
    expect(linesOf(await reader.rest()).map(line => line.i)).toEqual(upTo(writtenLogs))
  })

  it('does not read keeps a process that ends no longer than exitTimeout', async () => {
    for (const ending of ['process.exit(3)', 'process.exitCode = 3']) {
      const { logging, reader } = loggingToPipe(`
        const log = shardlog({ base: null }, shardlog.destination({ dest: 1, exitTimeout: 30 }))
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

describe.each(engines)('with the %s engine, a normal end', engine => {
  onEngine(engine)

  const rows = "const log = shardlog({ base: null })\n      for (let i = 0; i < 20_000; i++) log.info({ i }, 'row')\n"

  it.each([
    ['the end of the event loop', '', 0],
    ['process.exit()', 'process.exit(3)', 3],
    ['an uncaught exception', "throw new Error('on purpose')", 1]
  ])('by %s writes everything for a reader that begins after blockTimeout', async (_name, ending, code) => {
    const child = loggingIn('RUN | { sleep 1.5; cat; }; exit $?', rows + ending)
    const script = `RUN; echo "said: $?" >&2`
    const codes = loggingIn(`{ ${script}; } | { sleep 1.5; wc -l; }`, rows + ending)
    const [lines, count] = await Promise.all([text(child.child.stdout!), text(codes.child.stdout!)])
    expect(linesOf(lines).map(line => line.i)).toEqual(upTo(20_000))
    expect(Number(count)).toBe(20_000)
    expect((await codes.end()).said).toEqual([code])
    await child.end()
  })

  it('by the end of a destination does so, too', async () => {
    const script = `
      const destination = shardlog.destination({ dest: 1, format: 'ndjson' })
      const log = shardlog({ base: null }, destination)
      for (let i = 0; i < 20_000; i++) log.info({ i })
      destination.on('close', () => say(stats(destination)))
      destination.end()`
    const child = loggingIn('RUN | { sleep 1.5; cat; }', script)
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual(upTo(20_000))
    const { said } = await child.end()
    expect(said).toEqual([{ totalLogs: 20_000, droppedLogs: 0, writtenLogs: 20_000, error: null }])
  })

  it('says what it gives up after exitTimeout, and has counted it when handlers of exit look', async () => {
    const { logging, reader } = loggingToPipe(`
      const destination = shardlog.destination({ dest: 1, format: 'ndjson', exitTimeout: 30 })
      const log = shardlog({ base: null }, destination)
      process.on('exit', () => say(stats(destination)))
      for (let i = 0; i < 20_000; i++) log.info({ i })
      process.exit(3)`)
    const { code, said, errors } = await logging.end()
    const [{ totalLogs, droppedLogs, writtenLogs, error }] = said as [Stats]
    expect([code, error, totalLogs]).toEqual([3, 'ERR_SHARDLOG_STALLED', 20_000])
    expect(droppedLogs).toBeGreaterThan(0)
    expect(writtenLogs + droppedLogs).toBe(totalLogs)
    expect(errors).toContain(`shardlog: ${droppedLogs} entries for standard output are lost`)
    expect(errors).toContain('exitTimeout')
    expect(linesOf(wholeLines(await reader.rest())).map(line => line.i)).toEqual(upTo(writtenLogs))
  })

  it('whose reader has gone ends at once, in silence', async () => {
    const child = loggingIn('RUN | head -n 1', rows)
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual([0])
    expect(await child.end()).toEqual({ code: 0, said: [], errors: '' })
  })

  it('writes what handlers of exit log', async () => {
    const script = `${rows}process.on('exit', () => log.info({ i: 20_000 })); process.exit()`
    const child = loggingIn('RUN | { sleep 0.3; cat; }', script)
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual(upTo(20_001))
  })
})

describe('the option exitTimeout', () => {
  it.each([
    [{ dest: 'file', format: 'ndjson', exitTimeout: 5 }, 'option exitTimeout (value 5 (number)) is for descriptors'],
    [{ dest: 1, format: 'ndjson', exitTimeout: -1 }, 'option exitTimeout must be a number of milliseconds']
  ])('is refused by name in %o', (options, message) => {
    expect(() => shardlog.destination(options as never)).toThrow(message)
  })
})
