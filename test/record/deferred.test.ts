import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deferredEncoder } from '../../lib/pino/deferred-encoder'
import { recordEncoderSym } from '../../lib/pino/encoder'
import { logger as pino } from '../../lib/pino/pino'
import { stdTimeFunctions } from '../../lib/pino/statics'
import { recordEncoder } from '../../lib/record/encode'
import { renderSegment } from '../../lib/record/render'
import { FakeLog } from '../support/fake-log'

type Logger = ReturnType<typeof pino>

/** Runs `use` with a logger that writes text and with one that records, under one clock; both must say the same. */
function expectSame(options: object, use: (logger: Logger) => void): string[] {
  const text: string[] = []
  use(pino(options, { write: (line: string) => void text.push(Buffer.from(line).toString()) }))
  const log = new FakeLog(1 << 16)
  const recorder = recordEncoder(log)
  use(
    pino(options, {
      write: (line: string) => void recorder.text(0, line),
      [recordEncoderSym]: deferredEncoder(recorder)
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
