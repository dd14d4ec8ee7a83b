import pino from 'pino'
import { describe, expect, it } from 'vitest'
import fc from '../../support/random'
import { shardlog } from '../../support/shardlog'
import { fields, leaf, logged, number, text, value } from './records'

type Options = pino.LoggerOptions
type LogCall = (...args: unknown[]) => void
interface Log {
  info: LogCall
  child(bindings: object, options?: object): Log
}
type Make = (options: object, stream: { write(line: string): void }) => Log

/** Lines that one of the two makes of what `use` does with a logger, without their times. */
function linesOf(make: Make, options: object, use: (log: Log) => void): string[] {
  const lines: string[] = []
  use(make({ timestamp: () => ',"time":0', ...options }, { write: line => lines.push(line) }))
  return lines
}

function expectSameLines(options: Options, use: (log: Log) => void): void {
  const expected = linesOf(pino as unknown as Make, options, use)
  expect(linesOf(shardlog as unknown as Make, options, use)).toEqual(expected)
}

/**
 * What is not ours to repeat: pino writes `"msg":undefined` for a message that is a symbol, which
 * is no JSON.
 */
const message = value.filter(candidate => typeof candidate !== 'symbol')

const runs = { numRuns: 1_500 }

describe('lines are those of pino, byte for byte', () => {
  it('for any object and message', () => {
    fc.assert(
      fc.property(logged, message, (object, msg) => {
        // A string first is a message, and an object after it joins the line with us alone.
        fc.pre(typeof object !== 'string' && typeof object !== 'symbol')
        expectSameLines({}, log => {
          log.info(object)
          log.info(object, msg)
        })
      }),
      runs
    )
  })

  it('for any message with placeholders', () => {
    const piece = fc.oneof(text, fc.constantFrom('%s', '%d', '%i', '%f', '%j', '%o', '%O', '%%', '%', '%x'))
    const format = fc.array(piece, { maxLength: 6 }).map(pieces => pieces.join(''))
    const primitive = fc.oneof(text, number, fc.boolean(), fc.bigInt(), fc.constantFrom(null, undefined))
    fc.assert(
      fc.property(format, fc.array(primitive, { maxLength: 4 }), fields, (pattern, args, object) => {
        expectSameLines({}, log => {
          log.info(pattern, ...args)
          log.info(object, pattern, ...args)
        })
      }),
      runs
    )
  })

  it('for objects put into messages', () => {
    fc.assert(
      fc.property(fc.constantFrom('%j', 'a %o', '%O b', '%s'), fields, (pattern, object) => {
        fc.pre(pattern !== '%s' || Object.getPrototypeOf(object) === Object.prototype)
        fc.pre(!Object.hasOwn(object, 'toString') && !Object.hasOwn(object, 'valueOf'))
        expectSameLines({ redact: ['a', '*.b'] }, log => log.info(pattern, object))
      }),
      runs
    )
  })

  it('for any bindings, of children of children', () => {
    fc.assert(
      fc.property(fields, fields, fields, text, (base, first, second, msgPrefix) => {
        expectSameLines({ base }, log => {
          const child = log.child(first).child(second, { msgPrefix })
          child.info('x')
          child.info({ a: 1 })
        })
      }),
      runs
    )
  })

  it('for any combination of keys, serializers, formatters, mixin and redaction', () => {
    const option = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
    const options = fc.record({
      name: option(text),
      base: fc.constantFrom(null, { pid: 1 }),
      errorKey: fc.constantFrom('err', 'error'),
      messageKey: fc.constantFrom('msg', 'message', 'err'),
      nestedKey: fc.constantFrom(undefined, 'data', 'msg'),
      crlf: fc.boolean(),
      msgPrefix: option(text),
      mixin: option(fields.map(mixed => () => ({ ...mixed }))),
      serializers: option(fields.map(made => ({ a: () => made, msg: (given: unknown) => given, b: () => undefined }))),
      redact: option(fc.uniqueArray(fc.constantFrom('a', 'b.c', '*.c', 'd[0]', 'err.message', 'msg', 'self.a'))),
      depthLimit: fc.integer({ min: 1, max: 6 }),
      edgeLimit: fc.integer({ min: 1, max: 6 })
    })
    const known = fc.record(
      { a: value, b: value, d: fc.array(value, { maxLength: 3 }), err: leaf, c: fields },
      { requiredKeys: [] }
    )
    fc.assert(
      fc.property(options, known, text, fields, (chosen, object, msg, bindings) => {
        const defined = Object.fromEntries(Object.entries(chosen).filter(entry => entry[1] !== undefined))
        expectSameLines(defined as Options, log => {
          log.info(object)
          log.child(bindings).info({ ...object }, msg)
        })
      }),
      runs
    )
  })
})
