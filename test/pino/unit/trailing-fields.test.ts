import vm from 'node:vm'
import { describe, expect, it } from 'vitest'
import { logger, loggerInPinosPlace } from '../../../lib/pino/logger'
import { linesOf } from './lines'

const level = 30

describe('an object after the message', () => {
  it('joins the line', () => {
    expect(linesOf({}, log => log.info('user login', { userId: 123 }))).toEqual([
      { level, userId: 123, msg: 'user login' }
    ])
  })

  it('does not join it if a placeholder takes it', () => {
    for (const placeholder of ['%o', '%O', '%j']) {
      expect(linesOf({}, log => log.info(`user ${placeholder}`, { id: 1 }))).toEqual([{ level, msg: 'user {"id":1}' }])
    }
    expect(linesOf({}, log => log.info('user %s', { id: 1 }))).toEqual([{ level, msg: 'user [object Object]' }])
    expect(linesOf({}, log => log.info('%d', { valueOf: () => 5 }))).toEqual([{ level, msg: '5' }])
  })

  it('does not join it as one of several arguments', () => {
    expect(linesOf({}, log => log.info('%s is %d', 'a', 1, { userId: 123 }))).toEqual([{ level, msg: 'a is 1' }])
    expect(linesOf({}, log => log.info('text', 1, { userId: 123 }))).toEqual([{ level, msg: 'text' }])
    expect(linesOf({}, log => log.info(undefined, 'text', { userId: 123 }))).toEqual([{ level, msg: 'text' }])
  })

  it('leaves alone what the line has already', () => {
    const fields = { level: 60, msg: 'forged', request: 'forged', a: 1 }
    const lines = linesOf({}, log => log.child({ request: 7 }).info('text', fields))
    expect(lines).toEqual([{ level, request: 7, a: 1, msg: 'text' }])
    const raw: string[] = []
    const log = logger({ base: null, messageKey: 'text' }, { write: line => raw.push(line) })
    log.info('signup', { time: 5, text: 'forged', b: 2 })
    expect(raw[0]).toMatch(/^\{"level":30,"time":\d{13},"b":2,"text":"signup"\}\n$/)
    expect(linesOf({}, log => log.child({ err: 1 }).error('text', new Error('a')))).toEqual([
      { level: 50, err: 1, msg: 'text' }
    ])
  })

  it('does not join it if it is more than fields', () => {
    class Row {
      a = 1
    }
    const values = [
      [1, 2],
      Buffer.from('abc'),
      new Uint8Array(3),
      new String('abc'),
      new Number(1),
      new Date(),
      new Map()
    ]
    for (const value of [...values, new Row(), Object.create({ a: 1 }), Promise.resolve()]) {
      expect(linesOf({}, log => log.info('text', value))).toEqual([{ level, msg: 'text' }])
    }
    const other = vm.runInNewContext('({ a: 1 })') as object
    for (const value of [Object.assign(Object.create(null), { a: 1 }), other]) {
      expect(linesOf({}, log => log.info('text', value))).toEqual([{ level, a: 1, msg: 'text' }])
    }
  })

  it("is left to pino's rule in pino's place, or if asked for", () => {
    expect(linesOf({ trailingFields: false }, log => log.info('text', { a: 1 }))).toEqual([{ level, msg: 'text' }])
    const lines: string[] = []
    const log = loggerInPinosPlace({ base: null, timestamp: false }, { write: line => lines.push(line) })
    log.info('text', { a: 1 })
    log.child({}).error('text', new Error('a'))
    expect(lines).toEqual(['{"level":30,"msg":"text"}\n', '{"level":50,"msg":"text"}\n'])
  })

  it('joins it where percent signs take nothing', () => {
    expect(linesOf({}, log => log.info('100%% of 5%', { a: 1 }))).toEqual([{ level, a: 1, msg: '100% of 5%' }])
    expect(linesOf({}, log => log.info('%x', { a: 1 }))).toEqual([{ level, a: 1, msg: '%x' }])
    expect(linesOf({}, log => log.info('%%s', { a: 1 }))).toEqual([{ level, a: 1, msg: '%s' }])
  })

  it('is treated as one before the message is: errors, redaction, serializers, mixin', () => {
    const options = {
      redact: ['secret'],
      serializers: { id: (id: number) => `#${id}` },
      mixin: () => ({ mixed: true })
    }
    expect(linesOf(options, log => log.info('text', { secret: 1, id: 2 }))).toEqual([
      { level, mixed: true, secret: '[Redacted]', id: '#2', msg: 'text' }
    ])
    const [line] = linesOf({}, log => log.error('it failed', new TypeError('why')))
    expect(line).toMatchObject({ level: 50, err: { type: 'TypeError', message: 'why' }, msg: 'it failed' })
  })

  it('gets the prefix of the logger before the message', () => {
    expect(linesOf({ msgPrefix: 'web: ' }, log => log.info('text', { a: 1 }))).toEqual([
      { level, a: 1, msg: 'web: text' }
    ])
  })

  it('does not join a line that has an object already', () => {
    expect(linesOf({}, log => log.info({ a: 1 }, 'text', { b: 2 }))).toEqual([{ level, a: 1, msg: 'text' }])
  })

  it('is no other value: those are ignored', () => {
    for (const value of ['text', 5, true, null, undefined, () => 1]) {
      expect(linesOf({}, log => log.info('text', value))).toEqual([{ level, msg: 'text' }])
    }
  })
})
