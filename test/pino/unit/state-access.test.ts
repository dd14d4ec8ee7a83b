import fs from 'node:fs'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import { destination, symbols } from '../../../lib/pino/public'
import { tempLog } from '../../support/temp'

type Log = ReturnType<typeof logger> & { [symbol: symbol]: unknown }

/** The lines of a logger to a stream, and of one that records: both have to heed the same. */
const kinds = [
  [
    'text',
    (use: (log: Log) => void) => {
      const lines: string[] = []
      use(logger({ base: null, timestamp: false }, { write: line => lines.push(line) }) as unknown as Log)
      return lines.join('')
    }
  ],
  [
    'records',
    (use: (log: Log) => void) => {
      const file = tempLog()
      const stream = destination({ dest: file, format: 'ndjson', crashSafe: false, bufferSize: 1 << 20, numShards: 1 })
      use(logger({ base: null, timestamp: false }, stream) as unknown as Log)
      stream.closeSync()
      return fs.readFileSync(file, 'utf8')
    }
  ]
] as const

type Written = (typeof kinds)[number][1]
type Put = (log: object, symbol: symbol, value: unknown) => void

const ways: [string, Put][] = [
  ['assigned', (log, symbol, value) => Reflect.set(log, symbol, value)],
  [
    'defined',
    (log, symbol, value) =>
      Object.defineProperty(log, symbol, { value, configurable: true, enumerable: true, writable: true })
  ],
  ['defined for good', (log, symbol, value) => Object.defineProperty(log, symbol, { value })]
]
/** From then on no logger of the process has a fast path, so that it comes last here. */
const byGetter: typeof ways = [
  ['defined by a getter', (log, symbol, value) => Object.defineProperty(log, symbol, { get: () => value })]
]

const state: [keyof typeof symbols, unknown, string][] = [
  ['mixinSym', () => ({ mixed: 1 }), '{"level":30,"mixed":1,"a":1,"msg":"m"}\n'],
  ['messageKeySym', 'message', '{"level":30,"a":1,"message":"m"}\n'],
  ['serializersSym', { a: () => 'shaped' }, '{"level":30,"a":"shaped","msg":"m"}\n'],
  ['formattersSym', { log: () => ({ b: 2 }), bindings: (b: object) => b }, '{"level":30,"b":2,"msg":"m"}\n'],
  ['hooksSym', { streamWrite: (line: string) => line.toUpperCase() }, '{"LEVEL":30,"A":1,"MSG":"M"}\n'],
  ['asJsonSym', () => 'made\n', 'made\n'],
  ['chindingsSym', ',"b":2', '{"level":30,"b":2,"a":1,"msg":"m"}\n'],
  ['msgPrefixSym', 'p ', '{"level":30,"a":1,"msg":"p m"}\n'],
  ['nestedKeySym', 'n', '{"level":30,"n":{"a":1},"msg":"m"}\n'],
  ['endSym', '}\r\n', '{"level":30,"a":1,"msg":"m"}\r\n'],
  ['timeSym', () => ',"time":5', '{"level":30,"time":5,"a":1,"msg":"m"}\n'],
  ['lsCacheSym', { 30: '{"level":"info"' }, '{"level":"info","a":1,"msg":"m"}\n'],
  [
    'stringifiersSym',
    Object.assign(Object.create(null), { a: () => '"hidden"' }),
    '{"level":30,"a":"hidden","msg":"m"}\n'
  ]
]

afterEach(() => {
  vi.restoreAllMocks()
})

/** What those outside put in the place of a logger's state. */
function itIsHeeded(written: Written, put: Put): void {
  it.each(state)('%s', (name, value, line) => {
    const before = '{"level":30,"a":1,"msg":"m"}\n'
    const text = written(log => {
      for (let i = 0; i < 3; i++) log.info({ a: 1 }, 'm')
      put(log, symbols[name], value)
      log.info({ a: 1 }, 'm')
      log.child({}).info({ a: 1 }, 'm')
    })
    // A child begins with the formatters of its parent; the rest it inherits.
    expect(text).toBe(before.repeat(3) + line + line)
  })

  it('bindings, of a logger and of its children', () => {
    const text = written(log => {
      const older = log.child({ o: 1 })
      older.info('m')
      put(log, symbols.chindingsSym, ',"b":2')
      older.info('m')
      const child = log.child({ c: '"' })
      for (let i = 0; i < 2; i++) child.info('m')
      // What is there for good, its children have too.
      const told = Object.hasOwn(log, symbols.chindingsSym) ? ',"b":2' : ',"b":2,"c":"\\""'
      expect((child as unknown as Record<symbol, unknown>)[symbols.chindingsSym]).toBe(told)
      child.setBindings({ d: 1 })
      child.child({ e: 'e' }).info('m')
      expect(child.bindings()).toEqual({ b: 2, c: '"', d: 1 })
      put(child, symbols.chindingsSym, '')
      child.info('m')
      log.info('m')
    })
    expect(text.split('\n').map(line => line.replace('{"level":30,', '').replace('"msg":"m"}', ''))).toEqual([
      '"o":1,',
      '"o":1,',
      '"b":2,"c":"\\"",',
      '"b":2,"c":"\\"",',
      '"b":2,"c":"\\"","d":1,"e":"e",',
      '',
      '"b":2,',
      ''
    ])
  })

  it('of a child, by it alone', () => {
    const text = written(log => {
      const child = log.child({ c: 1 })
      child.info('m')
      put(child, symbols.messageKeySym, 'text')
      child.info('m')
      log.info('m')
    })
    expect(text).toBe('{"level":30,"c":1,"msg":"m"}\n{"level":30,"c":1,"text":"m"}\n{"level":30,"msg":"m"}\n')
  })
}

describe.each(kinds)('state under the symbols of pino is heeded, by %s,', (_kind, written) => {
  describe.each(ways)('%s', (_way, put) => itIsHeeded(written, put))

  it('changed within its tables', () => {
    const text = written(log => {
      log.info({ a: 1, b: 2 })
      const serializers = log[symbols.serializersSym] as Record<string, unknown>
      serializers.a = () => 'shaped'
      log.info({ a: 1, b: 2 })
      delete serializers.a
      ;(log[symbols.stringifiersSym] as Record<string, unknown>).b = () => '"hidden"'
      log.info({ a: 1, b: 2 })
      ;(log[symbols.hooksSym] as Record<string, unknown>).streamWrite = () => 'hooked\n'
      log.info({ a: 1, b: 2 })
    })
    expect(text).toBe(
      '{"level":30,"a":1,"b":2}\n{"level":30,"a":"shaped","b":2}\n{"level":30,"a":1,"b":"hidden"}\nhooked\n'
    )
  })

  it('that goes by way of another copy of pino', () => {
    vi.resetModules()
    const theirs = {
      mixin: Symbol('pino.mixin'),
      stringify: Symbol('pino.stringify'),
      chindings: Symbol('pino.chindings')
    }
    const text = written(log => {
      const child = log.child({ c: 1 })
      expect(
        ((child as unknown as Record<symbol, unknown>)[theirs.stringify] as (value: unknown) => string)({ a: 1 })
      ).toBe('{"a":1}')
      expect((child as unknown as Record<symbol, unknown>)[theirs.chindings]).toBe(',"c":1')
      child.info('m')
      log[theirs.mixin] = () => ({ mixed: 1 })
      child.info('m')
      Object.defineProperty(child, theirs.chindings, { value: ',"d":2' })
      child.info('m')
    })
    expect(text).toBe(
      '{"level":30,"c":1,"msg":"m"}\n{"level":30,"c":1,"mixed":1,"msg":"m"}\n{"level":30,"d":2,"mixed":1,"msg":"m"}\n'
    )
  })
})

describe('a logger', () => {
  it('is an event emitter, and knows no symbols but those of pino', () => {
    const log = logger({}, { write: () => true }) as unknown as Log
    const levels: unknown[] = []
    log.on('level-change', level => levels.push(level))
    log.level = 'debug'
    log.child({}).level = 'warn'
    expect(levels).toEqual(['debug', 'warn'])
    expect(log[Symbol('pino.else')]).toBeUndefined()
    expect(log[Symbol('mixin')]).toBeUndefined()
    log[Symbol.for('own')] = 1
    expect(log[Symbol.for('own')]).toBe(1)
  })

  it('has the symbols that pino has', async () => {
    const { default: pino } = await import('pino')
    for (const [name, symbol] of Object.entries(pino.symbols)) {
      expect([name, symbols[name as keyof typeof symbols]?.description]).toEqual([name, (symbol as symbol).description])
    }
  })
})

describe.each(kinds)('state that is computed is heeded, by %s,', (_kind, written) => {
  describe.each(byGetter)('%s', (_way, put) => itIsHeeded(written, put))

  it('whose answer is another for each line', () => {
    const text = written(log => {
      let request = 0
      Object.defineProperty(log, symbols.chindingsSym, { get: () => `,"request":${request}` })
      const child = log.child({})
      for (request = 1; request < 4; request++) {
        log.info('m')
        log.info({ a: 1 }, 'm')
      }
      child.info('m')
    })
    const lines = [1, 2, 3].flatMap(n => [`"request":${n},"msg":"m"`, `"request":${n},"a":1,"msg":"m"`])
    expect(text).toBe([...lines, '"request":0,"msg":"m"'].map(line => `{"level":30,${line}}\n`).join(''))
  })
})
