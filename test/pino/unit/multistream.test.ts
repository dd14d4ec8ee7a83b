import fs from 'node:fs'
import path from 'node:path'
import { inspect } from 'node:util'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { engines } from '../../support/engines'
import fc from '../../support/random'
import { shardlog } from '../../support/shardlog'
import { tempDir } from '../../support/temp'
import { fields, text, value } from './records'

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
type Level = (typeof LEVELS)[number]
type LogCall = (...args: unknown[]) => void
type Log = Record<Level, LogCall> & { child(bindings: object): Log }

/**
 * 'file': records where the engine does. 'text': takes lines. 'metadata': takes lines and what is
 * said of them.
 */
type Kind = 'file' | 'text' | 'metadata'
interface MemberOption {
  kind: Kind
  level?: Level
}

const needsMetadata = Symbol.for('pino.metadata')

/** What a member of kind 'metadata' notes of each line. */
class Noting {
  readonly [needsMetadata] = true
  lastLevel?: unknown
  lastMsg?: unknown
  lastTime?: unknown
  lines: string[] = []
  write(line: string): void {
    this.lines.push(`${String(this.lastLevel)} ${inspect(this.lastMsg)} ${String(this.lastTime)} ${line}`)
  }
}

class Taking {
  lines: string[] = []
  write(line: string): void {
    this.lines.push(line)
  }
}

interface Members {
  entries: { stream: object; level?: Level }[]
  /** Ends the members; the text that each of them has got. */
  texts(): string[]
}

/** Members whose files are those of pino's kind if `engine` is undefined. */
function members(options: readonly MemberOption[], engine: 'native' | 'js' | undefined): Members {
  const read: (() => string)[] = []
  const entries = options.map(({ kind, level }) => {
    let stream: Taking | Noting | ReturnType<typeof fileMember>
    if (kind === 'file' && engine !== undefined) {
      const member = fileMember(engine)
      stream = member
      read.push(() => {
        member.closeSync()
        return fs.readFileSync(member.dest, 'utf8')
      })
    } else {
      const taking = kind === 'metadata' ? new Noting() : new Taking()
      stream = taking
      read.push(() => Buffer.from(taking.lines.join('')).toString())
    }
    return level === undefined ? { stream } : { stream, level }
  })
  return { entries, texts: () => read.map(get => get()) }
}

function fileMember(engine: 'native' | 'js') {
  const dest = path.join(tempDir(), 'member.log')
  const memory = { crashSafe: false, bufferSize: 2 ** 20, numShards: 1 } as const
  return Object.assign(shardlog.destination({ dest, format: 'ndjson', dsync: false, engine, ...memory }), { dest })
}

const member: fc.Arbitrary<MemberOption> = fc.record(
  {
    kind: fc.constantFrom<Kind>('file', 'file', 'text', 'metadata'),
    level: fc.constantFrom(...LEVELS)
  },
  { requiredKeys: ['kind'] }
)
interface Call {
  level: Level
  args: unknown[]
  child: boolean
}

const call: fc.Arbitrary<Call> = fc.record({
  level: fc.constantFrom(...LEVELS),
  args: fc.oneof(
    fc.tuple(fields),
    fc.tuple(
      fields,
      value.filter(message => typeof message !== 'symbol')
    ),
    fc.tuple(text),
    fc.constant([new Error('failed')])
  ) as fc.Arbitrary<unknown[]>,
  child: fc.boolean()
})

function logAll(log: Log, calls: readonly Call[]): void {
  const child = log.child({ of: 'child' })
  for (const { level, args, child: byChild } of calls) (byChild ? child : log)[level](...args)
}

const timestamp = () => ',"time":0'

describe.each(engines)('several destinations of which some record, with the %s engine', engine => {
  it.each([
    ['plain', {}],
    ['with serializers and redaction', { serializers: { a: () => 'A' }, redact: ['b', '*.c'] }],
    ['with a mixin that counts', {}]
  ])('have what pino writes to each, byte for byte, %s', (name, given) => {
    const options = () => {
      let calls = 0
      const mixin = name.includes('mixin')
        ? { mixin: (_: object, level: number) => ({ calls: level * 1000 + calls++ }) }
        : {}
      // Records that nobody takes are not made: a mixin sees all others.
      return { level: 'trace', timestamp, ...given, ...mixin }
    }
    const every: MemberOption = { kind: 'text', level: 'trace' }
    fc.assert(
      fc.property(
        fc.array(member, { minLength: 1, maxLength: 4 }),
        fc.array(call, { maxLength: 15 }),
        fc.boolean(),
        (kinds, calls, dedupe) => {
          const all = name.includes('mixin') ? [...kinds, every] : kinds
          const theirs = members(all, undefined)
          logAll(pino(options(), pino.multistream(theirs.entries as never, { dedupe })) as unknown as Log, calls)
          const ours = members(all, engine)
          logAll(shardlog(options(), shardlog.multistream(ours.entries as never, { dedupe })) as unknown as Log, calls)
          expect(ours.texts()).toEqual(theirs.texts())
        }
      ),
      { numRuns: 60 }
    )
  })

  it('levels decide who is given a record, also those added, cloned and removed later', () => {
    const [low, high, text] = [fileMember(engine), fileMember(engine), new Taking()]
    const several = shardlog.multistream([{ level: 'info', stream: low }])
    const log = shardlog({ base: null, timestamp: false }, several)
    log.info('one')
    several.add({ level: 'error', stream: high })
    log.error('two')
    several.add({ level: 'warn', stream: text })
    log.warn('three')
    log.error('four')
    shardlog({ base: null, timestamp: false }, several.clone('fatal')).error('nobody')
    several.remove(1)
    log.error('five')
    several.end()
    high.closeSync()
    const messages = (lines: string): unknown[] =>
      lines
        .split('\n')
        .slice(0, -1)
        .map(line => (JSON.parse(line) as { msg: unknown }).msg)
    expect(messages(text.lines.join(''))).toEqual(['three', 'four', 'five'])
    expect(messages(fs.readFileSync(high.dest, 'utf8'))).toEqual(['two', 'four', 'five'])
    low.closeSync()
    expect(messages(fs.readFileSync(low.dest, 'utf8'))).toEqual(['one', 'two', 'three', 'four'])
  })

  it('what a call evaluates it evaluates once, however many take the record', () => {
    const stages: [string, MemberOption[]][] = [
      ['one file', [{ kind: 'file' }]],
      ['two files', [{ kind: 'file' }, { kind: 'file' }]],
      ['a file and a text', [{ kind: 'file' }, { kind: 'text' }]]
    ]
    for (const [name, options] of stages) {
      const seen = { getter: 0, toJSON: 0, mixin: 0, serializer: 0 }
      const { entries, texts } = members(options, engine)
      const mixin = () => ({ mixed: ++seen.mixin })
      const serializers = { shaped: () => ++seen.serializer }
      const log = shardlog({ base: null, mixin, serializers }, shardlog.multistream(entries as never))
      log.info('a shape that is known')
      Object.assign(seen, { mixin: 0 })
      log.info({
        get got() {
          return ++seen.getter
        },
        nested: { toJSON: () => ++seen.toJSON },
        shaped: 1
      })
      expect({ name, ...seen }).toEqual({ name, getter: 1, toJSON: 1, mixin: 1, serializer: 1 })
      expect(new Set(texts()).size).toBe(1)
    }
  })

  it('a record that cannot be made is rescued in each of them', () => {
    const { entries, texts } = members([{ kind: 'file' }, { kind: 'file', level: 'error' }, { kind: 'text' }], engine)
    const log = shardlog({ base: null, timestamp: false }, shardlog.multistream(entries as never))
    const broken = {
      get a() {
        throw new Error('getter')
      }
    }
    log.error(broken, 'm')
    const line = '{"level":50,"loggingError":"Error in field a","msg":"m"}\n'
    expect(texts()).toEqual([line, line, line])
  })

  it('a record that is logged while another is made comes before it, to the levels that are its own', () => {
    const { entries, texts } = members([{ kind: 'file' }, { kind: 'file', level: 'error' }], engine)
    const log = shardlog({ base: null, timestamp: false }, shardlog.multistream(entries as never))
    const talking = (level: 'info' | 'error') => ({
      toJSON() {
        log[level]('inner')
        return 'outer'
      }
    })
    log.error({ a: talking('info') })
    log.error({ a: talking('error') })
    log.info({ a: talking('error') })
    const outer = (level: number) => `{"level":${level},"a":"outer"}\n`
    const inner = (level: number) => `{"level":${level},"msg":"inner"}\n`
    expect(texts()).toEqual([
      inner(30) + outer(50) + inner(50) + outer(50) + inner(50) + outer(30),
      outer(50) + inner(50) + outer(50) + inner(50)
    ])
  })

  it('compiled events go the same ways', () => {
    const { entries, texts } = members([{ kind: 'file' }, { kind: 'file' }, { kind: 'text', level: 'error' }], engine)
    const log = shardlog({ base: null, timestamp: false }, shardlog.multistream(entries as never))
    log.event('at info', ['a'])(1)
    log.event('at error', ['a'], { level: 'error' })({ b: 2 })
    const [first, second, errors] = texts()
    const error = '{"level":50,"a":{"b":2},"msg":"at error"}\n'
    expect(first).toBe(`{"level":30,"a":1,"msg":"at info"}\n${error}`)
    expect([second, errors]).toEqual([first, error])
  })

  it('several within several pass records on', () => {
    const { entries, texts } = members([{ kind: 'file', level: 'error' }, { kind: 'file' }], engine)
    const [errors, all] = entries
    const inner = shardlog.multistream([errors as never])
    const log = shardlog({ base: null, timestamp: false }, shardlog.multistream([{ stream: inner }, all as never]))
    log.info('low')
    log.error('high')
    const high = '{"level":50,"msg":"high"}\n'
    expect(texts()).toEqual([high, `{"level":30,"msg":"low"}\n${high}`])
  })

  it('flush tells when all of them have flushed', async () => {
    const [first, second] = [fileMember(engine), fileMember(engine)]
    const log = shardlog(shardlog.multistream([{ stream: first }, { stream: second }, { stream: new Taking() }]))
    log.info('m')
    await new Promise<void>((resolve, reject) => log.flush(error => (error ? reject(error) : resolve())))
    for (const { dest } of [first, second]) expect(fs.readFileSync(dest, 'utf8')).toContain('"msg":"m"')
    first.closeSync()
    second.closeSync()
  })
})
