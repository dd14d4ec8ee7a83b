import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { recordSinkSym } from '../../lib/pino/context'
import { logger as pino } from '../../lib/pino/logger'
import { recordSink } from '../../lib/pino/record-destination'
import { RecordEncoder } from '../../lib/record/record-encoder'
import { renderSegment } from '../../lib/record/render'
import { FakeLog } from '../support/fake-log'

type Logger = ReturnType<typeof pino>

beforeEach(() => {
  vi.spyOn(Date, 'now').mockReturnValue(1_750_000_000_123)
})
afterEach(() => {
  vi.restoreAllMocks()
})

/** What `use` makes a logger of text and a logger of records write; the two must say the same. */
function written(options: object, use: (logger: Logger) => void, ordered = true): unknown[] {
  const text: string[] = []
  use(pino({ base: null, ...options }, { write: line => void text.push(line) }))
  const log = new FakeLog(1 << 16)
  const recorder = new RecordEncoder(log)
  const stream = { write: (line: string) => void recorder.text(0, line), [recordSinkSym]: recordSink(recorder) }
  use(pino({ base: null, ...options }, stream))
  log.seal()
  const recorded = log.segments.flatMap(segment => renderSegment(segment).lines.map(line => line.bytes.toString()))
  expect(ordered ? recorded : recorded.sort()).toEqual(ordered ? text : [...text].sort())
  return text.map(line => JSON.parse(line) as unknown)
}

const login = (userId: number) => ({ level: 30, time: 1_750_000_000_123, userId, ip: '10.0.0.1', msg: 'user login' })

describe('a compiled event', () => {
  it('says what the call with an object says', () => {
    const lines = written({}, logger => {
      const event = logger.event('user login', ['userId', 'ip'])
      for (let i = 0; i < 3; i++) {
        event(i, '10.0.0.1')
        logger.info({ userId: i, ip: '10.0.0.1' }, 'user login')
      }
    })
    expect(lines).toEqual([0, 0, 1, 1, 2, 2].map(login))
  })

  it('is logged at its level, and only while that is on', () => {
    const lines = written({ level: 'warn' }, logger => {
      const failed = logger.event('failed', ['code'], { level: 'error' })
      const seen = logger.event('seen')
      seen()
      failed(5)
      logger.level = 'info'
      seen()
      logger.level = 'silent'
      failed(6)
    })
    expect(lines).toMatchObject([
      { level: 50, code: 5, msg: 'failed' },
      { level: 30, msg: 'seen' }
    ])
  })

  it('has its logger’s bindings, prefix, serializers, redaction, mixin and formatters', () => {
    const options: object[] = [
      { serializers: { a: (value: unknown) => ({ was: value }) } },
      { redact: ['a'] },
      { mixin: () => ({ mixed: 1 }) },
      { formatters: { log: (fields: object) => ({ ...fields, added: 1 }) } },
      { msgPrefix: '[x] ' },
      { nestedKey: 'in' },
      { serializers: { msg: (text: unknown) => String(text).toUpperCase() } }
    ]
    for (const option of options) {
      written(option, logger => {
        const child = logger.child({ request: 1 })
        const event = child.event('m', ['a', 'b'])
        for (let i = 0; i < 2; i++) event(i, { deep: [i] })
      })
    }
  })

  it('leaves out values that are undefined, and takes any number of them', () => {
    const names = Array.from({ length: 12 }, (_, i) => `n${i}`)
    const lines = written({}, logger => {
      const wide = logger.event('wide', names)
      wide(...names.map((_, i) => (i % 2 ? i : undefined)))
      logger.event('few', ['a', 'b'])(undefined, 1)
    })
    expect(Object.keys(lines[0] as object)).toEqual(['level', 'time', 'n1', 'n3', 'n5', 'n7', 'n9', 'n11', 'msg'])
    expect(lines[1]).not.toHaveProperty('a')
  })

  it('may be logged while it is being logged', () => {
    const lines = written(
      {},
      logger => {
        const event = logger.event('e', ['outer', 'value'])
        const value = {
          toJSON() {
            event(2, 'inner')
            return 'of the outer'
          }
        }
        event(1, value)
      },
      false
    )
    expect(new Set(lines)).toEqual(
      new Set([
        { level: 30, time: 1_750_000_000_123, outer: 1, value: 'of the outer', msg: 'e' },
        { level: 30, time: 1_750_000_000_123, outer: 2, value: 'inner', msg: 'e' }
      ])
    )
  })

  it('goes through the hook of log methods', () => {
    const seen: unknown[][] = []
    const hooks = {
      logMethod(this: unknown, args: unknown[], method: (...all: unknown[]) => void) {
        seen.push(args)
        method.apply(this, args)
      }
    }
    written({ hooks }, logger => logger.event('e', ['a'])(1))
    expect(seen).toEqual([
      [{ a: 1 }, 'e'],
      [{ a: 1 }, 'e']
    ])
  })

  it('with names that an object would not keep, or a level that is unknown, is refused', () => {
    const logger = pino({}, { write: () => undefined })
    expect(() => logger.event('m', ['a', 'a'])).toThrow(/names must be an array of distinct names/)
    expect(() => logger.event('m', ['b', '1'])).toThrow(/that are no array indexes, got \[ 'b', '1' \]/)
    expect(() => logger.event('m', ['a'], { level: 'loud' })).toThrow(/level must be one of trace, .*, got 'loud'/)
    expect(() => logger.event(5 as never)).toThrow(/message must be a string, got 5/)
  })
})
