import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import fc from '../../support/random'
import { linesOf } from './lines'

type Log = ReturnType<typeof logger>
type Child = Parameters<Log['child']>[1]

function textOf(make: unknown, options: object, use: (log: Log) => void): string[] {
  const lines: string[] = []
  const plain = { base: null, timestamp: false }
  const all = Object.assign(Object.create(Object.getPrototypeOf(options) as object), plain, options) as object
  use((make as (options: object, stream: object) => Log)(all, { write: (line: string) => lines.push(line) }))
  return lines
}

/** What both say, or that pino throws. */
function expectAsPino(options: object, use: (log: Log) => void): void {
  let expected: string[]
  try {
    expected = textOf(pino, options, use)
  } catch {
    return
  }
  expect(textOf(logger, options, use)).toEqual(expected)
}

const failure = new RangeError('x')
const inherited = <T extends object>(value: T): T => Object.create(value) as T
class Serializers {
  user(user: { id: number }): number {
    return user.id
  }
}
/** As Fastify hands the serializers of a plugin on to those within it. */
const user = { id: 1, password: 'secret' }

describe('inherited properties count where they do in pino', () => {
  it.each([
    [
      'serializers of a child',
      (log: Log) => log.child({}, { serializers: inherited({ user: () => 'hidden' }) }).info({ user })
    ],
    [
      'those of a child of a child',
      (log: Log) =>
        log
          .child({}, { serializers: inherited(inherited({ user: () => 'hidden' })) })
          .child({ user }, { serializers: inherited({ a: () => 1 }) })
          .child({ user })
          .info({ user, a: 2 })
    ],
    [
      'symbols among them',
      (log: Log) =>
        log
          .child({}, { serializers: Object.defineProperty({}, Symbol.for('any'), { value: () => 1 }) as never })
          .child({}, { serializers: { user: () => 'hidden' } })
          .info({ user })
    ],
    [
      'options of a child',
      (log: Log) => log.child({}, inherited({ msgPrefix: '> ', serializers: { user: () => 1 } })).info({ user }, 'a')
    ],
    [
      'formatters of a child that are not its own',
      (log: Log) => log.child({ a: 1 }, inherited({ formatters: { bindings: () => ({ b: 2 }) } })).info('a')
    ],
    [
      'formatters of an object that is its own',
      (log: Log) => log.child({ a: 1 }, { formatters: inherited({ bindings: () => ({ b: 2 }) }) }).info('a')
    ],
    [
      'a redaction',
      (log: Log) => log.child({ user }, { redact: inherited({ paths: ['user.password'] }) }).info({ user })
    ],
    ['a level that is empty', (log: Log) => log.child({}, { level: '' }).info('a')],
    ['bindings', (log: Log) => log.child(inherited({ a: 1 })).info('a')],
    [
      'set bindings',
      (log: Log) => {
        log.setBindings(inherited({ a: 1 }))
        log.setBindings({ b: 2 })
        log.info('a')
      }
    ]
  ])('%s', (_name, use) => {
    expectAsPino({}, use)
  })

  it('and hide what they hide', () => {
    const lines = linesOf({}, log => {
      log.child({}, { serializers: new Serializers() as never }).info({ user: { id: 1 } })
      log
        .child({}, { serializers: inherited({ user: () => 'hidden' }) as never })
        .child({ user })
        .info('text')
      const child = log.child({}, { serializers: inherited({ user: () => 'hidden' }) as never })
      child.setBindings({ user })
      child.info({ user })
    })
    expect(JSON.stringify(lines)).not.toContain('secret')
  })

  it.each([
    ['serializers', { serializers: inherited({ user: () => 'hidden' }) }],
    ['formatters', { formatters: inherited({ log: () => ({}) }) }],
    ['options', inherited({ serializers: { user: () => 'hidden' }, nestedKey: 'n', useOnlyCustomLevels: true })],
    ['a redaction', { redact: inherited({ paths: ['user.password'] }) }],
    ['hooks', { hooks: inherited({ streamWrite: (line: string) => line.toUpperCase() }) }],
    ['custom levels', { customLevels: inherited({ loud: 45 }) }]
  ])("or do not: a logger's %s", (_name, options) => {
    expectAsPino(options, log => {
      log.info({ user }, 'a')
      log.child({ user }).info({ user }, 'a')
    })
  })

  it('for any options of a child', () => {
    const serializers = fc.constantFrom(
      undefined,
      {},
      { user: () => 'own' },
      inherited({ user: () => 'hidden', b: undefined }),
      inherited(inherited({ a: (a: unknown) => [a] })),
      Object.assign(inherited({ a: () => 1 }), { err: undefined, b: (b: unknown) => ({ was: b }) })
    )
    const options = fc.record(
      {
        serializers,
        redact: fc.constantFrom(undefined, null, [], ['user.password'], inherited({ paths: ['a'] }), {
          paths: ['b'],
          remove: true
        }),
        msgPrefix: fc.constantFrom(undefined, 'p ', 5),
        level: fc.constantFrom(undefined, null, '', 'debug', 20),
        formatters: fc.constantFrom(undefined, {}, inherited({ log: (o: object) => ({ ...o, f: 1 }) })),
        customLevels: fc.constantFrom(undefined, {}, { loud: 45 }, inherited({ loud: 45 }))
      },
      { requiredKeys: [] }
    )
    const given = fc.tuple(options, fc.boolean()).map(([all, inherits]) => (inherits ? inherited(all) : all))
    const bindings = fc.constantFrom(
      {},
      { user },
      inherited({ user }),
      Object.assign(inherited({ a: 1 }), { b: 2 }),
      'ab'
    )
    fc.assert(
      fc.property(given, given, bindings, bindings, (first, second, bound, more) => {
        expectAsPino({}, log => {
          const child = log.child(bound as object, first as Child).child(more as object, second as Child)
          child.info({ user, a: 1, b: 2, err: failure }, 'text')
          child.setBindings(bound as object)
          child.error('text')
        })
      }),
      { numRuns: 1_000 }
    )
  })
})

describe('options that are undefined are not given', () => {
  it('whichever they are', () => {
    const names = [
      'messageKey',
      'errorKey',
      'nestedKey',
      'level',
      'levelComparison',
      'formatters',
      'hooks',
      'serializers',
      'redact'
    ]
    const more = [
      'customLevels',
      'mixin',
      'timestamp',
      'crlf',
      'depthLimit',
      'edgeLimit',
      'onChild',
      'name',
      'transport',
      'pretty'
    ]
    const options = Object.fromEntries([...names, ...more].map(name => [name, undefined]))
    const lines: string[] = []
    const log = logger({ base: null, ...options }, { write: line => lines.push(line) })
    log.info({ orderId: 7, a: { b: { c: 1n } } }, 'paid')
    log
      .child({}, { level: undefined, serializers: undefined, formatters: undefined, customLevels: undefined } as never)
      .info('of a child')
    expect(lines.map(line => line.replace(/"time":\d{13}/, '"time":0'))).toEqual([
      '{"level":30,"time":0,"orderId":7,"a":{"b":{"c":1}},"msg":"paid"}\n',
      '{"level":30,"time":0,"msg":"of a child"}\n'
    ])
  })

  it('but for the base, which says that there is none, as in pino', () => {
    expectAsPino({ base: undefined }, log => log.info('text'))
    expectAsPino({ base: undefined, name: 'web' }, log => log.info('text'))
  })
})

describe('the names of levels', () => {
  it('are taken as they are, but for standard ones', () => {
    for (const options of [
      { customLevels: { infoCustom: 25 }, level: 'infoCustom' },
      { customLevels: { infoCustom: 25 }, level: 'infocustom' },
      { level: 'INFO' },
      { customLevels: { Loud: 45 }, useOnlyCustomLevels: true, level: 'Loud' },
      { customLevels: { Info: 45 }, level: 'Info' }
    ]) {
      expectAsPino(options, log => {
        for (const name of ['infoCustom', 'info', 'Loud', 'debug']) {
          ;(log as unknown as Record<string, ((text: string) => void) | undefined>)[name]?.('text')
        }
      })
    }
    const lines = linesOf({ customLevels: { INFO: 5 }, useOnlyCustomLevels: true, level: 'INFO' } as object, log =>
      (log as unknown as { INFO(text: string): void }).INFO('text')
    )
    expect(lines).toEqual([{ level: 5, msg: 'text' }])
  })
})
