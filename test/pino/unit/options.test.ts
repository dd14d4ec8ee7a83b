import { afterEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import { stdTimeFunctions } from '../../../lib/pino/public'
import { linesOf } from './lines'

afterEach(() => {
  vi.useRealTimers()
})

describe('options', () => {
  it('that nobody knows are ignored', () => {
    const options = { unheardOf: true, prettify: {} } as object
    expect(linesOf(options, log => log.info('text'))).toEqual([{ level: 30, msg: 'text' }])
  })

  it('that are wrong throw with their name', () => {
    const wrong: [object, string][] = [
      [{ mixin: 5 }, 'Unknown mixin type "number" - expected "function"'],
      [{ msgPrefix: 5 }, 'Unknown msgPrefix type "number" - expected "string"'],
      [{ levelComparison: 'UP' }, 'Levels comparison should be one of "ASC", "DESC" or "function" type'],
      [{ level: 'loud' }, 'default level:loud must be included in custom levels'],
      [{ redact: { paths: 'a' } }, 'redact must contain an array of strings']
    ]
    for (const [options, message] of wrong) expect(() => logger(options)).toThrow(message)
  })
})

describe('lines are JSON', () => {
  it('where the message is a symbol: it is left out', () => {
    expect(linesOf({}, log => log.info(Symbol('text')))).toEqual([{ level: 30 }])
  })

  it('where the message key needs escapes', () => {
    expect(linesOf({ messageKey: '"' }, log => log.info('text'))).toEqual([{ level: 30, '"': 'text' }])
  })

  it('of a level that a child inherits beside levels of its own', () => {
    const lines = linesOf({ customLevels: { loud: 45 } } as object, log => {
      const child = log.child({}, { customLevels: { louder: 46 } })
      ;(child as unknown as { loud: (text: string) => void }).loud('text')
      child.louder('text')
    })
    expect(lines.map(line => line.level)).toEqual([45, 46])
  })
})

describe('the time', () => {
  it('is that of a clock that a test framework has put in place', () => {
    vi.useFakeTimers({ now: 12_345 })
    for (const [timestamp, time] of [
      [true, 12_345],
      [stdTimeFunctions.unixTime, 12],
      [stdTimeFunctions.isoTime, '1970-01-01T00:00:12.345Z']
    ] as const) {
      expect(linesOf({ timestamp }, log => log.info('text'))).toEqual([{ level: 30, time, msg: 'text' }])
    }
  })

  it('has nine digits of a second in isoTimeNano', () => {
    const [line] = linesOf({ timestamp: stdTimeFunctions.isoTimeNano }, log => log.info('text'))
    expect(line?.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/)
  })
})

describe('the base', () => {
  it('is process and host as they are when the logger is made', () => {
    const lines: string[] = []
    const pid = Object.getOwnPropertyDescriptor(process, 'pid') as PropertyDescriptor
    Object.defineProperty(process, 'pid', { ...pid, value: 4_242 })
    logger({}, { write: line => lines.push(line) }).info('text')
    Object.defineProperty(process, 'pid', pid)
    expect(JSON.parse(lines[0] as string)).toMatchObject({ pid: 4_242 })
  })
})
