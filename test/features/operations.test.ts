import { spawnSync } from 'node:child_process'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  captureErrors,
  exception,
  logCalls,
  logPerformance,
  operation,
  performanceIssue,
  stateChange
} from '../../lib/features/operations'
import { packageRoot } from '../support/shardlog'
import { plainLogger } from './support'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

function recorder() {
  const lines: unknown[] = []
  const log = plainLogger({ level: 'trace' }, { write: line => lines.push(JSON.parse(line)) })
  return { log, lines }
}

const broken = new RangeError('broken')
const fail = (): never => {
  throw broken
}

describe('operation', () => {
  it('logs start, end and duration, and returns the result', () => {
    const { log, lines } = recorder()
    const result = operation(log, 'import', { file: 'a' }, () => {
      vi.advanceTimersByTime(25)
      return 7
    })
    expect(result).toBe(7)
    const about = { operation: 'import', file: 'a' }
    expect(lines).toEqual([
      { level: 20, ...about, msg: 'import started' },
      { level: 30, ...about, durationMs: 25, msg: 'import ended' }
    ])
  })

  it('logs a failure and throws it on', () => {
    const { log, lines } = recorder()
    expect(() => operation(log, 'import', fail)).toThrow(broken)
    expect(lines[1]).toMatchObject({ level: 50, operation: 'import', durationMs: 0, err: { message: 'broken' } })
    expect(lines).toHaveLength(2)
  })

  it('waits for a promise', async () => {
    const { log, lines } = recorder()
    const promise = operation(log, 'import', () => new Promise(resolve => setTimeout(resolve, 10, 'done')))
    expect(lines).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(10)
    expect(await promise).toBe('done')
    expect(lines[1]).toMatchObject({ level: 30, durationMs: 10 })
    await expect(operation(log, 'import', async () => fail())).rejects.toBe(broken)
    expect(lines.slice(2)).toMatchObject([{ level: 20 }, { level: 50, msg: 'import failed' }])
  })

  it('refuses what it cannot do', () => {
    const { log } = recorder()
    const code = { code: 'ERR_SHARDLOG_CONFIG' }
    expect(() => operation(log, 'a', 'no function' as never)).toThrow(expect.objectContaining(code))
    expect(() => captureErrors(log, 5 as never, 5 as never)).not.toThrow()
    expect(() => logPerformance(log, fail, { thresholdMs: -1 })).toThrow(expect.objectContaining(code))
    expect(() => logPerformance(log, fail, { threshold: 1 } as never)).toThrow(expect.objectContaining(code))
  })
})

describe('exception', () => {
  it.each<[unknown[], object]>([
    [[broken], { err: { type: 'RangeError' }, msg: 'broken' }],
    [[broken, { a: 1 }, 'text'], { a: 1, err: { type: 'RangeError' }, msg: 'text' }],
    [['thrown'], { err: 'thrown', msg: 'thrown' }]
  ])('logs %o as an error', (args, expected) => {
    const { log, lines } = recorder()
    exception(log, ...(args as [unknown]))
    expect(lines).toMatchObject([{ level: 50, ...expected }])
  })
})

it('stateChange tells both states', () => {
  const { log, lines } = recorder()
  stateChange(log, 'connection', 'open', 'closed', { id: 1 })
  expect(lines).toEqual([
    {
      level: 30,
      id: 1,
      entity: 'connection',
      from: 'open',
      to: 'closed',
      msg: 'connection changed from open to closed'
    }
  ])
})

it('performanceIssue warns of what took longer than the threshold, and mentions what did not', () => {
  const { log, lines } = recorder()
  performanceIssue(log, 'query', 250, 100, { table: 'a' })
  performanceIssue(log, 'query', 100, 100)
  const about = { operation: 'query', thresholdMs: 100 }
  expect(lines).toEqual([
    { level: 40, table: 'a', ...about, durationMs: 250, msg: 'query took 250 ms, more than 100 ms' },
    { level: 20, ...about, durationMs: 100, msg: 'query took 100 ms' }
  ])
})

describe('a function wrapped', () => {
  it('by logCalls is an operation of its name, with its this and arguments', () => {
    const { log, lines } = recorder()
    const counter = {
      n: 1,
      add: logCalls(log, function add(this: { n: number }, by: number) {
        return this.n + by
      })
    }
    expect(counter.add(2)).toBe(3)
    expect(lines).toMatchObject([{ msg: 'add started' }, { msg: 'add ended' }])
  })

  it('by captureErrors logs what it throws or rejects with, and nothing else', async () => {
    const { log, lines } = recorder()
    expect(captureErrors(log, (value: number) => value)(1)).toBe(1)
    expect(lines).toEqual([])
    expect(captureErrors(log, fail, { a: 1 })).toThrow(broken)
    await expect(captureErrors(log, async () => fail())()).rejects.toBe(broken)
    expect(lines).toMatchObject([
      { level: 50, a: 1, msg: 'broken' },
      { level: 50, msg: 'broken' }
    ])
  })
})

describe('the program does what it does without them, if', () => {
  const warned = () => vi.spyOn(process, 'emitWarning').mockImplementation(() => {})

  it.each<[string, unknown]>([
    ['an object without a prototype', Object.create(null)],
    ['a symbol', Symbol('a')],
    ['undefined', undefined],
    ['a frozen error', Object.freeze(new Error('a'))],
    [
      'a proxy that has been revoked',
      (() => {
        const { proxy, revoke } = Proxy.revocable({}, {})
        revoke()
        return proxy
      })()
    ]
  ])('%s is thrown', async (_name, thrown) => {
    const { log, lines } = recorder()
    const throwing = (): never => {
      throw thrown
    }
    for (const call of [
      captureErrors(log, throwing),
      logCalls(log, throwing),
      logPerformance(log, throwing),
      () => operation(log, 'x', throwing)
    ]) {
      let caught: { error: unknown } | undefined
      try {
        call()
      } catch (error) {
        caught = { error }
      }
      expect(caught).toBeDefined()
      expect(Object.is(caught?.error, thrown)).toBe(true)
    }
    const rejected = await captureErrors(log, async () => throwing())().then(
      () => 'not',
      (error: unknown) => [error]
    )
    expect(Object.is(rejected[0], thrown)).toBe(true)
    expect(lines.length).toBeGreaterThan(0)
  })

  it('the logger lacks methods, throws, or is none', () => {
    const warn = warned()
    const broken = {
      info() {
        throw new Error('log')
      },
      get debug() {
        throw new Error('getter')
      }
    }
    for (const log of [{}, null, undefined, broken, { info: 5 }]) {
      expect(operation(log as object, 'x', () => 7)).toBe(7)
      expect(captureErrors(log as object, () => 7)()).toBe(7)
      expect(captureErrors(log as object, fail)).toThrow(RangeError)
      expect(logPerformance(log as object, () => 7)()).toBe(7)
      exception(log as object, new Error('a'))
    }
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('must have a method debug'), { code: 'SHARDLOG_LOGGER' })
  })

  it('fields cannot be read, and names and values have no text', () => {
    const { log, lines } = recorder()
    const fields = Object.defineProperty({ b: 2 }, 'a', { get: fail, enumerable: true })
    expect(operation(log, Symbol('name') as never, fields, () => 7)).toBe(7)
    stateChange(log, Object.create(null) as string, Object.create(null), 1n, fields)
    performanceIssue(log, 'x', Object.create(null) as number, 5, fields)
    expect(lines).toMatchObject([
      { b: 2, msg: 'Symbol(name) started' },
      { b: 2, msg: 'Symbol(name) ended' },
      { b: 2, msg: '[object] changed from [object] to 1' },
      { b: 2, msg: 'x took [object] ms' }
    ])
  })

  it('arity, name, kind and properties of a function are looked at', () => {
    const { log } = recorder()
    const handler = Object.assign(
      async function errorHandler(_error: unknown, _req: unknown, _res: unknown, _next: unknown) {},
      { tag: 1 }
    )
    for (const wrap of [captureErrors(log, handler), logCalls(log, handler), logPerformance(log, handler)]) {
      expect([wrap.length, wrap.name, (wrap as typeof handler).tag]).toEqual([4, 'errorHandler', 1])
      expect(Object.prototype.toString.call(wrap)).toBe('[object AsyncFunction]')
    }
  })

  it('a class is wrapped', () => {
    const { log, lines } = recorder()
    class Base {
      constructor(readonly a: number) {}
    }
    const Wrapped = logCalls(log, Base as never) as unknown as typeof Base
    class Derived extends Wrapped {}
    expect(new Wrapped(1)).toBeInstanceOf(Base)
    expect(new Derived(2).a).toBe(2)
    expect(new Derived(2)).toBeInstanceOf(Derived)
    expect(lines[0]).toMatchObject({ msg: 'Base started' })
  })

  it('the result is a promise with more to it, or a query that begins when it is waited for', async () => {
    const { log, lines } = recorder()
    class Mine<T> extends Promise<T> {}
    const killable = Object.assign(Mine.resolve(5), { kill: () => 'killed' })
    const result = logCalls(log, () => killable)()
    expect(result).toBeInstanceOf(Mine)
    expect(result.kill()).toBe('killed')
    expect(await result).toBe(5)
    let begun = 0
    const query = {
      where: () => query,
      // biome-ignore lint/suspicious/noThenProperty: what query builders have
      then(done: (value: number) => void) {
        begun++
        done(7)
      }
    }
    expect(logCalls(log, () => query)()).toBe(query)
    expect(begun).toBe(0)
    expect(await captureErrors(log, () => query)()).toBe(7)
    expect(lines.length).toBeGreaterThan(3)
  })

  it('nobody waits for a rejection: it is as unhandled as without', async () => {
    const script = `const { logCalls } = require(${JSON.stringify(packageRoot)})
      process.on('unhandledRejection', error => console.log('unhandled', error.message))
      logCalls({ info() {}, error() {}, debug() {} }, async () => { throw new Error('a') })()
      logCalls({ info() {}, error() {}, debug() {} }, async () => { throw new Error('b') })().catch(() => console.log('handled'))`
    const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' })
    expect(stdout.trim().split('\n').sort()).toEqual(['handled', 'unhandled a'])
  })
})

describe('a method decorated', () => {
  /** As TypeScript compiles a standard decorator. */
  function decorated(decorator: ReturnType<typeof logCalls>, method: (this: never, ...args: never[]) => unknown) {
    return (decorator as (method: unknown, context: object) => (this: unknown, ...args: unknown[]) => unknown)(method, {
      kind: 'method',
      name: method.name,
      static: false,
      private: false
    })
  }

  it('is logged, its errors and its duration, by the logger of the instance too', () => {
    const { log, lines } = recorder()
    const add = function add(this: { n: number }, by: number): number {
      vi.advanceTimersByTime(20)
      return this.n + by
    }
    const instance = { n: 1, log }
    expect(decorated(logCalls(log, { a: 1 }) as never, add as never).call(instance, 2)).toBe(3)
    expect(
      decorated(logPerformance((self: typeof instance) => self.log, { thresholdMs: 10 }) as never, add as never).call(
        instance,
        2
      )
    ).toBe(3)
    expect(() => decorated(captureErrors(log) as never, fail as never).call(instance)).toThrow(broken)
    expect(lines).toMatchObject([
      { a: 1, msg: 'add started' },
      { a: 1, msg: 'add ended' },
      { level: 40, msg: 'add took 20 ms, more than 10 ms' },
      { level: 50, msg: 'broken' }
    ])
    expect(decorated(logCalls(log) as never, add as never).length).toBe(1)
  })

  it('has to be one', () => {
    const { log } = recorder()
    const decorate = logCalls(log) as unknown as (value: unknown, context: object) => void
    expect(() => decorate(class {}, { kind: 'class' })).toThrow('the place of @logCalls must be a method')
  })
})
