import fs from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { engines } from '../../support/engines'
import { shardlog } from '../../support/shardlog'
import { tempDir } from '../../support/temp'

interface Log {
  info(...args: unknown[]): void
  warn(...args: unknown[]): void
  error(...args: unknown[]): void
  child(bindings: object, options?: object): Log
  setBindings(bindings: object): void
}

const CHILDREN = 300

class Uncommon {
  constructor(readonly id: number) {}
  toJSON(key: string): object {
    return { key, id: this.id }
  }
}

/** As serializers make them: the prototype has the same keys, one of which is hidden. */
const ofRequests = Object.create({}, { method: { enumerable: true, writable: true, value: '' }, raw: { get: () => 1 } })

/** What the child of a request is bound to; some of them lie past each bound. */
const bound: ((n: number) => unknown)[] = [
  n => ({ method: 'GET', url: `/items/${n}`, headers: { host: '127.0.0.1', 'user-agent': 'é "quoted" \\' } }),
  n => Object.assign(Object.create(ofRequests), { method: 'PUT', url: `/${n}`, query: {}, params: [n] }),
  n => Object.assign(Object.create(null), { n, headers: Object.assign(Object.create(null), { host: 'a' }) }),
  n => ({ body: 'x'.repeat(n % 2 === 0 ? 4_070 : 5_000) }),
  n => ({ body: 'é'.repeat(1_000 + n) }),
  n => [n, 'a', null],
  n => n / 2,
  () => null,
  () => true,
  () => '\ud800 alone, and "quoted"',
  n => `req-${n.toString(36)}`,
  n => ['', '"', '\\', '\n', '\u0001', 'é', '\u2028', '\udfff'][n % 8],
  n => `${n} is longer than what is read here${['', '"', 'é', '\ud800'][n % 4]}`.slice(n % 24),
  n => 'x'.repeat(20 + n),
  n => ({ alone: `\udc00${n}` }),
  n => new Date(n),
  n => new Uncommon(n),
  n => BigInt(n),
  () => ({}),
  () => ({ inner: { self: undefined, list: [undefined, () => 1] } })
]

class Member {
  #hidden = 1
  name = 'anna'
  since = new Date(5)
  get secret(): number {
    return this.#hidden
  }
}
class Price extends Number {
  currency = 'EUR'
}
const around = (): object => {
  const all: Record<string, unknown> = { a: 1 }
  all.around = { all }
  return all
}
const deep = (levels: number): object => (levels === 0 ? { end: 1 } : { at: levels, in: deep(levels - 1) })
const named = (count: number, from = 0): object =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`x-${from + i}`, i % 3 === 0 ? i : `value ${i}`]))

/** Objects with more to them, of which the same kinds come again and again. */
const objects: ((n: number) => unknown)[] = [
  n => ({ method: 'GET', url: `/${n}`, query: {}, params: {}, headers: named(3 + (n % 5), n % 40), port: 40_000 + n }),
  () => new Member(),
  n => ({
    who: new Member(),
    price: new Price(n),
    boxed: [Object('x'), Object(n), Object(false)],
    deep: { p: new Price(n) }
  }),
  n => deep(n % 16),
  n => named(60 + (n % 8)),
  around,
  n => ({ id: n, doc: { _id: { toJSON: (key: string) => `${key} ${n}` } } }),
  n => ({
    id: n,
    get late(): number {
      return n
    }
  }),
  n => JSON.parse(`{"__proto__":{"n":${n}},"a\\"b":"\u2028","":{"":"\ud800"},"1":1,"0":0}`),
  n => ({
    list: [n, 'a', { b: [n] }],
    when: new Date(n),
    never: new Date(Number.NaN),
    none: [],
    map: new Map([[1, 2]])
  }),
  n => ({ u: undefined, f: () => n, s: Symbol('s'), nan: Number.NaN, zero: -0, big: 1e21, in: { u: undefined } }),
  n => ({ big: BigInt(n), a: 1 }),
  n => ({ agent: `Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML) number ${n}`, é: 'é'.repeat(n % 90) }),
  n => ({ [`key${n}`]: n, in: { [`${n}`]: { deep: n } } }),
  n => new Proxy({ a: n, b: { c: 1 } }, {}),
  n => Object.assign(new Error(`e ${n}`), { stack: 'stack', code: 'E' })
]

/** A service whose children are bound to objects, and overlap; some log once, some often. */
function serveObjects(log: Log): void {
  for (let n = 0; n < 2 * CHILDREN; n++) {
    const make = objects[Math.floor(n / 5) % objects.length]!
    const changed = make(n)
    const one = log.child({ req: changed, n })
    const other = log.child({ tenant: { id: n, plan: 'free' }, req: objects[0]!(n) })
    if (n % 2 === 0 && typeof changed === 'object') Object.assign(changed as object, { method: 'changed' })
    one.info({ a: undefined, b: n }, 'done')
    one.info({ req: { again: n } })
    other.warn('of another')
    other.child({ step: { at: n } }).info({ tenant: 'own' }, 'of a grandchild')
    for (let line = n % 21; line > 17; line--) one.info({ line }, 'a line')
    if (n % 7 === 0) {
      other.setBindings({ user: { id: n } })
      other.info('bound anew')
    }
    if (n % 9 === 0) one.info({ bindings: JSON.stringify((one as unknown as { bindings(): object }).bindings()) })
    if (n % 13 === 0) log.child({ req: objects[0]!(n) }, { msgPrefix: 'p ' }).info('of %s', n)
  }
}

/** Requests as a service logs them: a child for each, with some lines. */
function serve(log: Log): void {
  for (let n = 0; n < CHILDREN; n++) {
    // Several in a row have the same kind, as those of a service have.
    const kind = bound[Math.floor(n / 4) % bound.length]!
    const child = log.child({ req: kind(n) })
    for (let line = n % 19; line > 0; line--) child.info({ line }, 'a line')
    if (n % 3 === 0) {
      const logs = {
        get inner() {
          child.info('from within')
          return { n }
        }
      }
      child.info(logs, 'logs meanwhile')
    }
    if (n % 5 === 0) {
      const grandchild = child.child({ a: n })
      grandchild.info('of a grandchild')
      grandchild.child({ req: { again: true } }).info({ req: { and: 'again' } }, 'the same key')
    }
    if (n % 7 === 0) {
      child.setBindings({ b: n })
      child.info({ b: 'field' }, 'bound anew')
    }
    if (n % 11 === 0) child.child({ req: kind(n + 1), a: 1 }).info('two bindings')
    child.info(new Error(`error ${n}`).message)
  }
}

/** Bindings of several keys, some of which are data, or have a place of their own in the line. */
const several: ((n: number) => object)[] = [
  n => ({ reqId: `req-${n}`, user: n % 2 === 0 ? 'anna' : 'ünal "u" \ud800' }),
  n => ({ user: 'ben', reqId: `req-${n}` }),
  n => ({ reqId: n, ok: n % 3 === 0, none: null, gone: undefined, ratio: n / 3, far: -1e21, zero: -0 }),
  n => ({ 'a"b': 'x', 'new\nline': n, '': 'empty', ',"reqId":,"user"': 1 }),
  n => ({ id: 'x'.repeat(n), trace: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', span: { n } }),
  n => ({ [`key${n}`]: n, fixed: 'data beside it' }),
  n => Object.fromEntries(Array.from({ length: 5 + (n % 6) }, (_, i) => [`k${i}`, i % 2 === 0 ? i : `${i}`])),
  () => ({ msg: 'bound', time: 5, level: 'warn', pid: 1 }),
  n => ({ when: new Date(n), list: [n], nan: Number.NaN, fn: () => n, text: '\u2028\n' })
]

/** A service whose children have several bindings. */
function serveSeveral(log: Log): void {
  for (let n = 0; n < CHILDREN; n++) {
    const make = several[Math.floor(n / 3) % several.length]!
    const child = log.child(make(n))
    for (let line = n % 19; line > 0; line--) child.info({ line, user: 'own' }, 'a line')
    child.info('text')
    if (n % 4 === 0) child.child(make(n + 1)).info({ a: { b: n } }, 'of a grandchild')
    if (n % 5 === 0) {
      child.setBindings({ reqId: 'anew', more: n })
      child.info('bound anew')
    }
  }
}

/** A service whose requests overlap: children log when others have been made, at several levels. */
function serveTogether(log: Log): void {
  for (let n = 0; n < CHILDREN; n += 10) {
    const children = Array.from({ length: 10 }, (_, i) => log.child({ reqId: `req-${n + i}` }))
    for (let line = 0; line < n % 17; line++) {
      for (const [i, child] of children.entries()) {
        child.info({ line }, 'a line')
        if (i % 2 === 0) child.warn('a warning')
        if (i % 3 === 0) child.setBindings(line % 2 === 0 ? { [`b${line}`]: i } : {})
        if (i % 4 === 0) Object.create(child).info('through an heir')
        if (i % 5 === 0) new Proxy(child, {}).error({ i }, 'through a proxy')
      }
    }
    if (n % 50 === 0) log.setBindings({ since: n })
    for (const child of children) child.child({ last: true }).info('and of a grandchild')
    for (const child of children) child.child({}).warn('of one without bindings')
  }
}

const options = {
  'no options': {},
  serializers: { serializers: { req: (value: unknown) => ({ was: value }) } },
  redaction: { redact: ['req.headers.host', 'req.body'] },
  'a nested key': { nestedKey: 'payload', base: null },
  'formatters of bindings': { formatters: { bindings: (bindings: object) => ({ ...bindings, added: 1 }) } }
}

/** Seals its segments often, so that children's lines meet all of their places in one. */
const small = { bufferSize: 1 << 17, numShards: 1 }

describe.each(engines)('children bound to requests and the like print what pino prints, with the %s engine', engine => {
  it.each(Object.entries(options))('%s', (_name, given) => {
    const timed = { ...given, timestamp: () => ',"time":0' }
    const lines: string[] = []
    const theirs = pino(timed, { write: line => void lines.push(line) }) as unknown as Log
    serve(theirs)
    serveSeveral(theirs)
    serveTogether(theirs)
    serveObjects(theirs)
    const expected = Buffer.from(lines.join('')).toString()
    for (const sizes of [{}, small]) {
      const dest = path.join(tempDir(), 'app.log')
      const destination = shardlog.destination({
        dest,
        format: 'ndjson',
        dsync: false,
        onFull: 'block',
        engine,
        ...sizes
      })
      const ours = shardlog(timed, destination) as unknown as Log
      serve(ours)
      serveSeveral(ours)
      serveTogether(ours)
      serveObjects(ours)
      destination.closeSync()
      expect(fs.readFileSync(dest, 'utf8').split('\n')).toEqual(expected.split('\n'))
    }
  })
})

/** Programs whose user code runs between the call and the record, or whose prefix takes values. */
const programs: [string, object, (log: Log, symbols: Record<string, symbol>) => void][] = [
  [
    'a mixin that binds',
    {
      msgPrefix: 'p ',
      mixin(_fields: object, _level: number, log: Log & { calls?: number }) {
        log.calls = (log.calls ?? 0) + 1
        log.setBindings({ calls: log.calls })
        return {}
      }
    },
    log => {
      for (let i = 0; i < 3; i++) log.info('x')
      log.info({ a: 1 }, '%s', 'y')
    }
  ],
  [
    'a getter that binds',
    { msgPrefix: 'p ' },
    log => {
      const child = log.child({ c: 1 })
      for (const by of [log, child]) {
        by.info('before')
        by.info({
          get err() {
            by.setBindings({ k: 1 })
            return { message: 'M' }
          }
        })
        by.info({ a: 1 }, 'after')
      }
    }
  ],
  [
    'parents that are frozen once they have children',
    {},
    log => {
      log.info('first')
      const parent = log.child({ p: 1 })
      const child = parent.child({ c: 1 })
      const other = parent.child({ d: 1 }, { serializers: { a: (value: unknown) => ({ was: value }) } })
      Object.freeze(parent)
      for (let i = 0; i < 3; i++) {
        child.info('m %s', undefined)
        child.info('m %s', 'x')
        other.info({ a: i }, 'shaped')
        parent.info('frozen')
      }
      Object.freeze(log)
      for (let i = 0; i < 3; i++) for (const by of [log, parent, child, other]) by.warn({ a: i }, 'all of them %s', i)
    }
  ],
  [
    'chains of children that do not log',
    {},
    log => {
      let last = log
      for (let i = 0; i < 4_000; i++) last = last.child(i % 1_000 === 0 ? { i } : {})
      last.info('of the last one')
      for (let i = 0; i < 3; i++)
        last.child({ c: i }, { serializers: { a: String } } as object).info({ a: [1] }, 'of its child')
      const middle = log.child({ m: 1 }, { msgPrefix: 'm ' } as object)
      for (let i = 0; i < 5; i++) middle.child({ n: i }).child({ o: i }).info('%s of %d', i, 5)
      middle.info('and its own')
    }
  ],
  [
    'sixty-five thousand values',
    {},
    log => {
      log.info('first')
      log.info('of %s', ...new Array<string>(50_000).fill('many'))
    }
  ],
  [
    'state of a child that is assigned before it logs',
    {},
    (log, symbols) => {
      const child = log.child({ c: 1 })
      const assigned = child as unknown as Record<symbol, unknown>
      assigned[symbols.nestedKeySym as symbol] = 'n'
      const nestedStart = symbols.nestedKeyStrSym as symbol | undefined
      if (nestedStart) assigned[nestedStart] = ',"n":{'
      for (let i = 0; i < 3; i++) log.info('of the parent')
      for (let i = 0; i < 3; i++) child.info({ a: i }, 'nested')
      child.child({ g: 1 }).info({ a: 1 }, 'of a grandchild')
    }
  ],
  [
    'objects that have to be asked for their JSON, once',
    {},
    log => {
      let asked = 0
      const made = { x: 1, toJSON: () => 5 }
      const counts = { toJSON: (key: string) => `${key} ${++asked}` }
      const called = Object.assign(() => 1, { toJSON: () => 'a function' })
      for (let i = 0; i < 8; i++) {
        log.info('between')
        const read = {
          get logs() {
            log.info('from within')
            return ++asked
          },
          bytes: new Uint8Array(2),
          counts
        }
        log.child({ req: read }).info('a')
        log.child({ req: { list: [counts], big: 'x'.repeat(5_000) } }).info('b')
        log
          .child({ req: { made: { toJSON: () => made }, none: { toJSON() {} }, called, counts, in: { counts } } })
          .info('c')
        log.child({ req: Object.fromEntries(Array.from({ length: 100 * i }, (_, n) => [`k${n}`, n])) }).info('d')
        log.info({ req: { called }, list: [{ called }] }, 'e')
      }
    }
  ],
  [
    'many sets of keys, some of which come again',
    {},
    log => {
      for (let i = 0; i < 4_000; i++) {
        const of = i % 3 === 0 ? i : i % 7
        const req = { id: i, headers: { host: 'a', [`x-${of}`]: 'y', [`z-${i % 150}`]: `${i}` } }
        const child = log.child(i % 2 === 0 ? { req, user: { id: i, [`k${i % 9}`]: 1 } } : { id: `r${i}`, req })
        if (i % 5 === 0) child.warn({ a: i }, 'warned')
        child.info('done')
      }
    }
  ],
  [
    'heirs of a logger that gets other bindings, and children that are made meanwhile',
    {},
    log => {
      const heir = Object.create(log) as Log
      const child = log.child({ c: 1 })
      const heirOfChild = Object.create(child) as Log
      for (let i = 0; i < 4; i++) {
        for (const by of [heir, heirOfChild, heir]) by.info({ i }, 'of an heir')
        if (i % 2 === 0) log.setBindings({ [`b${i}`]: i })
        else child.setBindings({ [`d${i}`]: i })
      }
      log
        .child({
          req: {
            get late() {
              log.setBindings({ late: 1 })
              return 1
            }
          }
        })
        .info('made meanwhile')
    }
  ],
  [
    'bindings of a child that are set when its parent is frozen',
    {},
    log => {
      const parent = log.child({ p: 1 })
      parent.info('x')
      const child = parent.child({ c: 1 })
      Object.freeze(parent)
      child.setBindings({ d: 1 })
      for (let i = 0; i < 3; i++) child.info({ i }, 'y')
    }
  ],
  [
    'frozen children with serializers',
    {},
    log => {
      const child = Object.freeze(log.child({}, { serializers: { a: () => 'shaped' } } as object))
      const table = (child as unknown as Record<symbol, Record<string, () => string>>)[Symbol.for('pino.serializers')]
      child.info({ a: table!.a!() }, 'm')
    }
  ]
]

describe.each(engines)('what runs between the call and the record, with the %s engine', engine => {
  it.each(programs)('%s', (_name, given, program) => {
    const options = { ...given, timestamp: false, base: null }
    const lines: string[] = []
    const theirs = pino(options, { write: line => void lines.push(line) }) as unknown as Log
    program(theirs, pino.symbols as unknown as Record<string, symbol>)
    const dest = path.join(tempDir(), 'app.log')
    const destination = shardlog.destination({ dest, format: 'ndjson', dsync: false, engine })
    program(shardlog(options, destination) as unknown as Log, shardlog.symbols as unknown as Record<string, symbol>)
    destination.closeSync()
    expect(fs.readFileSync(dest, 'utf8').split('\n')).toEqual(lines.join('').split('\n'))
  })

  it('a prefix with a percent sign, before fields that follow the message', () => {
    const dest = path.join(tempDir(), 'app.log')
    const destination = shardlog.destination({ dest, format: 'ndjson', dsync: false, engine })
    const log = shardlog({ msgPrefix: '100%% ', base: null, timestamp: false }, destination)
    for (let i = 0; i < 3; i++) log.info('m', { a: 1 })
    destination.closeSync()
    expect(fs.readFileSync(dest, 'utf8')).toBe('{"level":30,"a":1,"msg":"100% m"}\n'.repeat(3))
  })
})
