import { AsyncLocalStorage } from 'node:async_hooks'
import fs from 'node:fs'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { logger } from '../../../lib/pino/logger'
import { destination, symbols } from '../../../lib/pino/public'
import { tempLog } from '../../support/temp'

interface Log {
  info(...args: unknown[]): void
  error(...args: unknown[]): void
  child(bindings: object, options?: object): Log
  setBindings(bindings: object): void
  level: string
}

type Symbols = Record<keyof typeof symbols, symbol>
type Use = (log: Log, symbols: Symbols) => void

const options = { base: null, timestamp: false }

function byPino(use: Use): string {
  const lines: string[] = []
  use(pino(options, { write: line => lines.push(line) }) as unknown as Log, pino.symbols as unknown as Symbols)
  return lines.join('')
}

const kinds: [string, (use: Use) => string][] = [
  [
    'text',
    use => {
      const lines: string[] = []
      use(logger(options, { write: line => lines.push(line) }) as unknown as Log, symbols)
      return lines.join('')
    }
  ],
  [
    'records',
    use => {
      const file = tempLog()
      const stream = destination({ dest: file, format: 'ndjson', crashSafe: false, bufferSize: 1 << 20, numShards: 1 })
      use(logger(options, stream) as unknown as Log, symbols)
      stream.closeSync()
      return fs.readFileSync(file, 'utf8')
    }
  ]
]

/** A logger that answers `value` when it is asked for `key`, as tools make them. */
function answering(log: Log, key: PropertyKey, value: unknown): Log {
  return new Proxy(log, { get: (target, name) => (name === key ? value : Reflect.get(target, name)) })
}

const answers: [keyof typeof symbols, unknown][] = [
  ['asJsonSym', () => 'made\n'],
  ['chindingsSym', ',"b":2'],
  ['endSym', ',"end":1}\n'],
  ['errorKeySym', 'error'],
  ['formattersSym', { level: () => ({}), bindings: (bindings: object) => bindings, log: () => ({ formatted: 1 }) }],
  ['hooksSym', { streamWrite: (line: string) => line.toUpperCase() }],
  ['lsCacheSym', { 30: '{"level":"info"', 50: '{"level":"error"' }],
  ['messageKeySym', 'message'],
  ['mixinSym', () => ({ mixed: 1 })],
  ['msgPrefixSym', 'p '],
  ['serializersSym', { a: () => 'shaped' }],
  ['stringifySym', () => '"text"'],
  ['timeSym', () => ',"time":5']
]

describe.each(kinds)('a logger behind a proxy writes the lines of pino, by %s,', (_kind, written) => {
  it.each(answers)('that answers for %s', (name, value) => {
    const use: Use = (log, names) => {
      for (let i = 0; i < 3; i++) log.info({ a: { b: 1 } }, 'before')
      const proxied = answering(log, names[name], value)
      proxied.info({ a: { b: 1 } }, 'm')
      proxied.info('m %s', 'more')
      proxied.error(Object.assign(new Error('failed'), { stack: 'stack' }))
      // Bindings of a proxy that always answers for them go to no child in pino.
      if (name !== 'chindingsSym') {
        const child = proxied.child({ c: 1 })
        child.info({ a: { b: 1 } }, 'm')
        const grandchild = child.child({ d: 1 })
        grandchild.setBindings({ e: 1 })
        for (let i = 0; i < 2; i++) grandchild.info('m')
      }
      log.info({ a: { b: 1 } }, 'after')
    }
    expect(written(use)).toBe(byPino(use))
  })

  it.each(answers)('that answers for %s of another copy of pino', (name, value) => {
    const use: Use = log => {
      const symbol = (pino.symbols as unknown as Symbols)[name]
      Reflect.get(log, symbol)
      answering(log, symbol, value).info({ a: { b: 1 } }, 'm')
      log.info({ a: { b: 1 } }, 'after')
    }
    expect(written(use)).toBe(byPino(use))
  })

  it('that adds to the bindings', () => {
    const use: Use = (log, { chindingsSym }) => {
      const bound = log.child({ b: 'base' })
      const proxied = new Proxy(bound, {
        get(target, key, receiver) {
          const value = Reflect.get(target, key, receiver) as string
          return key === chindingsSym ? `${value.slice(0)},"tenant":"a"` : value
        }
      })
      proxied.info('m')
      const child = proxied.child({ c: 'd' })
      for (let i = 0; i < 2; i++) child.info('m')
      bound.info('m')
    }
    expect(written(use)).toBe(byPino(use))
  })

  it.each([null, undefined, 5, ',"b":2'])('that stands before bindings which somebody has replaced by %j', value => {
    const use: Use = (log, { chindingsSym }) => {
      const child = log.child({ c: 1 })
      Reflect.set(child, chindingsSym, value)
      child.info('m')
      new Proxy(child, {}).info('m')
      child.child({ d: 'e' }).info('m')
    }
    expect(written(use)).toBe(byPino(use))
  })

  it('whose children have the same serializers, one of which is changed for one of them', () => {
    const use: Use = (log, { serializersSym }) => {
      const serializers = { a: () => 'shaped' }
      const children = [1, 2, 3].map(id => log.child({ id }, { serializers: { ...serializers } }))
      for (const child of children) child.info({ a: 1 }, 'before')
      const table = (children[1] as unknown as Record<symbol, Record<string, unknown>>)[serializersSym]!
      table.a = () => 'changed'
      table.b = () => 'added'
      for (const child of [...children, log.child({ id: 4 }, { serializers })]) child.info({ a: 1, b: 2 }, 'after')
    }
    expect(written(use)).toBe(byPino(use))
  })

  it('that stands for another logger in each request', () => {
    const use: Use = base => {
      const requests = new AsyncLocalStorage<Log>()
      const log = new Proxy(base, {
        get: (target, name, receiver) => Reflect.get(requests.getStore() ?? target, name, receiver)
      })
      const inside = (id: number, childOptions?: object) =>
        requests.run(base.child({ id }, childOptions), () => {
          for (let i = 0; i < 2; i++) log.info('text')
          for (let i = 0; i < 2; i++) log.info({ a: i }, 'fields')
          for (let i = 0; i < 2; i++) log.child({ part: 1 }).info('a child')
        })
      for (let i = 0; i < 2; i++) log.info('outside')
      inside(1)
      inside(2)
      inside(3, { serializers: { a: () => 'shaped' } })
      inside(4, { msgPrefix: 'p ' })
      log.info('outside')
      base.info('itself')
    }
    expect(written(use)).toBe(byPino(use))
  })

  it('and only what is logged by the proxy is its own', () => {
    const use: Use = (log, names) => {
      const proxied = answering(log, names.mixinSym, () => ({ mixed: 1 }))
      for (let i = 0; i < 3; i++) {
        proxied.info('by the proxy')
        log.info('by the logger')
        log.child({ i }).info('by its child')
      }
      proxied.setBindings({ set: 1 })
      proxied.info('by the proxy')
      log.info('by the logger')
    }
    expect(written(use)).toBe(byPino(use))
  })
})
