import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  captureErrors,
  exception,
  logCalls,
  operation,
  performanceIssue,
  stateChange
} from '../../lib/features/operations'
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
    expect(() => operation({}, 'a', fail)).toThrow(expect.objectContaining(code))
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
