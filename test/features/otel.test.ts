import { AsyncLocalStorage } from 'node:async_hooks'
import {
  type Context,
  type ContextManager,
  context,
  INVALID_SPAN_CONTEXT,
  propagation,
  ROOT_CONTEXT,
  type SpanContext,
  trace
} from '@opentelemetry/api'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadOtelApi } from '../../lib/call-origin'
import { getLoggerStats } from '../../lib/features/plugin'
import { destinations, plainLogger } from './support'

/** The least that makes spans active. */
class Manager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>()
  active = () => this.#storage.getStore() ?? ROOT_CONTEXT
  with: ContextManager['with'] = (active, fn, self, ...args) =>
    this.#storage.run(active, () => fn.apply(self as ThisParameterType<typeof fn>, args))
  bind: ContextManager['bind'] = (_active, target) => target
  enable = () => this
  disable = () => this
}

beforeAll(() => {
  context.setGlobalContextManager(new Manager())
})

afterAll(() => {
  context.disable()
})

const span: SpanContext = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  traceFlags: 1
}
const traced = { trace_id: span.traceId, span_id: span.spanId, trace_flags: '01' }

const withSpan = (given: SpanContext, base: Context): Context => trace.setSpanContext(base, given)
const inSpan = (fn: () => void) => context.with(withSpan(span, ROOT_CONTEXT), fn)

const baggage = propagation.createBaggage({ tenant: { value: 'a' }, secret: { value: 'b' } })
const inSpanWithBaggage = (fn: () => void) =>
  context.with(withSpan(span, propagation.setBaggage(ROOT_CONTEXT, baggage)), fn)

describe.each(destinations)('otel, %s destination', (_name, make) => {
  it('adds the ids and flags of the active span, as they stand in a traceparent header', () => {
    const { log, lines } = make({ otel: true })
    inSpan(() => log.child({ c: 1 }).info({ a: 2 }, 'text'))
    expect(lines()).toEqual([{ level: 30, c: 1, ...traced, a: 2, msg: 'text' }])
    expect(getLoggerStats(log).otel).toEqual({ correlated: 1 })
  })

  it('adds nothing without an active span, or for one that is not valid', () => {
    const { log, lines } = make({ otel: { baggage: true } })
    log.info('text')
    context.with(withSpan(INVALID_SPAN_CONTEXT, ROOT_CONTEXT), () => log.info('text'))
    expect(lines()).toEqual([
      { level: 30, msg: 'text' },
      { level: 30, msg: 'text' }
    ])
    expect(getLoggerStats(log).otel).toEqual({ correlated: 0 })
  })

  it('leaves logged fields of these names as they are', () => {
    const { log, lines } = make({ otel: true })
    inSpan(() => log.info({ span_id: 'mine' }, 'text'))
    expect(lines()).toEqual([{ level: 30, ...traced, span_id: 'mine', msg: 'text' }])
  })

  it.each([
    [true, undefined],
    [{ baggage: ['other'] }, undefined],
    [{ baggage: ['tenant'] }, { tenant: 'a' }],
    [{ baggage: true }, { tenant: 'a', secret: 'b' }]
  ] as const)('with otel: %j writes the baggage %j', (otel, expected) => {
    const { log, lines } = make({ otel })
    inSpanWithBaggage(() => log.info('text'))
    expect(lines()[0]?.baggage).toEqual(expected)
  })

  it('adds no baggage where there is none', () => {
    const { log, lines } = make({ otel: { baggage: true } })
    inSpan(() => log.info('text'))
    expect(lines()).toEqual([{ level: 30, ...traced, msg: 'text' }])
  })
})

describe('@opentelemetry/api', () => {
  it('that is not installed is asked for when the logger is made', () => {
    const cause = new Error('Cannot find module')
    const load = () => {
      throw cause
    }
    expect(() => loadOtelApi(load)).toThrow(
      expect.objectContaining({
        code: 'ERR_SHARDLOG_CONFIG',
        message: expect.stringContaining('npm install @opentelemetry/api'),
        cause
      })
    )
  })

  it('is not looked for without the option', () => {
    expect(getLoggerStats(plainLogger({ otel: false }, { write: () => true })).otel).toBeNull()
  })
})
