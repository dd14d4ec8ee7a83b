import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { getLoggerStats } from '../../lib/features/logger-stats'
import type { LoggerOptions } from '../../lib/pino/types'
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
    expect(stats()).toEqual({ offered: 1_500, kept: 1_500, sampledOut: 0, probability: 1 })
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
    expect(stats()).toEqual({ offered: 1_000, kept: 1_000, sampledOut: 0, probability: 0.05 })
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

  it('is set by maxEventsPerSecond too, with a window of ten seconds', () => {
    vi.spyOn(Math, 'random').mockReturnValue(0.9999)
    const log = plainLogger({ maxEventsPerSecond: 5 }, silent)
    for (let i = 0; i < 60; i++) log.info('text')
    expect(getLoggerStats(log).sampling).toMatchObject({ kept: 50, sampledOut: 10 })
  })
})
