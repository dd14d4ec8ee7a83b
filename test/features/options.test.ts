import { describe, expect, it } from 'vitest'
import { circuitBreaker } from '../../lib/features/circuit-breaker'
import { featuresSym, getLoggerStats } from '../../lib/features/plugin'
import { logger } from '../../lib/pino/logger'
import { symbols } from '../../lib/pino/public'

const silent = { write: () => true }
const refused = (...parts: string[]) =>
  expect.objectContaining({
    code: 'ERR_SHARDLOG_CONFIG',
    message: expect.stringMatching(parts.map(part => part.replace(/[.[\]()]/g, '\\$&')).join('.*'))
  })

describe('an option of a feature that is wrong is refused by name, with the value and what is allowed:', () => {
  it.each<[object, string[]]>([
    [{ sampling: 5 }, ['sampling', 'object', '5']],
    [{ sampling: {} }, ['sampling.targetRate', 'above 0', 'undefined']],
    [{ sampling: { targetRate: 0 } }, ['sampling.targetRate', 'above 0', '0']],
    [{ sampling: { targetRate: '5' } }, ['sampling.targetRate', "'5'"]],
    [{ sampling: { targetRate: 5, window: 0 } }, ['sampling.window', 'milliseconds', '0']],
    [{ sampling: { targetRate: 5, step: 2 } }, ['sampling.step', 'up to 1', '2']],
    [{ sampling: { targetRate: 5, minProbability: -1 } }, ['sampling.minProbability', '-1']],
    [{ sampling: { targetRate: 5, field: '' } }, ['sampling.field', 'non-empty', "''"]],
    [{ sampling: { targetrate: 5 } }, ['unknown option sampling.targetrate', '5', 'did you mean targetRate']],
    [{ maxEventsPerSecond: Number.NaN }, ['maxEventsPerSecond', 'NaN']],
    [{ dedupe: 1 }, ['dedupe', 'true, false or an object', '1']],
    [{ dedupe: { window: 2 ** 31 } }, ['dedupe.window', '2147483648']],
    [{ dedupe: { keys: 'a' } }, ['dedupe.keys', 'array of strings', "'a'"]],
    [{ dedupe: { frobnicate: 1 } }, ['dedupe.frobnicate', 'known are window, keys']],
    [{ otel: 'yes' }, ['otel', "'yes'"]],
    [{ otel: { baggage: 'a' } }, ['otel.baggage', 'true for all', "'a'"]],
    [{ caller: [] }, ['caller', '[]']],
    [{ caller: { field: 1 } }, ['caller.field', '1']]
  ])('%j', (options, parts) => {
    expect(() => logger(options, silent)).toThrow(refused(...parts))
  })

  it.each<[unknown, object, string[]]>([
    [silent, { failures: 0 }, ['circuitBreaker.failures', 'whole number', '0']],
    [silent, { recovery: -1 }, ['circuitBreaker.recovery', '-1']],
    [silent, { successes: 1.5 }, ['circuitBreaker.successes', '1.5']],
    [silent, { fallback: 'stdout' }, ['circuitBreaker.fallback', "'stderr' or 'count'", "'stdout'"]],
    [silent, { timeout: 1 }, ['unknown option circuitBreaker.timeout']],
    [{}, {}, ['destination of circuitBreaker', 'stream', '{}']],
    [() => null, {}, ['destination of circuitBreaker', 'null']]
  ])('circuitBreaker(%o, %j)', (destination, options, parts) => {
    expect(() => circuitBreaker(destination as never, options)).toThrow(refused(...parts))
  })
})

describe('a logger without features', () => {
  const off = { sampling: false, dedupe: false, otel: false, caller: false } as const

  it('writes as if there were none', () => {
    const plain = logger({}, silent) as unknown as Record<PropertyKey, unknown>
    const without = logger(off, silent) as unknown as Record<PropertyKey, unknown>
    expect(plain[featuresSym]).toBeUndefined()
    expect(without[featuresSym]).toBeUndefined()
    expect(without[symbols.writeSym]).toBe(plain[symbols.writeSym])
  })

  it('has statistics that say so', () => {
    const nothing = {
      sampling: null,
      dedupe: null,
      otel: null,
      caller: null,
      context: null,
      recorder: null,
      circuitBreakers: []
    }
    expect(getLoggerStats(logger(off, silent))).toEqual(nothing)
  })

  it('is not changed by one that has some', () => {
    const plain = logger({}, silent)
    logger({ dedupe: true }, silent)
    expect(getLoggerStats(plain).dedupe).toBeNull()
  })
})
