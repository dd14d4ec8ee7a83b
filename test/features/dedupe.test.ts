import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { getLoggerStats } from '../../lib/features/plugin'
import { destinations, plainLogger } from './support'

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000_000_000 })
})

afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})

const repeats = (repeated: number) => ({ level: 30, repeated, msg: `last message repeated ${repeated} times` })

describe.each(destinations)('dedupe, %s destination', (_name, make) => {
  const text = { level: 30, msg: 'text' }

  it('writes a record at once, and its repeats as a count when another comes', () => {
    const { log, lines } = make({ dedupe: true })
    for (let i = 0; i < 1_000; i++) log.info('text')
    expect(lines()).toEqual([text])
    log.info('other')
    expect(lines()).toEqual([text, repeats(999), { level: 30, msg: 'other' }])
    expect(getLoggerStats(log).dedupe).toEqual({ repeated: 999, summaries: 1 })
  })

  it('tells the count when the window is over, and begins anew', () => {
    const { log, lines } = make({ dedupe: { window: 500 } })
    log.info('text')
    vi.advanceTimersByTime(400)
    log.info('text')
    log.info('text')
    vi.advanceTimersByTime(99)
    expect(lines()).toEqual([text])
    vi.advanceTimersByTime(1)
    expect(lines()).toEqual([text, repeats(2)])
    log.info('text')
    expect(lines()).toEqual([text, repeats(2), text])
  })

  it('tells the count at flush', () => {
    const { log, lines } = make({ dedupe: true })
    log.info('text')
    log.child({}).info('text')
    log.child({ a: 1 }).flush()
    expect(lines()).toEqual([text, repeats(1)])
  })

  it('says nothing about records that did not come again', () => {
    const { log, lines } = make({ dedupe: true })
    log.info('text')
    vi.advanceTimersByTime(10_000)
    log.info('text')
    log.flush()
    expect(lines()).toEqual([text, text])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('counts with level and bindings of the record', () => {
    const { log, lines } = make({ dedupe: true })
    const child = log.child({ a: 1 })
    child.error({ b: 2 }, 'text')
    child.error({ b: 2 }, 'text')
    log.flush()
    expect(lines()[1]).toEqual({ level: 50, a: 1, repeated: 1, msg: 'last message repeated 1 times' })
  })

  it('takes errors of the same name, message and code for the same', () => {
    const { log, lines } = make({ dedupe: true })
    for (const message of ['a', 'a', 'b']) log.error(new RangeError(message))
    log.error({ err: new RangeError('b') }, 'text')
    log.error({ err: new RangeError('b') }, 'text')
    log.flush()
    expect(lines().map(({ msg }) => msg)).toEqual([
      'a',
      'last message repeated 1 times',
      'b',
      'text',
      'last message repeated 1 times'
    ])
  })

  it('applies to compiled events', () => {
    const { log, lines } = make({ dedupe: true })
    const event = log.event('event', ['a'])
    for (const a of [1, 1, 2]) event(a)
    expect(lines().map(({ a, repeated }) => a ?? repeated)).toEqual([1, 1, 2])
  })

  it('gives repeats the fate and the share of the record that they repeat', () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.9)
    const { log, lines } = make({ dedupe: true, sampling: { targetRate: 1, window: 1_000 } })
    for (const message of ['a', 'a', 'b', 'b', 'b']) log.info(message)
    random.mockReturnValue(0)
    for (const message of ['c', 'c']) log.info(message)
    log.flush()
    expect(lines()).toEqual([
      { level: 30, sampleRate: 1, msg: 'a' },
      { ...repeats(1), sampleRate: 1 },
      { level: 30, sampleRate: 1 / 3, msg: 'c' },
      { ...repeats(1), sampleRate: 1 / 3 }
    ])
    expect(getLoggerStats(log)).toMatchObject({
      sampling: { offered: 3, kept: 2, sampledOut: 3 },
      dedupe: { repeated: 4, summaries: 2 }
    })
  })
})

describe('a record is no repeat if', () => {
  const object = { n: 1 }

  it.each<[string, unknown[], unknown[]]>([
    ['a field has another value', [{ a: 1 }, 'text'], [{ a: 2 }, 'text']],
    ['a field is missing', [{ a: 1, b: 2 }, 'text'], [{ a: 1 }, 'text']],
    ['fields have another order', [{ a: 1, b: 2 }, 'text'], [{ b: 2, a: 1 }, 'text']],
    ['a value is an object, which may have changed', [{ object }, 'text'], [{ object }, 'text']],
    ['a value in its message is another', ['%s', 1], ['%s', 2]],
    ['its error has another code', [Object.assign(new Error('a'), { code: 1 })], [new Error('a')]]
  ])('%s', (_name, first, second) => {
    const write = vi.fn()
    const log = plainLogger({ dedupe: true }, { write }) as unknown as { info(...args: unknown[]): void }
    log.info(...first)
    log.info(...second)
    expect(write).toHaveBeenCalledTimes(2)
  })

  it('its level or its bindings are others', () => {
    const write = vi.fn()
    const log = plainLogger({ dedupe: true }, { write })
    log.info('text')
    log.warn('text')
    log.child({ a: 1 }).warn('text')
    log.child({ a: 2 }).warn('text')
    expect(write).toHaveBeenCalledTimes(4)
  })

  it('it is fatal', () => {
    const write = vi.fn()
    const log = plainLogger({ dedupe: true }, { write })
    log.fatal('text')
    log.fatal('text')
    expect(write).toHaveBeenCalledTimes(2)
  })

  it('one of `keys` has another value; other fields do not count then', () => {
    const write = vi.fn()
    const log = plainLogger({ dedupe: { keys: ['host'] } }, { write })
    log.info({ host: 'a', id: 1 }, 'text')
    log.info({ id: 2, host: 'a' }, 'text')
    log.info({ host: 'b', id: 2 }, 'text')
    expect(write).toHaveBeenCalledTimes(3)
    expect(getLoggerStats(log).dedupe).toEqual({ repeated: 1, summaries: 1 })
  })
})

it('a summary that cannot be made is rescued, and throws nowhere', () => {
  const lines: string[] = []
  let broken = false
  const mixin = () => {
    if (broken) throw new Error('broken')
    return {}
  }
  const log = plainLogger({ dedupe: true, mixin }, { write: line => lines.push(line) })
  log.info('text')
  log.info('text')
  broken = true
  vi.advanceTimersByTime(1_000)
  expect(lines[1]).toBe(
    '{"level":30,"repeated":1,"loggingError":"Error in mixin","msg":"last message repeated 1 times"}\n'
  )
})
