import { afterEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import { multistream, stdSerializers } from '../../../lib/pino/public'
import { linesOf } from './lines'

const fail = (): never => {
  throw new RangeError('broken')
}
const failed = (place: string): string => `RangeError in ${place}`
const level = 30

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a log call does not throw, and its line says what went wrong, when', () => {
  const object = Object.defineProperty({ b: 2 }, 'a', { get: fail, enumerable: true })

  it.each([
    ['a getter throws', {}, [object, 'text'], 'field a', { b: 2 }],
    ['a serializer throws', { serializers: { a: fail } }, [{ a: 1, b: 2 }, 'text'], 'serializers.a', { b: 2 }],
    ['a mixin throws', { mixin: fail }, [{ b: 2 }, 'text'], 'mixin', { b: 2 }],
    [
      'a merge strategy throws',
      { mixin: () => ({}), mixinMergeStrategy: fail },
      [{ b: 2 }, 'text'],
      'mixinMergeStrategy',
      {}
    ],
    ['a formatter throws', { formatters: { log: fail } }, [{ b: 2 }, 'text'], 'formatters.log', {}],
    ['the hook logMethod throws', { hooks: { logMethod: fail } }, [{ b: 2 }, 'text'], 'hooks.logMethod', {}],
    ['a censor throws', { redact: { paths: ['a'], censor: fail } }, [{ a: 1, b: 2 }, 'text'], 'redact.a', { b: 2 }]
  ])('%s', (_name, options, args, place, rest) => {
    const lines = linesOf(options, log => log.info(...(args as [object, string])))
    expect(lines).toEqual([{ level, ...rest, loggingError: failed(place), msg: 'text' }])
  })

  it('a value put into the message throws', () => {
    const lines = linesOf({}, log => log.info('%s of %d', { toString: fail, a: 1 }, 2))
    expect(lines).toEqual([{ level, loggingError: failed('message'), msg: '{"a":1} of 2' }])
    const [redacted] = linesOf({ redact: ['a'] }, log => log.info('%s', { toString: fail, a: 1 }))
    expect(redacted).toMatchObject({ msg: '{"a":"[Redacted]"}' })
  })

  it('a mixin gives no object', () => {
    const [line] = linesOf({ mixin: () => null as unknown as object }, log => log.info({ a: 1 }, 'text'))
    expect(line).toEqual({ level, a: 1, loggingError: 'TypeError in mixin', msg: 'text' })
  })

  it('the object is a proxy that has been revoked', () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    const lines = linesOf({}, log => {
      log.info(proxy, 'text')
      log.info({ proxy, a: 1 }, 'text')
      log.info('%s', proxy)
      log.info(proxy)
    })
    const unable = '[unable to serialize, circular reference is too complex to analyze]'
    expect(lines).toEqual([
      { level, loggingError: 'TypeError in fields', msg: 'text' },
      { level, proxy: unable, a: 1, msg: 'text' },
      { level, loggingError: 'TypeError in message', msg: `"${unable}"` },
      { level, loggingError: 'TypeError in fields' }
    ])
  })

  it('the stack is full, of which a later call tells', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const lines = linesOf({}, log => {
      const dive = (): void => {
        try {
          dive()
        } catch (full) {
          log.info({ a: 1 }, 'text')
          throw full
        }
      }
      expect(dive).toThrow(RangeError)
      log.info(5)
    })
    expect(lines.length).toBeGreaterThan(1)
    if (warn.mock.calls.length > 0) expect(warn.mock.calls[0]?.[0]).toMatch(/log calls left no line/)
  })
})

describe('an error that its serializer trips over', () => {
  const frozen = Object.freeze(Object.assign(new TypeError('declined'), { code: 5 }))
  const whole = { type: 'TypeError', message: 'declined', code: 5, stack: frozen.stack }

  it('is written whole if it is frozen, and stays as it was', () => {
    const lines = linesOf({}, log => {
      log.error(frozen)
      log.error({ err: frozen }, 'text')
      log.child({ err: frozen }).error('text')
    })
    expect(lines).toEqual([
      { level: 50, err: whole, msg: 'declined' },
      { level: 50, err: whole, msg: 'text' },
      { level: 50, err: whole, msg: 'text' }
    ])
    const own = { serializers: { err: (error: Error) => ({ ...stdSerializers.err(error), own: true }) } }
    expect(linesOf(own, log => log.error(frozen))).toEqual([
      { level: 50, err: { ...whole, own: true }, msg: 'declined' }
    ])
  })

  it('is written with all that can be read of it', () => {
    const error = Object.assign(new Error('failed'), { code: 5 })
    Object.defineProperty(error, 'details', { enumerable: true, get: fail })
    const [line] = linesOf({}, log => log.error(error))
    expect(line).toEqual({
      level: 50,
      err: { type: 'Error', message: 'failed', stack: error.stack, code: 5, details: '[threw RangeError]' },
      msg: 'failed'
    })
    expect(Object.getOwnPropertySymbols(error)).toEqual([])
  })

  it('is written with some of what has no end', () => {
    const aggregate = Object.assign(new Error('all failed'), { errors: [] as unknown[] })
    aggregate.errors.push(aggregate)
    const endless = (): Error => Object.defineProperty(new Error('again'), 'cause', { get: endless })
    const lines = linesOf({}, log => {
      log.error(aggregate)
      log.error(endless())
    })
    expect(lines[0]).toMatchObject({ err: { message: 'all failed', aggregateErrors: ['[Circular]'] } })
    expect((lines[1] as { err: { message: string } }).err.message).toMatch(/^again(: again){49}$/)
  })
})

describe('the line of a record that could not be made whole', () => {
  const leaking = (value: unknown): never => {
    throw new RangeError(`cannot use ${value}`)
  }

  it('does not have the text of what was thrown, unless it is asked for', () => {
    const options = { serializers: { a: leaking } }
    const use = (log: Parameters<Parameters<typeof linesOf>[1]>[0]) => log.info({ a: 'secret' }, 'text')
    expect(linesOf(options, use)).toEqual([{ level, loggingError: failed('serializers.a'), msg: 'text' }])
    expect(linesOf({ ...options, loggingErrorText: true }, use)).toEqual([
      { level, loggingError: `${failed('serializers.a')}: RangeError: cannot use secret`, msg: 'text' }
    ])
    expect(linesOf({ ...options, loggingErrorText: true, redact: ['loggingError'] }, use)).toEqual([
      { level, loggingError: '[Redacted]', msg: 'text' }
    ])
  })

  it('tells the class of what was thrown, which is code, and not its name, which may be data', () => {
    class Mine extends Error {}
    for (const [thrown, kind] of [
      [Object.assign(new Error('a'), { name: 'secret' }), 'Error'],
      [new Mine('a'), 'Mine'],
      ['secret', 'string'],
      [null, 'object'],
      [Object.create(null), 'Error']
    ] as const) {
      const serializers = {
        a: () => {
          throw thrown
        }
      }
      expect(linesOf({ serializers }, log => log.info({ a: 1 }))).toEqual([
        { level, loggingError: `${kind} in serializers.a` }
      ])
    }
  })

  it('has the bindings that can be had', () => {
    const options = { serializers: { a: fail } }
    const lines = linesOf(options, log => log.child({ request: 1, a: 2 }).info({ a: 1, b: 2 }, 'text'))
    expect(lines.map(line => ({ ...line }))).toEqual([
      { level, request: 1, b: 2, loggingError: failed('serializers.a'), msg: 'text' }
    ])
  })

  it('has its message hidden if messages are', () => {
    expect(linesOf({ redact: ['msg'], mixin: fail }, log => log.info('text'))).toEqual([
      { level, loggingError: failed('mixin'), msg: '[Redacted]' }
    ])
  })

  it('goes through the hook streamWrite, and has neither fields nor message if that is what fails', () => {
    const hide = { hooks: { streamWrite: (line: string) => line.replace('secret', '***') }, mixin: fail }
    expect(linesOf(hide, log => log.info('a secret'))).toEqual([{ level, loggingError: failed('mixin'), msg: 'a ***' }])
    const broken = { hooks: { streamWrite: fail } }
    expect(linesOf(broken, log => log.info({ a: 1 }, 'a secret'))).toEqual([
      { level, loggingError: failed('hooks.streamWrite') }
    ])
  })

  it('goes to the destinations of its level', () => {
    const quiet: string[] = []
    const loud: string[] = []
    const streams = [{ stream: { write: (line: string) => quiet.push(line) } }]
    const several = multistream([...streams, { level: 'error' as const, stream: { write: line => loud.push(line) } }])
    const log = logger({ serializers: { a: fail } }, several)
    log.info({ a: 1 }, 'text')
    log.error({ a: 1 }, 'text')
    log.info({ a: 1 }, 'text')
    expect([quiet.length, loud.length]).toEqual([3, 1])
  })

  it('has no time if the time function is what fails later', () => {
    let calls = 0
    const timestamp = () => (calls++ === 0 ? '' : fail())
    expect(linesOf({ timestamp }, log => log.info('text'))).toEqual([
      { level, loggingError: failed('timestamp'), msg: 'text' }
    ])
  })

  it('says so where a getter fails now and then', () => {
    let calls = 0
    const object = {
      get a() {
        return calls++ % 3 === 0 ? fail() : 1
      }
    }
    expect(linesOf({}, log => log.info(object))).toEqual([{ level, a: 1, loggingError: failed('the call') }])
  })
})

describe('a method without its logger', () => {
  it('writes with the logger that it comes from, without the bindings of a child', async () => {
    const lines = linesOf({ base: {}, name: 'web' }, log => {
      const { info, fatal } = log
      info({ a: 1 }, 'text')
      fatal('end')
      ;[1].forEach(info)
      const { warn } = log.child({ b: 1 }, { level: 'warn' })
      warn('own level')
    })
    expect(lines).toMatchObject([
      { name: 'web', a: 1, msg: 'text' },
      { level: 60, msg: 'end' },
      { msg: 1 },
      { level: 40, msg: 'own level' }
    ])
    const written: string[] = []
    const log = logger(
      { hooks: { logMethod: (args, method) => method.apply(log, args) } },
      { write: line => written.push(line) }
    )
    await Promise.reject(new Error('db')).catch(log.error)
    expect(written[0]).toContain('"msg":"db"')
  })
})

describe('a destination that throws', () => {
  it('is reported by one process warning, and log calls go on', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const log = logger({}, { write: fail })
    log.info('one')
    log.child({}).info('two')
    log.fatal('three')
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('RangeError: broken'), { code: 'SHARDLOG_DESTINATION' })
  })
})
