import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { recordSinkSym } from '../../../lib/pino/context'
import { logger } from '../../../lib/pino/logger'
import { recordSink } from '../../../lib/pino/record-destination'
import { RecordEncoder } from '../../../lib/record/record-encoder'
import { renderSegment } from '../../../lib/record/render'
import { FakeLog } from '../../support/fake-log'
import fc from '../../support/random'

type Level = 'info' | 'error'
type Log = Record<Level, (...args: unknown[]) => void> & {
  child(bindings: object, options?: object): Log
  setBindings(bindings: object): void
}

const settings = { base: null, timestamp: false }

/** The lines that pino writes. */
function linesOfPino(options: object, use: (log: Log, seal: () => void) => void): string[] {
  const lines: string[] = []
  use(pino({ ...settings, ...options }, { write: (line: string) => lines.push(line) }) as unknown as Log, () => {})
  // A lone surrogate has no UTF-8.
  return lines.map(line => Buffer.from(line).toString())
}

/** The lines that are recorded, in segments of `size` bytes that `seal` ends besides. */
function linesOfRecords(options: object, size: number, use: (log: Log, seal: () => void) => void): string[] {
  const fake = new FakeLog(size)
  const writer = new RecordEncoder(fake)
  const stream = { write: (line: string) => writer.text(0, line), [recordSinkSym]: recordSink(writer) }
  use(logger({ ...settings, trailingFields: false, ...options } as object, stream as never) as unknown as Log, () =>
    fake.seal()
  )
  fake.seal()
  return fake.segments.flatMap(segment => {
    const { lines, damaged } = renderSegment(segment)
    expect(damaged).toBe(0)
    return lines.map(line => line.bytes.toString())
  })
}

function expectSameLines(use: (log: Log, seal: () => void) => void, options: object = {}, size = 65_536): void {
  const expected = linesOfPino(options, use)
  expect(linesOfRecords(options, size, use)).toEqual(expected)
}

const failure = (message: string, fields: object = {}): Error =>
  Object.assign(new Error(message), { stack: `at ${message}` }, fields)

describe('objects that a call looks at before their fields', () => {
  it.each([
    ['that look like a request', { method: 'GET', headers: {}, socket: {} }],
    ['that look like a response', { setHeader: () => 1 }],
    ['with a field named constructor', { constructor: Object }],
    ['with serializers’ own keys', { type: 't', raw: 5, aggregateErrors: 1 }]
  ])('errors %s are what pino takes them for, with and without a message', (_which, fields) => {
    expectSameLines(log => {
      for (let i = 0; i < 3; i++) {
        log.info({ a: i }, 'message')
        log.info(failure('failed', fields), 'message')
        log.error(failure('failed', fields))
        log.child({ i }).error(failure('failed', fields), 'message')
      }
    })
  })

  it('plain ones become requests and responses, whatever templates their message has', () => {
    expectSameLines(log => {
      for (const fields of [{ method: 'GET' }, { method: 'GET', headers: {} }, { a: 1 }, { a: {} }, { a: [] }, {}]) {
        log.info({ a: 1, method: 'GET' }, 'message')
        log.info(fields, 'message')
        log.info({ ...fields, method: 'GET', headers: {}, socket: {} }, 'message')
        log.info({ ...fields, setHeader: () => 1, statusCode: 200 }, 'message')
        log.info(Object.create({ setHeader: () => 1 }), 'message')
      }
    })
  })

  it('a field that its getter deletes is not printed, nor one that an object inherits', () => {
    expectSameLines(log => {
      for (let i = 0; i < 3; i++) {
        const fields: Record<string, unknown> = { a: 1 }
        const get = (): number => {
          delete fields.b
          return 2
        }
        log.info({ a: 1, b: 2 }, 'message')
        log.info(Object.defineProperty(fields, 'b', { enumerable: true, configurable: true, get }), 'message')
        log.info(Object.assign(Object.create({ b: 2 }), { a: 1 }), 'message')
      }
    })
  })

  it('a getter is read once, whatever its name', () => {
    expectSameLines(log => {
      for (const name of ['a', 'constructor', 'toJSON', 'hasOwnProperty', '__proto__', '1']) {
        for (let i = 0; i < 3; i++) {
          let reads = 0
          const get = () => ++reads
          log.info(Object.defineProperty({ b: 1 }, name, { enumerable: true, get }), 'message')
        }
      }
    })
  })
})

it('an error among fields is looked at as often as pino does, whose getter may log', () => {
  expectSameLines(
    log => {
      const fields = {
        get b() {
          log.info({ c: 1 }, 'message')
          return { message: 'failed' }
        }
      }
      for (let i = 0; i < 3; i++) log.info(fields)
    },
    { errorKey: 'b' }
  )
})

// Programs: calls that recur and some that do not, of a logger and its children.

const key = fc.constantFrom(
  'a',
  'a',
  'b',
  'b',
  'c',
  'err',
  'msg',
  'level',
  'é',
  '1',
  '__proto__',
  'constructor',
  'headers',
  'socket',
  'method',
  'setHeader'
)
const makers: (() => unknown)[] = [
  () => 1,
  () => 2,
  () => -0,
  () => Number.NaN,
  () => 2 ** 40,
  () => 'text',
  () => 'x'.repeat(33),
  () => 'x'.repeat(41),
  () => `${'x'.repeat(31)}é`,
  () => '\ud800',
  () => true,
  () => null,
  () => undefined,
  () => 10n,
  () => Symbol('s'),
  () => new Date(0),
  () => [1, { a: 1 }],
  () => ({}),
  () => ({ a: 1, b: { c: 'text' } }),
  () => ({ toJSON: () => 'json' }),
  () => failure('inner', { code: 'E' }),
  () => () => 1
]

/** How a property comes to its value. */
type Kind = 'value' | 'getter' | 'deletes' | 'adds' | 'logs' | 'hidden'
const kind = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Kind>('value') },
  { weight: 1, arbitrary: fc.constantFrom<Kind>('getter', 'deletes', 'adds', 'logs', 'hidden') }
)
const property = fc.record({ key, kind, make: fc.constantFrom(...makers) })
const prototype = fc.oneof(
  { weight: 12, arbitrary: fc.constant<object | null>(Object.prototype) },
  { weight: 1, arbitrary: fc.constantFrom<(object | null)[]>(null, { inherited: 1 }, class Own {}.prototype) }
)
const shape = fc.record({ prototype, properties: fc.array(property, { maxLength: 5 }) })
type Shape = typeof shape extends fc.Arbitrary<infer Made> ? Made : never

const SPECIAL = new Set(['err', 'msg', 'headers', 'socket', 'method', 'setHeader'])

/** The object, made anew, whose getters log to `log`. */
function build({ prototype: parent, properties }: Shape, log: Log): object {
  const object = Object.create(parent) as Record<string, unknown>
  for (const { key: name, kind: how, make } of properties) {
    const getters: Record<Kind, (() => unknown) | undefined> = {
      value: undefined,
      hidden: undefined,
      getter: make,
      deletes: () => {
        delete object.b
        return make()
      },
      adds: () => {
        object.late = 1
        return make()
      },
      logs: () => {
        log.info({ a: 1 }, 'message')
        log.child({ inner: 1 }).error('other')
        return make()
      }
    }
    // What a call looks at besides is read more than once.
    const get = SPECIAL.has(name) ? undefined : getters[how]
    const described = get ? { get } : { value: make(), writable: true }
    const enumerable = how !== 'hidden' || SPECIAL.has(name)
    Object.defineProperty(object, name, { ...described, enumerable, configurable: true })
  }
  return object
}

const message = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom<unknown>('message', 'other') },
  { weight: 2, arbitrary: fc.constantFrom<unknown>(undefined, 'x'.repeat(300), '\ud800é', '100%') },
  { weight: 1, arbitrary: fc.string() }
)
const errors: (() => Error)[] = [
  () => failure('failed'),
  () => failure('failed', { code: 'E', a: 1 }),
  () => failure('failed', { toJSON: () => 'json' }),
  () => failure('failed', { cause: failure('cause') }),
  () => failure('failed', { nested: failure('nested', { a: 1 }) })
]
const step = fc.record({
  logger: fc.nat({ max: 2 }),
  level: fc.constantFrom<Level>('info', 'info', 'error'),
  what: fc.constantFrom('again', 'again', 'again', 'fields', 'fields', 'message', 'error', 'child', 'bind', 'seal'),
  which: fc.nat({ max: 2 }),
  shape,
  message,
  error: fc.constantFrom(...errors)
})
type Step = typeof step extends fc.Arbitrary<infer Made> ? Made : never

const childOptions: object[] = [{}, { serializers: { a: () => 'child' } }, { redact: ['b'] }]

function runStep(logs: Log[], recurring: readonly Shape[], made: Step, at: number, seal: () => void): void {
  const { level, what, which } = made
  const log = logs[made.logger]!
  if (what === 'again') log[level](build(recurring[which]!, log), ['message', 'other', made.message][which])
  else if (what === 'fields') log[level](build(made.shape, log), made.message)
  else if (what === 'message') log[level](made.message)
  else if (what === 'error') log[level](made.error(), ...(which === 0 ? [] : [made.message]))
  else if (what === 'child') logs[1 + (which % 2)] = log.child({ at }, childOptions[which])
  else if (what === 'bind') log.setBindings({ at })
  else seal()
}

const options: object[] = [
  {},
  { redact: ['a', '*.c'] },
  { serializers: { a: (value: unknown) => typeof value } },
  { mixin: () => ({ mixed: 1, a: 'mixin' }) },
  { formatters: { log: (fields: object) => ({ ...fields, formatted: 1 }) } },
  { formatters: { log: (fields: object) => fields } },
  { nestedKey: 'n' },
  { msgPrefix: 'prefix ' },
  { messageKey: 'a', errorKey: 'b' },
  { base: { pid: 1, é: 'é' }, timestamp: () => ',"time":"é"' }
]

describe('what programs log', () => {
  it('is recorded as pino writes it, whatever they log before, within it and however soon segments end', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...options),
        fc.integer({ min: 4_096, max: 32_768 }),
        fc.array(shape, { minLength: 3, maxLength: 3 }),
        fc.array(step, { maxLength: 60 }),
        (given, size, recurring, steps) => {
          expectSameLines(
            (root, seal) => {
              const logs = [root, root, root]
              steps.forEach((made, at) => {
                runStep(logs, recurring, made, at, seal)
              })
            },
            given,
            size
          )
        }
      ),
      { numRuns: 1_000 }
    )
  })
})
