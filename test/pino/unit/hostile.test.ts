import fs from 'node:fs'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import { destination } from '../../../lib/pino/public'
import fc from '../../support/random'
import { tempLog } from '../../support/temp'

type Call = readonly unknown[]
type Log = { info(...args: unknown[]): void; error(...args: unknown[]): void; child(...args: unknown[]): Log }
type Make = (options: object, stream: object) => Log

const fail = (): never => {
  // Not a text that stands here: functions are logged as messages too.
  throw new RangeError(['sec', 'ret'].join(''))
}
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const shared = new TypeError('shared')
/** What no logger expects, made anew for each. */
const odd: (() => unknown)[] = [
  () => Object.defineProperty({ b: 1 }, 'a', { get: fail, enumerable: true }),
  () => ({ toJSON: fail }),
  () => ({ toString: fail, valueOf: fail }),
  () => Object.create(null),
  () => Object.assign(Object.create(null), { a: 1 }),
  revoked,
  () => new Proxy({ a: 1 }, { ownKeys: fail }),
  () => new Proxy({ a: 1 }, { get: fail }),
  () => new Proxy({ a: 1 }, { getPrototypeOf: fail }),
  () => new Proxy({ a: 1 }, { getOwnPropertyDescriptor: fail }),
  () => Object.freeze({ a: 1 }),
  () => Object.freeze(shared),
  () => Object.assign(new Error('cause'), { cause: shared, errors: [shared] }),
  () => Object.defineProperty(new Error('m'), 'message', { get: fail }),
  () => Object.defineProperty(new Error('m'), 'stack', { get: fail }),
  () => Object.assign(new Error('m'), { message: 5 }),
  () => {
    const error = new Error('self') as Error & { self?: unknown; cause?: unknown }
    error.self = error
    error.cause = error
    return error
  },
  () => {
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    cyclic.list = [cyclic]
    return cyclic
  },
  () => ({ hasOwnProperty: fail, a: 1 }),
  () => ({ constructor: undefined, a: 1 }),
  () => ({ constructor: { name: 5 }, __proto__: null }),
  () => ({ method: 'GET', headers: {}, socket: {} }),
  () => ({
    get method(): never {
      return fail()
    }
  }),
  () => ({ setHeader: () => 1 }),
  () => ({ msg: revoked(), err: revoked() }),
  () => ({
    err: {
      get message(): never {
        return fail()
      }
    }
  }),
  () => Symbol('s'),
  () => 10n,
  () => fail,
  () => new Date(Number.NaN),
  () => [undefined, fail, Symbol('s')],
  () => Object.assign([1], { a: 2 }),
  () => new Map([[1, 2]]),
  () => Array.from({ length: 3_000 }).reduce(inner => ({ inner }), {}),
  () => undefined,
  () => null,
  () => '%s %d %j %o',
  () => 'text',
  () => '',
  () => -0
]
const oddValue = fc.constantFrom(...odd)
const nested = fc.tuple(fc.constantFrom('a', 'err', 'msg', 'level', 'user'), oddValue).map(([key, make]) => () => ({
  b: 1,
  [key]: make(),
  z: 2
}))
const argument = fc.oneof(oddValue, nested)
const call = fc.array(argument, { maxLength: 4 })

const options: object[] = [
  {},
  { redact: ['a', 'user.password', '*.a'] },
  { redact: { paths: ['a.b'], censor: fail } },
  { serializers: { a: fail, user: (user: { id: number }) => user.id } },
  { mixin: () => ({ mixed: 1 }) },
  { mixin: fail },
  { mixin: () => null },
  { formatters: { log: (o: object) => ({ ...o }) } },
  { formatters: { log: fail } },
  { nestedKey: 'n', msgPrefix: 'p ' },
  { messageKey: 'a', errorKey: 'user' },
  {
    hooks: {
      logMethod(this: Log, args: unknown[], method: (...args: unknown[]) => void) {
        method.apply(this, args)
      }
    }
  }
]

function quiet<Result>(use: () => Result): Result | undefined {
  try {
    return use()
  } catch {
    return undefined
  }
}

const settings = { base: null, timestamp: false, trailingFields: false }

/** The line of a call; undefined if it throws. */
function lineOf(make: unknown, given: object, makers: readonly (() => unknown)[]): string | undefined {
  const lines: string[] = []
  const log = (make as Make)({ ...settings, ...given }, { write: (line: string) => lines.push(line) })
  const thrown = quiet(() => {
    log.info(...makers.map(value => value()))
    return false
  })
  return thrown === undefined ? undefined : lines.join('')
}

function isJson(line: string): boolean {
  return quiet(() => JSON.parse(line) as unknown) !== undefined
}

describe('whatever is logged', () => {
  it('no call throws, and the line is that of pino, or JSON with what can be had where pino throws', () => {
    fc.assert(
      fc.property(fc.constantFrom(...options), call, (given, makers) => {
        // By one line, which is in the stacks of the errors that are made.
        const [line, expected] = [logger, pino].map(make => lineOf(make, given, makers))
        expect(line).toBeDefined()
        if (expected !== undefined && isJson(expected)) {
          // Stacks have no places in them here: all errors are made by the same lines.
          expect(line).toBe(expected)
        } else {
          expect(isJson(line as string)).toBe(true)
        }
      }),
      { numRuns: 3_000 }
    )
  })

  it('a destination that records says the same as one of text', () => {
    for (const given of options) {
      const file = tempLog()
      const stream = destination({ dest: file, format: 'ndjson', crashSafe: false, bufferSize: 1 << 22, numShards: 1 })
      const texts: string[] = []
      const recording = logger({ ...settings, ...given } as object, stream) as unknown as Log
      const text = logger({ ...settings, ...given } as object, { write: line => texts.push(line) }) as unknown as Log
      const calls = fc.sample(call, { numRuns: 300, seed: 5 })
      for (const makers of calls) {
        const args: Call = makers.map(value => value())
        recording.info(...args)
        text.info(...args)
      }
      stream.closeSync()
      expect(fs.readFileSync(file, 'utf8').split('\n')).toEqual(texts.join('').split('\n'))
    }
  })

  it('no secret of an error thrown on the way is in the line', () => {
    fc.assert(
      fc.property(fc.constantFrom(...options), call, (given, makers) => {
        expect(lineOf(logger, given, makers)).not.toContain('secret')
      }),
      { numRuns: 1_000 }
    )
  })

  it('children are made of whatever is bound', () => {
    fc.assert(
      fc.property(argument, argument, (bindings, made) => {
        const lines: string[] = []
        const log = logger({ base: null }, { write: line => lines.push(line) }) as unknown as Log
        const bound = bindings()
        if (!bound) return
        log.child(bound).child({ a: made() }).info('text')
        expect(lines.map(isJson)).toEqual([true])
      }),
      { numRuns: 500 }
    )
  })

  it.each([[{}], [{ redact: ['*.c'] }], [{ serializers: { msg: (text: string) => ({ was: text }) } }]])(
    'keys that never come again are written as those that do, with %j',
    given => {
      const file = tempLog()
      const stream = destination({ dest: file, format: 'ndjson', crashSafe: false, bufferSize: 1 << 22, numShards: 1 })
      const texts: string[] = []
      const keyed = (i: number) => Object.fromEntries(Array.from({ length: 8 }, (_, k) => [`k${i}_${k}`, i]))
      const objects = Array.from({ length: 2_000 }, (_, i) => (i % 7 === 0 ? { same: i, again: { a: i } } : keyed(i)))
      for (const target of [stream, { write: (line: string) => texts.push(line) }]) {
        const log = logger({ ...settings, ...given } as object, target) as unknown as Log
        for (const object of objects) log.info(object, 'text')
      }
      stream.closeSync()
      expect(fs.readFileSync(file, 'utf8')).toBe(texts.join(''))
    }
  )
})
