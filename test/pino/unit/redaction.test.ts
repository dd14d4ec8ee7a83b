import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import fc from '../../support/random'

type Make = (options: object, stream: object) => { info(...args: unknown[]): void }

function lineOf(make: unknown, redact: unknown, object: unknown): string {
  const lines: string[] = []
  const log = (make as Make)({ base: null, timestamp: false, redact }, { write: (line: string) => lines.push(line) })
  log.info({ a: object })
  log.info('%o', { a: object })
  return lines.join('')
}

describe('redaction leaves the objects of the program as they are', () => {
  const token = () => ({ b: { x: 1, c: { token: 's', x: 2 } }, d: [{ e: { token: 't' } }] })

  it.each([
    [['a.*.*.token', 'a.b.x']],
    [['a.b.x', 'a.*.*.token']],
    [['a.*.*.token', 'a.b.c.x', 'a.d[0].e']],
    [['*.*.*.token', 'a.b.x', '*.d']],
    [['a["b"].c.token', 'a[*].x']],
    [{ paths: ['a.*.*.token', 'a.b.x'], remove: true }]
  ])('%j', redact => {
    const object = token()
    const line = lineOf(logger, redact, object)
    expect(object).toEqual(token())
    // pino changes the object: it is given one of its own for each of its lines.
    expect(line).toBe(lineOf(pino, redact, token()))
  })

  it('also what they inherit: the headers of a request are a getter of its class', () => {
    const headers = { authorization: 'secret', host: 'a' }
    class Request {
      get headers(): object {
        return headers
      }
    }
    const shared = Object.create({ inner: { secret: 1 } }) as object
    lineOf(logger, ['a.headers.authorization'], new Request())
    lineOf(logger, ['a.inner.secret', 'a.*.secret'], shared)
    expect(headers).toEqual({ authorization: 'secret', host: 'a' })
    expect((shared as { inner: object }).inner).toEqual({ secret: 1 })
  })

  it('whatever the paths, and says what pino says of a fresh one', () => {
    const step = fc.constantFrom('b', 'c', 'x', '*', '0')
    const path = fc
      .array(step, { minLength: 1, maxLength: 4 })
      .map(steps => steps.reduce((text, name) => (name === '0' ? `${text}[0]` : `${text}.${name}`), 'a'))
    const value = fc.letrec(tie => ({
      value: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom(1, 's', null, true, undefined),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('b', 'c', 'x'), tie('value'), { noNullPrototype: true })
      )
    })).value
    fc.assert(
      fc.property(
        fc.uniqueArray(path, { minLength: 1, maxLength: 4 }),
        value,
        fc.boolean(),
        (paths, object, remove) => {
          const before = structuredClone(object)
          const line = lineOf(logger, { paths, remove }, object)
          expect(object).toEqual(before)
          expect(line).toBe(
            ['a', '%o'].map(kind => lineOfOne(pino, { paths, remove }, structuredClone(object), kind)).join('')
          )
        }
      ),
      { numRuns: 1_000 }
    )
  })
})

function lineOfOne(make: unknown, redact: unknown, object: unknown, kind: string): string {
  const lines: string[] = []
  const log = (make as Make)({ base: null, timestamp: false, redact }, { write: (line: string) => lines.push(line) })
  if (kind === '%o') log.info('%o', { a: object })
  else log.info({ a: object })
  return lines.join('')
}
