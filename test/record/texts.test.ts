import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { recordSinkSym } from '../../lib/pino/context'
import { destination } from '../../lib/pino/destination'
import { logger as pino } from '../../lib/pino/logger'
import { recordSink } from '../../lib/pino/record-destination'
import { RecordEncoder } from '../../lib/record/record-encoder'
import { FakeLog, linesOf } from '../support/fake-log'
import fc from '../support/random'
import { tempDir } from '../support/temp'

type Logger = ReturnType<typeof pino>

const OPTIONS = { base: null, timestamp: false } as const

/** The same log calls as text, by a fake of the addon, and by the addon. */
function linesOfAll(use: (logger: Logger) => void, segmentBytes = 1 << 16) {
  const text: string[] = []
  use(pino(OPTIONS, { write: (line: string) => void text.push(Buffer.from(line).toString()) }))

  const log = new FakeLog(segmentBytes)
  const encoder = new RecordEncoder(log)
  const write = (line: string): void => void encoder.text(0, line)
  use(pino(OPTIONS, { write, [recordSinkSym]: recordSink(encoder) } as never))

  const file = path.join(tempDir(), 'log.ndjson')
  const to = destination({ dest: file, format: 'ndjson', crashSafe: false })
  use(pino(OPTIONS, to))
  to.flushSync()
  const native = fs.readFileSync(file, 'utf8').match(/.*\n/g) ?? []
  to.end()
  return { text, fake: linesOf(log), native, taken: log.textsTaken }
}

function expectSame(use: (logger: Logger) => void, segmentBytes?: number): number {
  const { text, fake, native, taken } = linesOfAll(use, segmentBytes)
  expect(fake).toEqual(text)
  expect(native).toEqual(text)
  return taken
}

const LONG = 'a text that is long enough'
const AS_LONG = {
  'of Latin-1': 'a naïve text that is as long',
  'of UTF-16': 'a text with 日本 that is as long',
  'with a lone surrogate': 'a text with \ud800 that is as long',
  'with a control character': 'a text with \u0007 that is as long',
  'to be escaped': 'a "text" with \\ that is as long'
}
const circularOf = (object: object): object => Object.assign(object, { self: object })
const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j']
const fieldsOf = (texts: readonly string[]): Record<string, string> =>
  Object.fromEntries(texts.map((text, i) => [NAMES[i]!, text]))

describe('texts that the call takes along which accepts the record', () => {
  it('are those of all lengths that a byte can tell, many of them', () => {
    for (const count of [1, 2, 3, 4, 5, 8, 9, 10]) {
      const taken = expectSame(logger => {
        for (const length of [1, 14, 15, 16, 17, 100, 254, 255, 256, 257, 5_000]) {
          logger.info(fieldsOf(Array.from({ length: count }, (_, i) => NAMES[i]!.repeat(length))), 'message')
        }
      })
      expect(taken).toBeGreaterThan(0)
    }
  })

  it('are those of messages that are never twice the same', () => {
    const taken = expectSame(logger => {
      for (let i = 0; i < 5_000; i++) logger.info(`${LONG} ${i}`)
    })
    expect(taken).toBeGreaterThan(1_000)
  })

  it.each(Object.entries(AS_LONG))('may turn out to be %s, wherever they are', (_name, other) => {
    for (let place = 0; place < 10; place++) {
      const texts = NAMES.map((_, i) => (i === place ? other : `${LONG} ${i}`))
      expectSame(logger => {
        logger.info(fieldsOf(texts), 'outside')
        logger.info({ before: LONG, in: { deeper: fieldsOf(texts) }, behind: other }, 'inside')
        logger.info({ in: fieldsOf([other]), behind: LONG, last: { one: other } }, other)
        logger.info({ short: 1 }, 'a line behind it')
      })
    }
  })

  it('are taken along again in the next segment after one that is not of ASCII', () => {
    const taken = expectSame(logger => {
      logger.info({ a: AS_LONG['of UTF-16'] }, 'once')
      for (let i = 0; i < 1_000; i++) logger.info({ a: LONG }, 'then')
    }, 8_192)
    expect(taken).toBeGreaterThan(500)
  })

  it('are forgotten of what becomes text after all', () => {
    const big = { a: LONG, b: { c: LONG, d: [LONG] }, e: LONG, toJSON: undefined }
    const failing = {
      a: LONG,
      get b(): never {
        throw new Error('no')
      }
    }
    const odd = [{ a: LONG, b: 5n }, { a: { b: { c: LONG, d: 5n } } }, failing, { a: { b: LONG, c: failing } }, big]
    expectSame(logger => {
      for (const value of odd) {
        logger.info({ first: LONG, value, last: LONG }, 'message')
        logger.info({ value, last: { a: LONG, b: AS_LONG['of Latin-1'] } }, AS_LONG['of Latin-1'])
      }
    })
  })

  it('stay with their record when a getter logs others meanwhile', () => {
    expectSame(logger => {
      const fields = {
        a: LONG,
        get b() {
          logger.info({ x: `${LONG} x`, y: AS_LONG['of Latin-1'], z: `${LONG} z` }, 'in between')
          return `${LONG} b`
        },
        c: { d: `${LONG} d`, e: AS_LONG['of UTF-16'] }
      }
      for (let i = 0; i < 3; i++) logger.info(fields, 'message')
    })
  })

  it('are whole wherever the segment ends', () => {
    const text = fc.oneof(
      fc.string({ minLength: 12, maxLength: 40 }),
      fc.constantFrom(LONG, 'x'.repeat(255), 'x'.repeat(256), ...Object.values(AS_LONG))
    )
    const value = fc.oneof(fc.integer(), text, text, fc.dictionary(fc.constantFrom('x', 'y', 'z'), text))
    const fields = fc.dictionary(fc.constantFrom(...NAMES), value)
    const calls = fc.array(fc.tuple(fields, fc.oneof(fc.constantFrom('m', 'n'), text)), { maxLength: 30 })
    fc.assert(
      fc.property(calls, fc.integer({ min: 3_000, max: 6_000 }), (lines, segmentBytes) => {
        expectSame(logger => {
          for (const [object, message] of lines) logger.info(object, message)
        }, segmentBytes)
      }),
      { numRuns: 150 }
    )
  })
})

describe('arrays of short values', () => {
  const odd = [
    [],
    [[]],
    [null, undefined, true, false],
    [0, -0, 7, -7, 10, 99, 100, -100, 999_999_999, -999_999_999, 1e9, -1e9, 2 ** 31 - 1, -(2 ** 31), 2 ** 53],
    [0.5, -1.25, 1e21, 1e-7, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_VALUE, -Number.MIN_VALUE],
    ['', 'a', 'x'.repeat(36), 'x'.repeat(37), 'x'.repeat(38), 'x'.repeat(39), 'x'.repeat(500)],
    ['"'],
    ['\\'],
    ['\n'],
    ['\u007f'],
    ['\u0080'],
    ['naïve', '日本', '\ud800'],
    [1, { a: 1 }],
    [1, [2, [3]]],
    [() => 1, Symbol('s')],
    [new Date(0), 1],
    [5n],
    Object.assign([1, 2], { toJSON: () => 'own' }),
    Object.assign([1, 2], { more: 3 }),
    // biome-ignore lint/suspicious/noSparseArray: holes are what it is about
    [1, , 3],
    new (class Kind extends Array<number> {})(1, 2, 3),
    Array.from({ length: 32 }, (_, i) => i),
    Array.from({ length: 33 }, (_, i) => i),
    new Proxy([1, 'a'], {})
  ]

  it('are printed as JSON.stringify prints them, of a record and of objects in it', () => {
    const taken = expectSame(logger => {
      for (const array of odd) {
        logger.info({ array, behind: 1 }, 'outside')
        logger.info({ in: { array, behind: LONG }, last: array }, 'inside')
        logger.info({ in: { deeper: { first: LONG, array } } }, 'deeper')
        logger.info({ array }, LONG)
      }
    }, 8_192)
    expect(taken).toBeGreaterThan(0)
  })

  it('are what a proxy says they are', () => {
    const lengths = [undefined, null, -1, Number.NaN, 'x', '', '1', false, {}, 1.5, 0.5, 5n, 1e9, 2]
    const odd = lengths.map(
      length => new Proxy([1, 2], { get: (of, key) => (key === 'length' ? length : of[+String(key)]) })
    )
    const circular: unknown[] = [1]
    circular.push(circular)
    const hidden = Object.defineProperty([1, 2], 'toJSON', { get: () => () => 'own' })
    expectSame(logger => {
      for (const array of [...odd.filter((_, i) => lengths[i] !== 1e9), circular, hidden]) {
        logger.info({ array, in: { array } }, 'message')
      }
    })
  })

  it('have each element read once, whatever follows it', () => {
    for (const last of [1, 'short', 'x'.repeat(40), 'naïve', '"', {}, [], 5n, circularOf({})]) {
      let reads = 0
      const array = Object.defineProperty([0, last], 0, { enumerable: true, get: () => ++reads })
      const log = new FakeLog(1 << 16)
      const encoder = new RecordEncoder(log)
      const logger = pino(OPTIONS, { write: () => {}, [recordSinkSym]: recordSink(encoder) } as never)
      logger.info({ array }, 'message')
      const isPrintedTwice = typeof last === 'bigint' || (typeof last === 'object' && 'self' in last)
      if (!isPrintedTwice) expect(reads).toBe(1)
      expect(linesOf(log)).toHaveLength(1)
    }
  })

  it('may have elements that log, or fail', () => {
    expectSame(logger => {
      const logs = Object.defineProperty([1, 2], 1, { get: () => void logger.info({ a: [LONG] }, 'in between') })
      const fails = Object.defineProperty([1, 2], 1, {
        get: () => {
          throw new Error('no')
        }
      })
      logger.info({ a: LONG, b: logs, c: { d: LONG, e: logs } }, 'message')
      logger.info({ a: LONG, b: fails }, 'message')
      logger.info({ a: LONG, c: { d: LONG, e: fails } }, 'message')
    })
  })

  it('are whole wherever the segment ends', () => {
    const element = fc.oneof(fc.integer(), fc.double(), fc.string({ maxLength: 40 }), fc.constantFrom(null, true, 'é'))
    const array = fc.array(element, { maxLength: 40, size: 'max' })
    fc.assert(
      fc.property(
        fc.array(array, { maxLength: 40 }),
        fc.integer({ min: 3_000, max: 5_000 }),
        (arrays, segmentBytes) => {
          expectSame(logger => {
            for (const values of arrays) logger.info({ values, in: { values } }, 'message')
          }, segmentBytes)
        }
      ),
      { numRuns: 100 }
    )
  })
})
