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
