import { describe, expect, it } from 'vitest'
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

  it('joins it after what the placeholders take', () => {
    expect(linesOf({}, log => log.info('%s is %d', 'a', 1, { userId: 123 }))).toEqual([
      { level, userId: 123, msg: 'a is 1' }
    ])
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
