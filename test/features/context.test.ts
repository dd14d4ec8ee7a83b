import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { getLoggerStats } from '../../lib/features/plugin'
import { destinations, plainLogger } from './support'

describe.each(destinations)('withContext, %s destination', (_name, make) => {
  it('adds its fields to what is logged within, and to nothing else', () => {
    const { log, lines } = make({})
    log.info('before')
    expect(log.withContext({ request: 1 }, () => log.info({ a: 2 }, 'within'))).toBeUndefined()
    log.info('after')
    expect(lines()).toEqual([
      { level: 30, msg: 'before' },
      { level: 30, request: 1, a: 2, msg: 'within' },
      { level: 30, msg: 'after' }
    ])
  })

  it('holds across awaits and timers, for children and their parents, and keeps concurrent ones apart', async () => {
    const { log, lines } = make({})
    const child = log.child({ c: 1 })
    const handle = async (request: number) => {
      await sleep(3 - request)
      child.info('child')
      await new Promise<void>(resolve => {
        setTimeout(() => {
          log.info('parent')
          resolve()
        }, 1)
      })
      return request
    }
    const results = await Promise.all([1, 2].map(request => child.withContext({ request }, () => handle(request))))
    expect(results).toEqual([1, 2])
    const of = (request: number) => lines().filter(line => line.request === request)
    for (const request of [1, 2]) {
      expect(of(request)).toEqual([
        { level: 30, c: 1, request, msg: 'child' },
        { level: 30, request, msg: 'parent' }
      ])
    }
  })

  it('nests: inner fields win over outer ones, logged ones over both', () => {
    const { log, lines } = make({})
    log.withContext({ a: 1, b: 1, c: 1 }, () => {
      log.withContext({ b: 2, c: 2 }, () => log.info({ c: 3 }, 'inner'))
      log.info('outer')
    })
    expect(lines()).toEqual([
      { level: 30, a: 1, b: 2, c: 3, msg: 'inner' },
      { level: 30, a: 1, b: 1, c: 1, msg: 'outer' }
    ])
  })

  it('applies to errors that are logged by themselves, compiled events, serializers and redaction', () => {
    const { log, lines } = make({ serializers: { user: () => 'serialized' }, redact: ['token'] })
    const event = log.event('event', ['a'])
    log.withContext({ user: {}, token: 'secret' }, () => {
      event(1)
      log.error(new Error('broken'))
    })
    event(2)
    const context = { user: 'serialized', token: '[Redacted]' }
    expect(lines()).toMatchObject([
      { ...context, a: 1, msg: 'event' },
      { ...context, err: { message: 'broken' }, msg: 'broken' },
      { a: 2, msg: 'event' }
    ])
    expect(lines()[2]).not.toHaveProperty('user')
  })
})

describe('the context of a logger', () => {
  const silent = { write: () => true }

  it('is what context returns: a copy, empty outside of any', () => {
    const log = plainLogger({}, silent)
    expect(log.context()).toEqual({})
    log.withContext({ a: 1 }, () => {
      log.context().a = 2
      expect(log.child({}).context()).toEqual({ a: 1 })
    })
    expect(log.context()).toEqual({})
    expect(getLoggerStats(log).context).toEqual({ entered: 1 })
  })

  it('is not that of other loggers', () => {
    const [one, other] = [plainLogger({}, silent), plainLogger({}, silent)]
    one.withContext({ a: 1 }, () => expect(other.context()).toEqual({}))
    expect(getLoggerStats(other).context).toBeNull()
  })

  it('ends with a function that throws', () => {
    const log = plainLogger({}, silent)
    const fail = () => {
      throw new Error('broken')
    }
    expect(() => log.withContext({ a: 1 }, fail)).toThrow('broken')
    expect(log.context()).toEqual({})
  })

  it.each([
    [null, () => 1, /fields must be an object, got null/],
    [{}, 'no function', /fn must be a function, got 'no function'/]
  ])('withContext refuses %o, %o', (fields, fn, message) => {
    const log = plainLogger({}, silent)
    expect(() => log.withContext(fields as never, fn as never)).toThrow(message)
    expect(() => log.withContext(fields as never, fn as never)).toThrow(
      expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' })
    )
  })
})

describe('addContext', () => {
  it('adds fields to whatever is logged, until they are cleared', () => {
    for (const [, make] of destinations) {
      const { log, lines } = make({})
      log.addContext({ region: 'eu', release: 5 })
      log.child({ c: 1 }).info('child')
      log.withContext({ region: 'us' }, () => log.info({ release: 6 }, 'within'))
      expect(log.context()).toEqual({ region: 'eu', release: 5 })
      log.clearContext('region', 'unheard of')
      log.info('some')
      log.addContext({ a: 1 })
      log.clearContext()
      log.info('none')
      expect(log.context()).toEqual({})
      expect(lines()).toEqual([
        { level: 30, c: 1, region: 'eu', release: 5, msg: 'child' },
        { level: 30, region: 'us', release: 6, msg: 'within' },
        { level: 30, release: 5, msg: 'some' },
        { level: 30, msg: 'none' }
      ])
      expect(() => log.addContext(null as never)).toThrow('addContext: fields must be an object')
    }
  })

  it('takes fields that cannot be read, which cost themselves', () => {
    for (const [, make] of destinations) {
      const { log, lines } = make({})
      const fields = Object.defineProperty({ b: 2 }, 'a', {
        enumerable: true,
        get() {
          throw new Error('a')
        }
      })
      expect(log.withContext(fields, () => 7)).toBe(7)
      log.withContext(fields, () => log.info({ c: 3 }, 'text'))
      log.withContext({ d: 4 }, () => log.info(fields, 'text'))
      expect(lines()).toEqual([
        { level: 30, b: 2, c: 3, loggingError: 'Error in field a', msg: 'text' },
        { level: 30, d: 4, b: 2, loggingError: 'Error in field a', msg: 'text' }
      ])
    }
  })
})
