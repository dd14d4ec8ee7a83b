import { EventEmitter } from 'node:events'
import fs from 'node:fs'
import { Writable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { circuitBreaker } from '../../lib/features/circuit-breaker'
import { getLoggerStats } from '../../lib/features/plugin'
import { logger } from '../../lib/pino/logger'
import { destination, multistream } from '../../lib/pino/public'
import { engines } from '../support/engines'
import { tempLog } from '../support/temp'
import { plainLogger } from './support'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** A destination that fails as long as it is told to. */
function fragile() {
  const lines: string[] = []
  const state = { broken: true }
  const write = (line: string) => {
    if (state.broken) throw new Error('broken')
    lines.push(line)
  }
  return { lines, state, stream: { write } }
}

function writeTimes(stream: { write(line: string): unknown }, count: number): void {
  for (let i = 0; i < count; i++) stream.write(`${i}\n`)
}

describe('a circuit breaker', () => {
  it('passes lines on while its destination works', () => {
    const { lines, state, stream } = fragile()
    state.broken = false
    const breaker = circuitBreaker(stream)
    const log = plainLogger({}, breaker)
    log.info('text')
    expect(lines).toEqual(['{"level":30,"msg":"text"}\n'])
    expect(getLoggerStats(log).circuitBreakers).toEqual([
      { state: 'closed', attempted: 1, failures: 0, failuresInARow: 0, opened: 0, diverted: 0, dropped: 0, pending: 0 }
    ])
  })

  it('opens after five failures, and leaves the destination alone for 60 s', () => {
    const { stream } = fragile()
    const write = vi.spyOn(stream, 'write')
    const breaker = circuitBreaker(stream, { fallback: 'count' })
    writeTimes(breaker, 4)
    expect(breaker.stats().state).toBe('closed')
    writeTimes(breaker, 100)
    vi.advanceTimersByTime(59_999)
    writeTimes(breaker, 1)
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 5, opened: 1, dropped: 105 })
    expect(write).toHaveBeenCalledTimes(5)
  })

  it('is half-open then, and closes after three successes', () => {
    const { lines, state, stream } = fragile()
    const breaker = circuitBreaker(stream, { fallback: 'count' })
    const states: string[] = []
    breaker.on('stateChange', name => states.push(name))
    writeTimes(breaker, 5)
    state.broken = false
    vi.advanceTimersByTime(60_000)
    writeTimes(breaker, 2)
    expect(breaker.stats().state).toBe('half-open')
    writeTimes(breaker, 2)
    expect(lines).toHaveLength(4)
    expect(states).toEqual(['open', 'half-open', 'closed'])
    expect(breaker.stats()).toMatchObject({ state: 'closed', failuresInARow: 0, dropped: 5 })
  })

  it('opens again for as long if a trial fails', () => {
    const { state, stream } = fragile()
    const breaker = circuitBreaker(stream, { failures: 2, recovery: 1_000, fallback: 'count' })
    writeTimes(breaker, 2)
    vi.advanceTimersByTime(1_000)
    writeTimes(breaker, 5)
    expect(breaker.stats()).toMatchObject({ state: 'open', attempted: 3, opened: 2 })
    state.broken = false
    vi.advanceTimersByTime(999)
    writeTimes(breaker, 1)
    expect(breaker.stats()).toMatchObject({ state: 'open', attempted: 3 })
    vi.advanceTimersByTime(1)
    writeTimes(breaker, 3)
    expect(breaker.stats()).toMatchObject({ state: 'closed', attempted: 6 })
  })

  it('counts failures in a row only', () => {
    const { state, stream } = fragile()
    const breaker = circuitBreaker(stream, { failures: 2, fallback: 'count' })
    for (const broken of [true, false, true, false]) {
      state.broken = broken
      writeTimes(breaker, 1)
    }
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 2, failuresInARow: 0 })
  })

  it('writes what it does not pass on to stderr, the line that failed included', () => {
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
    const breaker = circuitBreaker(fragile().stream, { failures: 1 })
    writeTimes(breaker, 2)
    expect(stderr.mock.calls.map(([line]) => line)).toEqual(['0\n', '1\n'])
    expect(breaker.stats()).toMatchObject({ diverted: 2, dropped: 0 })
  })

  it('counts what not even stderr takes', () => {
    vi.spyOn(process.stderr, 'write').mockImplementation(() => {
      throw new Error('EBADF')
    })
    const breaker = circuitBreaker(fragile().stream)
    writeTimes(breaker, 1)
    expect(breaker.stats()).toMatchObject({ diverted: 0, dropped: 1 })
  })
})

describe('a circuit breaker before a stream of Node', () => {
  /** Lets callbacks of streams run. */
  const settle = () => vi.advanceTimersByTimeAsync(0)

  it('takes an error of the callback and the event for one failure, and opens and closes by callbacks', async () => {
    let broken = true
    const open = () =>
      new Writable({
        autoDestroy: false,
        write: (_chunk, _encoding, done) => done(broken ? new Error('broken') : null)
      })
    const breaker = circuitBreaker(open, { failures: 3, recovery: 1_000, successes: 2, fallback: 'count' })
    for (let i = 0; i < 3; i++) {
      expect(breaker.stats().failures).toBe(i)
      writeTimes(breaker, 1)
      await settle()
    }
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 3, dropped: 3 })
    broken = false
    vi.advanceTimersByTime(1_000)
    // No more than `successes` are tried at once.
    writeTimes(breaker, 5)
    await settle()
    expect(breaker.stats()).toMatchObject({ state: 'closed', attempted: 5, dropped: 6 })
  })

  it('replaces a stream that was destroyed, if it was given the way to open one', async () => {
    const written: string[] = []
    const opened: Writable[] = []
    const open = () => {
      const broken = opened.length === 0
      const stream = new Writable({
        decodeStrings: false,
        write(chunk, _encoding, done) {
          if (!broken) written.push(chunk as string)
          done(broken ? new Error('broken') : null)
        }
      })
      opened.push(stream)
      return stream
    }
    const breaker = circuitBreaker(open, { failures: 1, recovery: 1_000, successes: 1, fallback: 'count' })
    writeTimes(breaker, 1)
    await settle()
    expect(breaker.stats().state).toBe('open')
    vi.advanceTimersByTime(1_000)
    breaker.write('again\n')
    await settle()
    expect(written).toEqual(['again\n'])
    expect(opened).toHaveLength(2)
    expect(breaker.stats().state).toBe('closed')
  })
})

describe('a circuit breaker before an emitter', () => {
  class Emitter extends EventEmitter {
    readonly lines: string[] = []
    write(line: string): boolean {
      this.lines.push(line)
      return true
    }
  }

  it('opens by its error events, which end nothing', () => {
    const stream = new Emitter()
    const breaker = circuitBreaker(stream, { fallback: 'count' })
    for (let i = 0; i < 5; i++) {
      writeTimes(breaker, 1)
      stream.emit('error', new Error('broken'))
    }
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 5 })
    vi.advanceTimersByTime(60_000)
    writeTimes(breaker, 3)
    expect(breaker.stats()).toMatchObject({ state: 'closed' })
  })

  it('does not add up errors that are further apart than the recovery', () => {
    const stream = new Emitter()
    const breaker = circuitBreaker(stream, { failures: 2, recovery: 1_000 })
    for (let i = 0; i < 5; i++) {
      stream.emit('error', new Error('broken'))
      vi.advanceTimersByTime(1_001)
    }
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 5 })
  })

  it('trusts a SonicBoom by its write events alone', () => {
    class SonicBoom extends Emitter {}
    const stream = new SonicBoom()
    const breaker = circuitBreaker(stream, { failures: 1, recovery: 1_000, successes: 1, fallback: 'count' })
    stream.emit('error', new Error('broken'))
    vi.advanceTimersByTime(1_000)
    writeTimes(breaker, 2)
    expect(breaker.stats()).toMatchObject({ state: 'half-open', attempted: 1 })
    stream.emit('write', 2)
    expect(breaker.stats().state).toBe('closed')
  })

  it('tries again if the outcome of its trials never came', () => {
    class SonicBoom extends Emitter {}
    const stream = new SonicBoom()
    const breaker = circuitBreaker(stream, { failures: 1, successes: 1, recovery: 1_000, fallback: 'count' })
    stream.emit('error', new Error('broken'))
    for (let i = 0; i < 3; i++) {
      vi.advanceTimersByTime(1_000)
      writeTimes(breaker, 2)
    }
    expect(stream.lines).toHaveLength(3)
  })
})

describe('a circuit breaker passes on', () => {
  it('flush, flushSync and end', () => {
    const stream = { write: vi.fn(), flush: vi.fn(), flushSync: vi.fn(), end: vi.fn() }
    const log = logger({}, circuitBreaker(stream))
    const done = () => undefined
    log.flush(done)
    log.fatal('text')
    circuitBreaker(stream).end()
    expect(stream.flush).toHaveBeenCalledWith(done)
    expect(stream.flushSync).toHaveBeenCalledTimes(1)
    expect(stream.end).toHaveBeenCalledTimes(1)
  })

  it('a flush to a destination that has none', () => {
    const done = vi.fn()
    const breaker = circuitBreaker({ write: () => undefined })
    breaker.flush(done)
    breaker.flushSync()
    breaker.end()
    expect(done).toHaveBeenCalledWith()
  })

  it('what loggers tell multistream of each line, and the counters of its breakers to the logger', () => {
    const [all, errors] = [fragile(), fragile()]
    all.state.broken = errors.state.broken = false
    const streams = multistream([
      { stream: circuitBreaker(all.stream), level: 'info' },
      { stream: circuitBreaker(errors.stream), level: 'error' }
    ])
    const log = plainLogger({}, circuitBreaker(streams))
    log.info('text')
    log.error('text')
    expect([all.lines.length, errors.lines.length]).toEqual([2, 1])
    expect(getLoggerStats(plainLogger({}, streams)).circuitBreakers.map(({ attempted }) => attempted)).toEqual([2, 1])
  })

  it('the message by which loggers introduce themselves to a transport', () => {
    const stream = Object.assign(new EventEmitter(), { write: () => undefined })
    const message = vi.fn()
    stream.on('message', message)
    plainLogger({}, circuitBreaker(stream))
    expect(message).toHaveBeenCalledWith(expect.objectContaining({ code: 'PINO_CONFIG' }))
  })
})

describe('around a destination of the engine', () => {
  it.each(engines)('what it drops is a failure, and goes to the fallback, with the %s engine', engine => {
    const stderr: string[] = []
    vi.spyOn(process.stderr, 'write').mockImplementation(line => {
      stderr.push(String(line))
      return true
    })
    const file = tempLog()
    const options = {
      dest: file,
      format: 'ndjson' as const,
      onFull: 'drop' as const,
      bufferSize: 1 << 17,
      numShards: 1
    }
    const stream = destination({ ...options, engine, crashSafe: false, flushInterval: 0 })
    const breaker = circuitBreaker(stream, { failures: 5 })
    const text = 'x'.repeat(1_000)
    for (let i = 0; i < 3_000; i++) breaker.write(`{"i":${i},"text":"${text}"}\n`)
    stream.closeSync()
    const { dropped, diverted, opened, failures } = breaker.stats()
    expect(dropped).toBe(0)
    expect(diverted).toBe(stderr.length)
    if (diverted > 0) expect([opened, failures >= 5]).toEqual([1, true])
    const ids = [...fs.readFileSync(file, 'utf8').trim().split('\n'), ...stderr].map(
      line => (JSON.parse(line) as { i: number }).i
    )
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 3_000 }, (_, i) => i))
  })

  it('one that is closed opens the circuit', () => {
    const stream = destination({
      dest: tempLog(),
      format: 'ndjson',
      crashSafe: false,
      bufferSize: 1 << 20,
      numShards: 1
    })
    const breaker = circuitBreaker(stream, { fallback: 'count' })
    writeTimes(breaker, 3)
    expect(breaker.stats()).toMatchObject({ state: 'closed', failures: 0 })
    stream.closeSync()
    writeTimes(breaker, 100)
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 5, opened: 1, dropped: 100 })
  })
})

describe('around a stream whose peer stalls', () => {
  it('what waits is bounded; beyond that a write is a failure', () => {
    const stalled = new Writable({ write: () => undefined, highWaterMark: 1 })
    const breaker = circuitBreaker(stalled, { maxPending: 10_000, fallback: 'count' })
    for (let i = 0; i < 1_000; i++) breaker.write('x'.repeat(100))
    expect(breaker.stats()).toMatchObject({ state: 'open', failures: 5, pending: 10_000, dropped: 900 })
    expect(stalled.writableLength).toBeLessThanOrEqual(10_000)
  })

  it('a line that is larger by itself is tried', () => {
    const lines: string[] = []
    const stream = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        lines.push(chunk.toString())
        callback()
      }
    })
    const breaker = circuitBreaker(stream, { maxPending: 10, fallback: 'count' })
    breaker.write('x'.repeat(100))
    expect(lines).toHaveLength(1)
  })

  it('it is tried again, and goes on when it takes lines', async () => {
    const waiting: (() => void)[] = []
    const stream = new Writable({ write: (_chunk, _encoding, callback) => void waiting.push(callback) })
    const breaker = circuitBreaker(stream, { maxPending: 1_000, fallback: 'count', recovery: 1_000 })
    for (let i = 0; i < 100; i++) breaker.write('x'.repeat(100))
    expect(breaker.stats().state).toBe('open')
    vi.useRealTimers()
    while (waiting.length > 0) {
      waiting.shift()?.()
      await new Promise(setImmediate)
    }
    expect(breaker.stats()).toMatchObject({ pending: 0 })
  })
})

describe.each(engines)('a logger whose destinations are behind a breaker, with the %s engine', engine => {
  const records = () => destination({ dest: tempLog(), format: 'ndjson', engine })
  const ended = () => {
    const stream = records()
    stream.end()
    return stream
  }

  it('is closed when the destination is', async () => {
    vi.useRealTimers()
    const file = tempLog()
    const log = logger({}, circuitBreaker(destination({ dest: file, format: 'ndjson', engine })))
    log.info('last')
    await log.close()
    expect(fs.readFileSync(file, 'utf8')).toContain('"msg":"last"')
  })

  it.each([
    ['a function that opens one', () => circuitBreaker(() => records())],
    ['another breaker', () => circuitBreaker(circuitBreaker(records()))],
    ['a multistream', () => circuitBreaker(multistream([{ stream: records() }, { stream: records() }]))],
    ['a multistream in one', () => multistream([{ stream: multistream([{ stream: circuitBreaker(records()) }]) }])],
    ['an object that says nothing of its end', () => circuitBreaker({ write: () => undefined })],
    ['a destination that has ended', () => circuitBreaker(ended())]
  ])('is closed with %s', async (_name, make) => {
    vi.useRealTimers()
    const log = logger({}, make() as never)
    log.info('last')
    await expect(log.close()).resolves.toBeUndefined()
  })
})
