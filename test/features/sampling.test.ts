import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { getLoggerStats } from '../../lib/features/plugin'
import type { LoggerOptions } from '../../lib/pino/types'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'
import { destinations, plainLogger } from './support'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000_000_000 })
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const silent = { write: () => true }

/** Logs at an even rate. */
function logEvenly(log: { info(message: string): void }, perSecond: number, seconds: number): void {
  for (let i = 0; i < perSecond * seconds; i++) {
    log.info('text')
    vi.advanceTimersByTime(1000 / perSecond)
  }
}

function sampled(sampling: LoggerOptions['sampling']) {
  const log = plainLogger({ sampling }, silent)
  return { log, stats: () => getLoggerStats(log).sampling! }
}

describe.each(destinations)('sampling, %s destination', (_name, make) => {
  it('keeps all while no more come than targetRate allows, and says so in each record', () => {
    const { log, lines } = make({ sampling: { targetRate: 10, window: 1_000 } })
    for (let i = 0; i < 10; i++) log.info({ i }, 'text')
    expect(lines()).toEqual(Array.from({ length: 10 }, (_, i) => ({ level: 30, i, sampleRate: 1, msg: 'text' })))
  })

  it('records the share by which records are kept beyond that', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const { log, lines } = make({ sampling: { targetRate: 1, window: 1_000, field: 'share' } })
    for (let i = 0; i < 4; i++) log.info('text')
    expect(lines().map(line => line.share)).toEqual([1, 1 / 2, 1 / 3, 1 / 4])
  })

  it('always keeps warnings, errors and errors that are logged by themselves', () => {
    vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON)
    const { log, lines } = make({ sampling: { targetRate: 1, window: 1_000 } })
    for (let i = 0; i < 100; i++) log.info('flood')
    log.warn('text')
    log.error(new Error('broken'))
    log.fatal({ a: 1 })
    const [, ...kept] = lines()
    expect(kept).toMatchObject([
      { level: 40, msg: 'text', sampleRate: 1 },
      { level: 50, msg: 'broken', err: { message: 'broken' }, sampleRate: 1 },
      { level: 60, a: 1, sampleRate: 1 }
    ])
    expect(getLoggerStats(log).sampling).toMatchObject({ offered: 100, kept: 1, sampledOut: 99 })
  })

  it('applies to children and compiled events', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const { log, lines } = make({ sampling: { targetRate: 2, window: 1_000 } })
    const event = log.event('event', ['a'])
    event(1)
    log.child({ b: 2 }).info('child')
    event(3)
    expect(lines()).toEqual([
      { level: 30, a: 1, sampleRate: 1, msg: 'event' },
      { level: 30, b: 2, sampleRate: 1, msg: 'child' }
    ])
  })
})

describe('the adaptive sampler', () => {
  it('drops nothing at the target rate, however long it lasts', () => {
    const { log, stats } = sampled({ targetRate: 50, window: 1_000 })
    logEvenly(log, 50, 30)
    expect(stats()).toEqual({ offered: 1_500, kept: 1_500, sampledOut: 0, probability: 1, load: null })
  })

  it('keeps about the target rate of a lasting flood', () => {
    const { log, stats } = sampled({ targetRate: 50, window: 1_000, step: 1 })
    logEvenly(log, 1_000, 5)
    const before = stats().kept
    logEvenly(log, 1_000, 20)
    const perSecond = (stats().kept - before) / 20
    expect(perSecond).toBeGreaterThan(35)
    expect(perSecond).toBeLessThan(70)
  })

  it('gives weights that add up to what was offered', () => {
    let weights = 0
    const write = (line: string) => {
      weights += 1 / (JSON.parse(line) as { sampleRate: number }).sampleRate
    }
    const log = plainLogger({ sampling: { targetRate: 100, window: 1_000 } }, { write })
    logEvenly(log, 2_000, 10)
    expect(weights / 20_000).toBeGreaterThan(0.8)
    expect(weights / 20_000).toBeLessThan(1.2)
  })

  it('keeps no less than minProbability', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.04)
    const { log, stats } = sampled({ targetRate: 1, window: 1_000, minProbability: 0.05 })
    for (let i = 0; i < 1_000; i++) log.info('text')
    expect(stats()).toEqual({ offered: 1_000, kept: 1_000, sampledOut: 0, probability: 0.05, load: null })
  })

  it('rises by no more than step in a tenth of the window while more come than are wanted', () => {
    const { log, stats } = sampled({ targetRate: 10, window: 1_000, step: 0.01 })
    for (let i = 0; i < 1_000; i++) log.info('text')
    expect(stats().probability).toBeCloseTo(0.01)
    vi.advanceTimersByTime(1_000)
    for (let i = 0; i < 11; i++) log.info('text')
    expect(stats().probability).toBeCloseTo(0.11)
  })

  it('keeps all again once a window has passed without a flood', () => {
    const { log, stats } = sampled({ targetRate: 10, window: 1_000 })
    for (let i = 0; i < 1_000; i++) log.info('text')
    const { kept } = stats()
    vi.advanceTimersByTime(1_000)
    for (let i = 0; i < 10; i++) log.info('text')
    expect(stats()).toMatchObject({ kept: kept + 10, probability: 1 })
  })

  it('goes on when the clock is set back', () => {
    const { log, stats } = sampled({ targetRate: 10, window: 1_000 })
    for (let i = 0; i < 100; i++) log.info('text')
    const { kept } = stats()
    vi.setSystemTime(500_000_000_000)
    for (let i = 0; i < 10; i++) log.info('text')
    expect(stats().kept).toBe(kept + 10)
  })

  it('tells the share of the present, not of the last flood', () => {
    const { log, stats } = sampled({ targetRate: 10, window: 1_000 })
    for (let i = 0; i < 10_000; i++) log.info('text')
    expect(stats().probability).toBeLessThan(0.01)
    vi.advanceTimersByTime(3_600_000)
    expect(stats().probability).toBe(1)
  })

  it('keeps rare events whole in a flood of another, and gives the flood what is left', () => {
    const kept: Record<string, number> = {}
    const weights: Record<string, number> = {}
    const write = (line: string) => {
      const { msg, sampleRate } = JSON.parse(line) as { msg: string; sampleRate: number }
      kept[msg] = (kept[msg] ?? 0) + 1
      weights[msg] = (weights[msg] ?? 0) + 1 / sampleRate
    }
    const log = plainLogger({ sampling: { targetRate: 100, window: 2_000 } }, { write })
    for (let second = 0; second < 20; second++) {
      log.info('rare')
      log.debug('not on')
      logEvenly({ info: text => log.info(`${text} of many`) }, 5_000, 1)
    }
    expect(kept.rare).toBe(20)
    expect(weights.rare).toBe(20)
    expect(kept['text of many']).toBeGreaterThan(1_000)
    expect(kept['text of many']).toBeLessThan(4_500)
    expect((weights['text of many'] ?? 0) / 100_000).toBeGreaterThan(0.85)
    expect((weights['text of many'] ?? 0) / 100_000).toBeLessThan(1.15)
  })

  it('shares the budget among ever new messages, in bounded memory', () => {
    let kept = 0
    const log = plainLogger({ sampling: { targetRate: 100, window: 1_000 } }, { write: () => ++kept })
    for (let second = 0; second < 10; second++) {
      for (let i = 0; i < 4_000; i++) {
        log.info(`message ${second} ${i}`)
        vi.advanceTimersByTime(0.25)
      }
    }
    expect(kept).toBeGreaterThan(400)
    expect(kept).toBeLessThan(3_000)
  })
})

describe('what is always kept', () => {
  const flood = (log: object, name: string, times = 1_000): void => {
    const method = (log as Record<string, (text: string) => void>)[name]!
    for (let i = 0; i < times; i++) method.call(log, 'text')
  }
  const levelsOf = (lines: string[]): Record<number, number> => {
    const counts: Record<number, number> = {}
    for (const line of lines) {
      const { level } = JSON.parse(line) as { level: number }
      counts[level] = (counts[level] ?? 0) + 1
    }
    return counts
  }
  const made = (options: object) => {
    const lines: string[] = []
    return { log: plainLogger(options as LoggerOptions, { write: line => lines.push(line) }), lines }
  }
  const scale = { debug: 1, info: 2, notice: 3, warning: 4, error: 5 }
  const sampling = { targetRate: 1, window: 1_000 }

  it('is found by its name in any scale', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const { log, lines } = made({ customLevels: scale, useOnlyCustomLevels: true, level: 'debug', sampling })
    for (const name of ['debug', 'info', 'notice', 'warning', 'error']) flood(log, name, 100)
    const counts = levelsOf(lines)
    expect([counts[4], counts[5]]).toEqual([100, 100])
    expect((counts[1] ?? 0) + (counts[2] ?? 0) + (counts[3] ?? 0)).toBeLessThan(10)
  })

  it('is so where lower numbers weigh more', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const customLevels = { emerg: 0, err: 3, warning: 4, info: 6, debug: 7 }
    const { log, lines } = made({
      customLevels,
      useOnlyCustomLevels: true,
      level: 'debug',
      levelComparison: 'DESC',
      sampling
    })
    for (const name of Object.keys(customLevels)) flood(log, name, 100)
    const counts = levelsOf(lines)
    expect([counts[0], counts[3], counts[4]]).toEqual([100, 100, 100])
    expect((counts[6] ?? 0) + (counts[7] ?? 0)).toBeLessThan(10)
    const standard = made({ level: 'fatal', levelComparison: 'DESC', sampling })
    for (const name of ['debug', 'info', 'error']) flood(standard.log, name, 100)
    expect(levelsOf(standard.lines)[50]).toBe(100)
    expect(levelsOf(standard.lines)[30] ?? 0).toBeLessThan(10)
  })

  it('is an option, or refused where it is needed', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.999)
    const none = made({ sampling: { ...sampling, alwaysKeep: false } })
    flood(none.log, 'error')
    expect(none.lines.length).toBeLessThan(10)
    const info = made({ sampling: { ...sampling, alwaysKeep: 'info' }, level: 'debug' })
    flood(info.log, 'info', 100)
    flood(info.log, 'debug', 100)
    expect(levelsOf(info.lines)[30]).toBe(100)
    const only = { customLevels: { low: 1, high: 2 }, useOnlyCustomLevels: true, level: 'low' }
    expect(() => made({ ...only, sampling })).toThrow(
      'option sampling.alwaysKeep is needed, since no level of low, high is called warn or warning or error'
    )
    expect(() => made({ ...only, dedupe: true })).toThrow('option dedupe.alwaysKeep is needed')
    expect(() => made({ sampling: { ...sampling, alwaysKeep: 'loud' } })).toThrow(
      'option sampling.alwaysKeep must be the name of a level (trace, debug, info, warn, error, fatal) or false'
    )
    expect(() =>
      made({ ...only, dedupe: { alwaysKeep: 'high' }, sampling: { ...sampling, alwaysKeep: 'high' } })
    ).not.toThrow()
  })
})

describe('maxEventsPerSecond', () => {
  it('holds in every second, and weights add up to what was offered', () => {
    const times: number[] = []
    let weights = 0
    const write = (line: string) => {
      times.push(Date.now())
      weights += 1 / (JSON.parse(line) as { sampleRate: number }).sampleRate
    }
    const log = plainLogger({ maxEventsPerSecond: 100 }, { write })
    let offered = 0
    for (let ms = 0; ms < 20_000; ms++) {
      // Bursts of 300 ms, and a steady flood.
      const now = ms % 1_000 < 300 ? 20 : 5
      for (let i = 0; i < now; i++) log.info('text')
      offered += now
      vi.advanceTimersByTime(1)
    }
    for (let i = 0; i + 100 < times.length; i++) expect(times[i + 100]! - times[i]!).toBeGreaterThanOrEqual(1_000)
    expect(times.length).toBeGreaterThan(1_500)
    expect(weights / offered).toBeGreaterThan(0.8)
    expect(weights / offered).toBeLessThan(1.2)
  })

  it('lets through all of less, rare events in a flood, and what is always kept', () => {
    const counts: Record<string, number> = {}
    const write = (line: string) => {
      const { msg } = JSON.parse(line) as { msg: string }
      counts[msg] = (counts[msg] ?? 0) + 1
    }
    const log = plainLogger({ maxEventsPerSecond: 100 }, { write })
    for (let second = 0; second < 10; second++) {
      logEvenly({ info: () => log.info('calm') }, 95, 1)
    }
    expect(counts.calm).toBe(950)
    vi.advanceTimersByTime(2_000)
    for (let second = 0; second < 10; second++) {
      logEvenly({ info: () => log.info('flood') }, 2_000, 1)
      log.info('rare')
      log.error('error')
    }
    expect(counts.error).toBe(10)
    // In the first second of a flood the flood has had all there is.
    expect(counts.rare).toBeGreaterThanOrEqual(9)
    expect(counts.flood).toBeLessThanOrEqual(1_000)
    expect(counts.flood).toBeGreaterThan(700)
  })

  it('is one for all threads that write to one log', async () => {
    const file = tempLog()
    const script = `const { Worker, isMainThread } = require('node:worker_threads')
      const shardlog = require(${JSON.stringify(packageRoot)})
      const start = Date.now()
      if (isMainThread) for (let i = 0; i < 3; i++) new Worker(__filename)
      const log = shardlog({ maxEventsPerSecond: 50 }, shardlog.destination({ dest: ${JSON.stringify(file)}, format: 'ndjson', bufferSize: 1 << 22 }))
      while (Date.now() - start < 2000) log.info('text')
      log.flushSync()`
    const program = path.join(path.dirname(file), 'program.js')
    fs.writeFileSync(program, script)
    spawnSync(process.execPath, [program], { timeout: 30_000 })
    const times = fs
      .readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map(line => (JSON.parse(line) as { time: number }).time)
    times.sort((a, b) => a - b)
    expect(times.length).toBeGreaterThan(50)
    // A thread may be held up between the decision and the line.
    for (let i = 0; i + 50 < times.length; i++) expect(times[i + 50]! - times[i]!).toBeGreaterThanOrEqual(900)
  })

  it('is refused unless it is a number of records', () => {
    for (const most of [0, -1, 1.5, '100', Number.NaN]) {
      expect(() => plainLogger({ maxEventsPerSecond: most as number }, silent)).toThrow(
        'option maxEventsPerSecond must be'
      )
    }
  })
})

describe('the load of the system', () => {
  it('makes the kept share smaller while the buffers are full', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.5)
    let utilizationPct = 0
    const stream = { write: () => true, getShardStats: () => [{ utilizationPct }, { utilizationPct: 5 }] }
    const log = plainLogger(
      { sampling: { targetRate: 100, window: 1_000, load: { bufferUse: 50, eventLoopDelay: 10_000 } } },
      stream
    )
    for (let i = 0; i < 100; i++) log.info('text')
    expect(getLoggerStats(log).sampling).toMatchObject({ kept: 100, load: { factor: 1 } })
    vi.advanceTimersByTime(2_000)
    utilizationPct = 90
    for (let i = 0; i < 100; i++) log.info('text')
    expect(getLoggerStats(log).sampling).toMatchObject({ load: { bufferUse: 90, factor: 0.2 } })
    expect(getLoggerStats(log).sampling!.kept).toBeLessThan(150)
  })

  it('is checked by name', () => {
    const make = (load: object) => () => plainLogger({ sampling: { targetRate: 1, load } }, silent)
    expect(make({ bufferuse: 5 })).toThrow('unknown option sampling.load.bufferuse (value 5): did you mean bufferUse?')
    expect(make({ eventLoopDelay: 0 })).toThrow('option sampling.load.eventLoopDelay must be')
  })
})

it('a binding of the same key as a field that features add is written once', () => {
  const lines: string[] = []
  const log = plainLogger(
    { sampling: { targetRate: 1_000 }, caller: { field: 'at' } },
    { write: line => lines.push(line) }
  )
  const child = log.child({ sampleRate: 'mine', at: 'mine', n: { sampleRate: 1 } })
  child.info('a')
  child.withContext({ n: 2, m: 3 }, () => child.info('b'))
  expect(lines).toEqual([
    '{"level":30,"at":"mine","n":{"sampleRate":1},"sampleRate":1,"msg":"a"}\n',
    '{"level":30,"at":"mine","n":{"sampleRate":1},"m":3,"sampleRate":1,"msg":"b"}\n'
  ])
})

it('the encoder is one of those that there are, and makes the same lines', () => {
  for (const encoder of ['native', 'json', 'msgspec'] as const) {
    for (const [, make] of destinations) {
      const { log, lines } = make({ encoder })
      for (let i = 0; i < 3; i++) log.child({ c: 1 }).info({ a: { b: i } }, 'text')
      log.event('event', ['a'])(1)
      expect(lines()).toHaveLength(4)
    }
  }
  expect(() => plainLogger({ encoder: 'fast' as never }, silent)).toThrow(
    "option encoder must be one of 'native', 'json', 'msgspec', got 'fast'"
  )
})
