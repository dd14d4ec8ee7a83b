import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { recordSinkSym } from '../../lib/pino/context'
import { logger as pino } from '../../lib/pino/logger'
import { symbols as pinoSymbols, stdTimeFunctions } from '../../lib/pino/public'
import { recordSink } from '../../lib/pino/record-destination'
import { RecordEncoder } from '../../lib/record/record-encoder'
import { renderSegment } from '../../lib/record/render'
import { FakeLog } from '../support/fake-log'
import fc from '../support/random'

type Logger = ReturnType<typeof pino>

/**
 * Runs `use` with a logger that writes text and with one that records, under one clock; both must
 * say the same.
 */
function expectSame(options: object, use: (logger: Logger) => void): string[] {
  const text: string[] = []
  use(pino(options, { write: (line: string) => void text.push(Buffer.from(line).toString()) }))
  const log = new FakeLog(1 << 17)
  const recorder = new RecordEncoder(log)
  use(
    pino(options, {
      write: (line: string) => void recorder.text(0, line),
      [recordSinkSym]: recordSink(recorder)
    } as never)
  )
  log.seal()
  const recorded = log.segments.flatMap(segment => renderSegment(segment).lines.map(line => line.bytes.toString()))
  expect(recorded).toEqual(text)
  return text
}

const at = 1_750_000_000_123

beforeEach(() => {
  vi.spyOn(Date, 'now').mockReturnValue(at)
})
afterEach(() => {
  vi.restoreAllMocks()
})

const anyKey = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom('msg', 'err', 'level', 'time', '__proto__', 'toString', 'a.b', '')
)
const anyLeaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 50 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 8 }).map(units => String.fromCharCode(...units)),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.date(),
  fc.constantFrom(null, undefined, Number.NaN, Number.POSITIVE_INFINITY, -0),
  fc.constant(() => 1),
  fc.constant(Symbol('s')),
  fc.string().map(message => new Error(message)),
  fc.constant({ toJSON: () => ({ from: 'toJSON' }) }),
  fc.constant(new Map([[1, 2]]))
)
const anyValue = fc.letrec(tie => ({
  value: fc.oneof(
    { depthSize: 'small' },
    anyLeaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(anyKey, tie('value'), { maxKeys: 5 })
  )
})).value
const anyArguments = fc.oneof(
  fc.tuple(fc.dictionary(anyKey, anyValue, { maxKeys: 10, noNullPrototype: false })),
  fc.tuple(fc.dictionary(anyKey, anyValue, { maxKeys: 10 }), fc.string({ unit: 'binary' })),
  fc.tuple(
    fc.string().map(message => new Error(message)),
    fc.option(fc.string(), { nil: undefined })
  ),
  fc.tuple(fc.constantFrom('%s %d %j %o', 'hello', '%', '%%s'), anyValue, anyValue),
  fc.tuple(anyLeaf, anyLeaf)
)

describe('a destination that records', () => {
  it('says what a text destination says, whatever is logged', () => {
    fc.assert(
      fc.property(fc.array(anyArguments, { maxLength: 20 }), calls => {
        expectSame({ base: { pid: 1 } }, logger => {
          for (const args of calls) {
            try {
              ;(logger.info as (...all: unknown[]) => void).apply(logger, args)
            } catch (error) {
              // Objects without a usable toString have no place in a message.
              expect(error).toBeInstanceOf(TypeError)
            }
          }
        })
      }),
      { numRuns: 300 }
    )
  })

  const circular: Record<string, unknown> = {}
  circular.self = circular
  const failure = new Error('failed')
  const cases: [string, object][] = [
    [
      'serializers',
      { serializers: { a: (value: unknown) => ({ was: value }), msg: (text: unknown) => String(text).toUpperCase() } }
    ],
    ['redaction', { redact: ['a', 'b.c', '*.secret', 'msg'] }],
    ['redaction that removes', { redact: { paths: ['a', 'b.c'], remove: true } }],
    ['redaction below any field', { redact: ['*.secret', '*.d.e'] }],
    ['redaction below any field, by a function', { redact: { paths: ['*.secret', '*.*.e'], censor: () => 'no' } }],
    ['redaction of any field', { redact: ['*'] }],
    ['a serializer of messages that has no effect', { serializers: { msg: (text: unknown) => text } }],
    ['serializers with redaction', { serializers: { b: (b: object) => ({ ...b, c: 5 }) }, redact: ['b.c'] }],
    [
      'formatters',
      {
        formatters: {
          log: (o: object) => ({ ...o, added: 1 }),
          level: (label: string) => ({ severity: label }),
          bindings: () => ({ x: 1 })
        }
      }
    ],
    ['a mixin', { mixin: () => ({ mixed: true }) }],
    ['a nested key', { nestedKey: 'payload' }],
    ['a message key', { messageKey: 'text', errorKey: 'error' }],
    ['a message prefix', { msgPrefix: '[x] ' }],
    ['crlf', { crlf: true }],
    ['no time', { timestamp: false }],
    ['a time of its own', { timestamp: () => `,"when":"${Date.now()}"` }],
    ['seconds', { timestamp: stdTimeFunctions.unixTime }],
    ['ISO time', { timestamp: stdTimeFunctions.isoTime }],
    ['no base', { base: null }],
    ['a stream hook', { hooks: { streamWrite: (line: string) => line.toUpperCase() } }],
    ['custom levels', { customLevels: { audit: 35 }, level: 'audit' }],
    ['limits of nesting', { depthLimit: 2, edgeLimit: 2 }]
  ]
  it.each(cases)('says the same with %s', (_name, options) => {
    const lines = expectSame({ base: { pid: 1 }, ...options }, logger => {
      for (let i = 0; i < 3; i++) {
        logger.warn({ a: 1, b: { c: 2, secret: 3 }, c: [1, { d: { e: { f: 1 } } }], circular }, 'message')
        logger.error(failure)
        logger.info('text %s', 'x')
        logger.fatal({ err: failure, msg: 'own' })
        logger.warn(null as never)
        logger.warn({})
        logger
          .child({ child: i, a: 'binding' }, { serializers: { c: () => 'by the child' } })
          .warn({ c: 1 }, 'of a child')
      }
    })
    expect(lines.length).toBeGreaterThan(2)
  })

  it.each([
    ['*.secret', { redact: ['*.secret'] }],
    ['*.secret and *.*.secret', { redact: ['*.secret', '*.*.secret', 'b'] }],
    ['*.secret, removed', { redact: { paths: ['*.secret'], remove: true } }]
  ])('hides %s of whatever is logged', (_name, options) => {
    const withSecrets = fc.dictionary(fc.constantFrom('a', 'b', 'secret'), anyValue, { maxKeys: 3 })
    const message = fc.oneof(anyLeaf, fc.constantFrom('text', 'half \ud800', 'of %s', 'of %s %j'), withSecrets)
    fc.assert(
      fc.property(fc.array(fc.tuple(withSecrets, message, anyLeaf), { maxLength: 15 }), calls => {
        expectSame({ base: { pid: 1 }, ...options }, logger => {
          const log = [
            logger,
            logger.child({ a: { secret: 1 }, half: '\udc00', n: 1 }),
            logger.child({}, { msgPrefix: 'p ' })
          ]
          calls.forEach(([fields, said, value], i) => {
            try {
              ;(log[i % log.length]!.info as (...all: unknown[]) => void)(fields, said, value)
              ;(log[i % log.length]!.info as (...all: unknown[]) => void)(said)
            } catch (error) {
              expect(error).toBeInstanceOf(TypeError)
            }
          })
        })
      }),
      { numRuns: 200 }
    )
  })

  it('bindings set later are those of later lines', () => {
    expectSame({}, logger => {
      const child = logger.child({ a: 1 })
      child.info('x')
      child.setBindings({ b: 2 })
      child.info('y')
      logger.info('z')
    })
  })
})

describe('values in messages', () => {
  const message = fc.constantFrom(
    'user %s did %d',
    '%s',
    '%i%%',
    '%f %s %d',
    '%% %s',
    '"\\%s',
    'é%sé',
    '\ud83d%s',
    '%s%s',
    '%',
    '%s %j'
  )
  const anyPlain = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.string({ unit: 'binary', maxLength: 100 }),
    fc.integer(),
    fc.double(),
    fc.constantFrom(null, true, false, undefined, '\ude00', '\ud83d', 'x'.repeat(300), '"'.repeat(90), -0, 5n)
  )
  const anyCall = fc.record({
    fields: fc.option(fc.dictionary(fc.constantFrom('a', 'b'), anyValue, { maxKeys: 2 }), { nil: null }),
    message,
    values: fc.array(anyPlain, { maxLength: 4 })
  })

  it.each([
    ['', {}],
    [' behind a prefix', { msgPrefix: 'p %s ' }],
    [' with a serializer', { serializers: { msg: (text: unknown) => String(text).length } }],
    [' that are redacted', { redact: ['msg'] }],
    [' without bindings and time', { base: null, timestamp: false }],
    [' with a time of its own', { timestamp: () => ',"at":"now"' }],
    [' below another key', { messageKey: 'text"' }],
    [' with a mixin', { mixin: () => ({ mixed: 1 }) }]
  ])('are printed as they are put together%s', (_name, options) => {
    fc.assert(
      fc.property(fc.array(anyCall, { maxLength: 30 }), calls => {
        expectSame(options, logger => {
          const log = [logger, logger.child({ reqId: 'r1' }), logger.child({ o: { a: 1 } }, { msgPrefix: '%d ' })]
          calls.forEach(({ fields, message, values }, i) => {
            const info = log[i % log.length]!.info as (...all: unknown[]) => void
            info.apply(log[i % log.length], fields === null ? [message, ...values] : [fields, message, ...values])
          })
        })
      }),
      { numRuns: 100 }
    )
  })

  it('that cannot be within others, behind fields that are read once', () => {
    const long = 'x'.repeat(70_000)
    expectSame({}, logger => {
      let reads = 0
      for (const value of ['a', '\ud83d', 'b', '\ude00']) {
        for (const message of ['of %s', `${long}%s`, '%s\ude00']) {
          logger.info(
            {
              get read() {
                return ++reads
              }
            },
            message,
            value
          )
        }
      }
      logger.info(`${reads}`)
    })
  })

  it('in thousands of messages', () => {
    expectSame({ base: null }, logger => {
      for (let i = 0; i < 12_000; i++) {
        logger.info(`${i % 5000} %s`, i)
        if (i % 7 === 0) logger.info({ a: { b: i }, [`k${i % 100}`]: 1 }, 'of %s', 'x')
      }
    })
  })
})

describe('objects in objects', () => {
  class Point {
    constructor(
      readonly x: number,
      readonly y: number
    ) {}
    get length(): number {
      return this.x + this.y
    }
  }
  class Money extends Number {
    currency = 'EUR'
  }
  class Name extends String {
    lang = 'en'
  }
  class Tagged extends Map {
    tag = 'x'
  }
  class Told extends Point {
    #secret = 1
    z = this.#secret
    get [Symbol.toStringTag](): string {
      return 'Object'
    }
  }
  class Moment extends Date {
    zone = 'UTC'
  }
  const withOwn = (own: object): Date => Object.assign(new Date(0), own)
  const raw = (JSON as { rawJSON?: (text: string) => object }).rawJSON?.('1e3') ?? null
  const nullish: Record<string, unknown> = Object.assign(Object.create(null), { a: 1 })
  const circular: Record<string, unknown> = { deep: { a: 1 } }
  ;(circular.deep as Record<string, unknown>).back = circular
  const deep = (levels: number): object => (levels === 0 ? { end: true } : { in: deep(levels - 1), at: levels })
  const cases: [string, object][] = [
    ['that are empty', { a: {}, b: { c: {} }, d: 1 }],
    ['with an object last, and nothing behind it', { a: { b: { c: 1 } } }],
    ['followed by what is not printed', { a: { b: 1 }, gone: undefined, also: () => 1, symbol: Symbol('s'), c: 2 }],
    ['with what is not printed', { a: { u: undefined, f: () => 1, s: Symbol('s') }, b: { u: undefined, c: 3 } }],
    ['with dates', { a: { at: new Date(0), never: new Date(Number.NaN) } }],
    ['with a toJSON that asks for its key', { a: { b: { toJSON: (key: string) => `key ${key}` } } }],
    ['with a toJSON of their own', { a: { toJSON: () => ({ b: 1 }), c: 2 } }],
    ['with a toJSON that is none', { a: { toJSON: 5, c: 2 } }],
    ['of a class', { a: new Point(1, 2), b: { c: new Point(3, 4) } }],
    ['of classes that are printed otherwise', { a: new Money(5), b: { c: new Money(5), n: new Name('x') }, d: 1 }],
    ['of classes over those of the language', { a: new Tagged(), b: { c: new Tagged(), t: new Told(1, 2) } }],
    ['of typed arrays', { a: Object.assign(new Uint8Array(2), { x: 1 }), b: { c: new Uint8Array(0) } }],
    ['with errors that have keys', { a: { e: Object.assign(new Error('no'), { code: 'E' }) } }],
    ['with dates of their own kind', { a: new Moment(5), b: { c: new Moment(Number.NaN) } }],
    [
      'with dates that say otherwise',
      { a: withOwn({ toISOString: () => 'x' }), b: withOwn({ valueOf: () => Number.NaN }) }
    ],
    ['with dates that are no dates', { a: { d: Object.create(Date.prototype) }, b: new Proxy(new Date(0), {}) }],
    ['with JSON of their own', { a: raw, b: { c: raw } }],
    ['without a prototype', { a: nullish, b: { c: nullish } }],
    ['with boxed values', { a: { n: new Number(1), s: new String('x'), b: new Boolean(false), o: Object(2n) } }],
    ['with boxed values without a prototype', { n: 1, a: { s: Object.setPrototypeOf(Object('x'), null), b: 1 } }],
    ['with bigints', { a: { b: { c: 2n, d: 1 } } }],
    ['with numbers that are none', { a: { n: Number.NaN, i: Number.NEGATIVE_INFINITY, z: -0, f: 1e21 } }],
    ['with arrays', { a: { list: [1, undefined, () => 1, { b: [] }], none: [] } }],
    ['with arrays that say they are objects', { a: Object.assign([1], { constructor: Object }) }],
    ['with lone surrogates', { a: { '\ud800': '\udc00', long: '\ud800'.repeat(200), '"\n\\': '"\n\\' } }],
    ['with keys that are indexes', { a: { 2: 'b', 1: 'a', x: 0 } }],
    ['with own keys of the language', { a: { constructor: 1, hasOwnProperty: 2, ['__proto__']: { b: 3 } } }],
    ['that are circular', { a: circular, b: { c: circular } }],
    ['that are deep', { a: deep(5), b: deep(40) }],
    [
      'that throw',
      {
        a: {
          get b(): number {
            throw new Error('no')
          }
        },
        c: 1
      }
    ],
    [
      'that are proxies',
      {
        a: new Proxy({ b: 1 }, {}),
        c: new Proxy(
          {},
          {
            get() {
              throw new Error('no')
            }
          }
        )
      }
    ],
    ['with errors', { a: { error: new TypeError('inner', { cause: new Error('cause') }) } }]
  ]
  it.each(cases)('%s', (_name, fields) => {
    expectSame({}, logger => {
      for (let i = 0; i < 3; i++) {
        logger.info(fields)
        logger.info(fields, 'message')
        logger.info({ ...fields, last: 1 }, `message ${i}`)
        logger.info(fields, 5 as never)
        logger.info(fields, undefined)
      }
    })
  })

  it('in arrays', () => {
    const anyElement = fc.letrec(tie => ({
      element: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        anyLeaf,
        fc.constantFrom(
          new Point(1, 2),
          new Money(5),
          Object(1),
          new Date(5),
          [],
          {},
          circular,
          'x'.repeat(99),
          'x'.repeat(101)
        ),
        fc.array(tie('element'), { maxLength: 4 }),
        fc.dictionary(anyKey, tie('element'), { maxKeys: 4 })
      )
    })).element
    fc.assert(
      fc.property(fc.array(fc.array(anyElement, { maxLength: 5 }), { maxLength: 10 }), lists => {
        expectSame({ base: null }, logger => {
          for (const list of lists) {
            logger.info({ list, n: 1 }, 'm')
            logger.info({ in: { list }, n: 1 }, 'm')
          }
        })
      }),
      { numRuns: 300 }
    )
    const wide = Array.from({ length: 33 }, (_, i) => ({ i }))
    // Whatever is in them, what they have is read once, and one that logs does so once.
    expectSame({}, logger => {
      let reads = 0
      const others = [
        'é',
        'x'.repeat(101),
        Object('boxed'),
        deep(6),
        Object.fromEntries(wide.map((_, i) => [`k${i}`, i])),
        wide
      ]
      const asked = { toJSON: (key: string) => ({ key, asked: ++reads, toJSON: () => 1 }) }
      for (let i = 0; i < 40; i++) {
        for (const other of [
          ...others,
          asked,
          { toJSON: () => undefined },
          Object.assign(() => 1, { toJSON: () => 'fn' })
        ]) {
          const row = {
            get id() {
              if (i % 9 === 0) logger.info('from within')
              return ++reads
            },
            other
          }
          logger.info({ list: [row, other, [row], { other }, undefined, () => 1, Symbol('s')] }, 'm')
        }
      }
    })
    const changing: unknown[] = [
      1,
      {
        get grow(): number {
          return changing.push(2)
        }
      },
      3
    ]
    const many = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i]))
    expectSame({}, logger => {
      changing.length = 3
      for (const list of [wide, wide.slice(1), [many], [deep(3)], [deep(6)], [[[[[1]]]]], changing])
        logger.info({ list })
      const log = [
        {
          get logs() {
            logger.info('within')
            return 'x'.repeat(50)
          },
          b: 2
        },
        'after'
      ]
      for (let i = 0; i < 40; i++) logger.info({ log, i })
    })
  })

  it('with dates, whichever', () => {
    const anyDate = fc.date({ min: new Date(-1e14), max: new Date(3e14) })
    fc.assert(
      fc.property(fc.array(anyDate, { minLength: 20, maxLength: 20 }), dates => {
        expectSame({ base: null }, logger => {
          for (const at of dates) logger.info({ at, in: { at } }, 'dates')
        })
      }),
      { numRuns: 100 }
    )
    const edges = [
      -62_135_596_800_001, -62_135_596_800_000, -1, 0, 951_782_400_000, 253_402_300_799_999, 253_402_300_800_000
    ]
    expectSame({ base: null }, logger => {
      for (const at of edges) logger.info({ at: new Date(at), in: { at: new Date(at) } })
      for (let day = -800_000; day < 3_000_000; day += 97) logger.info({ at: new Date(day * 86_400_000 + day) })
    })
  })

  it('with dates whose prototype somebody has changed', () => {
    const { toISOString } = Date.prototype
    try {
      expectSame({}, logger => {
        logger.info({ at: new Date(0) })
        Date.prototype.toISOString = () => 'mine'
        logger.info({ at: new Date(0) })
        Date.prototype.toISOString = toISOString
      })
    } finally {
      Date.prototype.toISOString = toISOString
    }
  })

  it('with dates whose prototype somebody has changed before', async () => {
    const { toJSON } = Date.prototype
    const load = async (): Promise<number> => {
      vi.resetModules()
      const { kindOf } = await import('../../lib/record/objects')
      return kindOf(new Date(0))
    }
    const plain = await load()
    try {
      Date.prototype.toJSON = () => 'mine'
      expect(await load()).not.toBe(plain)
    } finally {
      Date.prototype.toJSON = toJSON
    }
    expect(await load()).toBe(plain)
  })

  it('that turn out to be JSON again and again, and then not', () => {
    expectSame({}, logger => {
      for (let i = 0; i < 300; i++) {
        logger.info({ a: circular, i }, 'a')
        logger.info({ a: { b: { toJSON: (key: string) => key } }, i }, 'b')
        if (i % 3 === 0) logger.info({ a: new Point(i, 1), i }, 'a')
      }
      for (let i = 0; i < 300; i++) logger.info({ a: { x: i, in: { y: 'z' } }, i }, 'a')
    })
  })

  it('with ever new keys', () => {
    expectSame({}, logger => {
      for (let i = 0; i < 2000; i++)
        logger.info({ counts: { [`user${i}`]: i, [`group${i % 7}`]: { [i]: i } }, i }, 'counts')
    })
  })

  it('that come and go', () => {
    const anyShape = fc.dictionary(
      fc.constantFrom('a', 'b', 'c'),
      fc.letrec(tie => ({
        value: fc.oneof(
          { depthSize: 'small' },
          fc.constantFrom(1, 'x', null, undefined, true),
          fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('value'), { maxKeys: 3, noNullPrototype: true })
        )
      })).value,
      { maxKeys: 3, noNullPrototype: true }
    )
    fc.assert(
      fc.property(fc.array(anyShape, { maxLength: 60 }), shapes => {
        expectSame({ base: null }, logger => {
          for (const shape of shapes) logger.info(shape, 'shape')
        })
      }),
      { numRuns: 200 }
    )
  })

  it('go through the stringify that somebody has put in the place of ours', () => {
    expectSame({}, logger => {
      logger.info({ a: { b: 1 } }, 'before')
      ;(logger as unknown as Record<symbol, unknown>)[pinoSymbols.stringifySym] = () => '"mine"'
      logger.info({ a: { b: 1 } }, 'after')
    })
  })
})

describe('what is changed between two calls counts from the next one on', () => {
  const set = (logger: Logger, key: symbol, value: unknown): void => {
    ;(logger as unknown as Record<symbol, unknown>)[key] = value
  }
  const changes: [string, (logger: Logger) => void][] = [
    ['bindings', logger => logger.setBindings({ more: 1 })],
    ['bindings by symbol', logger => set(logger, pinoSymbols.chindingsSym, ',"own":1')],
    ['serializers', logger => set(logger, pinoSymbols.serializersSym, { a: () => 'serialized' })],
    ['the time', logger => set(logger, pinoSymbols.timeSym, () => ',"time":0')],
    ['a mixin', logger => set(logger, pinoSymbols.mixinSym, () => ({ mixed: 1 }))],
    [
      'formatters',
      logger => set(logger, pinoSymbols.formattersSym, { log: (fields: object) => ({ ...fields, f: 1 }) })
    ],
    ['hooks', logger => set(logger, pinoSymbols.hooksSym, { streamWrite: (line: string) => line.replace('a', 'A') })],
    ['a prefix', logger => set(logger, pinoSymbols.msgPrefixSym, 'prefix ')],
    ['the message key', logger => set(logger, pinoSymbols.nestedKeySym, undefined)],
    [
      'what writes',
      logger => {
        const write = (logger as unknown as Record<symbol, (...args: unknown[]) => void>)[pinoSymbols.writeSym]!
        set(logger, pinoSymbols.writeSym, (_fields: object, _message: string, level: number) =>
          write.call(logger, { replaced: true }, 'replaced', level)
        )
      }
    ]
  ]
  it.each(changes)('%s', (_name, change) => {
    expectSame({}, logger => {
      const child = logger.child({ child: true })
      for (const each of [logger, child]) {
        for (let i = 0; i < 3; i++) each.info({ a: i }, 'before')
        each.info('before')
        change(each)
        for (let i = 0; i < 3; i++) each.info({ a: i }, 'after')
        each.info('after')
        each.child({ grandchild: true }).info({ a: 1 }, 'of a child')
      }
    })
  })

  it('a parent’s, for children that have none of their own', () => {
    expectSame({}, logger => {
      const child = logger.child({})
      child.info({ a: 1 }, 'before')
      set(logger, pinoSymbols.serializersSym, { a: () => 'serialized' })
      child.info({ a: 1 }, 'after')
    })
  })
})
