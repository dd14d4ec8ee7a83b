import fs from 'node:fs'
import path from 'node:path'
import realPino from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { readTexts } from '../../support/plain-reader'
import { SEED } from '../../support/random'
import { shardlog } from '../../support/shardlog'
import { tempDir } from '../../support/temp'
import { type AnyLogger, impossible, type Make, runProgram } from './programs'

const pino = realPino as unknown as Make
const ours = shardlog as unknown as Make

/**
 * How many. Others, and more of them:
 * `SHARDLOG_PROGRAMS=20000 SHARDLOG_SEED=$RANDOM npx vitest run test/pino/unit/programs.test.ts`.
 */
const PROGRAMS = Number(process.env.SHARDLOG_PROGRAMS ?? 400)
const STEPS = 25
/** Programs that log to the same destination. */
const TOGETHER = 200

interface Sink {
  stream: object
  /** The lines that have come to it; it is not used afterwards. */
  lines(): string[]
}

const split = (written: string): string[] => written.split(/(?<=\n)/)

function textSink(): Sink {
  const written: string[] = []
  // As bytes of UTF-8 a lone surrogate is the replacement character.
  const lines = () => split(Buffer.from(written.join('')).toString())
  return { stream: { write: (line: string) => written.push(line) }, lines }
}

function recordSink(format: 'ndjson' | 'shard', engine: 'native' | 'js'): Sink {
  const dest = path.join(tempDir(), 'app.log')
  const options = { dest, format, engine, dsync: false, bufferSize: 1 << 23, numShards: 2, crashSafe: false as const }
  const stream = shardlog.destination(options) as unknown as { closeSync(): void }
  return {
    stream,
    lines() {
      stream.closeSync()
      return format === 'shard' ? split(readTexts(dest).join('')) : split(fs.readFileSync(dest, 'utf8'))
    }
  }
}

const sinks: [string, () => Sink][] = [
  ['a stream', textSink],
  ['a file of lines, native', () => recordSink('ndjson', 'native')],
  ['a shard file, native', () => recordSink('shard', 'native')],
  ['a file of lines, JavaScript', () => recordSink('ndjson', 'js')]
]

interface Program {
  seed: number
  without: Set<number>
}

/** What the programs see, and what lines there are when all are over. */
function outcome(
  programs: Program[],
  make: Make,
  { stream, lines }: Sink,
  steps = STEPS
): { told: string[]; lines: string[] } {
  const told: string[] = []
  for (const { seed, without } of programs) {
    runProgram(seed, steps, make, stream, what => told.push(`${seed}: ${what}`), without)
  }
  return { told, lines: lines() }
}

/**
 * The one program whose lines differ when it is run by itself, and its first step with which they
 * do.
 */
function culprit(programs: Program[], make: () => Sink): string {
  const differs = (program: Program, steps: number) => {
    const [expected, made] = [outcome([program], pino, textSink(), steps), outcome([program], ours, make(), steps)]
    return JSON.stringify(expected) !== JSON.stringify(made)
  }
  const found = programs.find(program => differs(program, STEPS))
  if (!found) return `programs ${programs[0]?.seed} and on, only together`
  for (let steps = 1; ; steps++) if (differs(found, steps)) return `program ${found.seed}, step ${steps - 1}`
}

describe('random programs', () => {
  it.each(sinks)('have the same outcome as with pino: %s', { timeout: 3_600_000 }, (_name, makeSink) => {
    vi.spyOn(Date, 'now').mockReturnValue(1_795_000_000_123)
    for (let first = 0; first < PROGRAMS; first += TOGETHER) {
      const programs = Array.from({ length: Math.min(TOGETHER, PROGRAMS - first) }, (_, i) => {
        const seed = (SEED + first + i) >>> 0
        return { seed, without: impossible(seed, STEPS, pino) }
      })
      const expected = outcome(programs, pino, textSink())
      const made = outcome(programs, ours, makeSink())
      const at = expected.lines.findIndex((line, i) => line !== made.lines[i])
      if (at !== -1) expect(made.lines[at], culprit(programs, makeSink)).toBe(expected.lines[at])
      expect(made.lines.length).toBe(expected.lines.length)
      expect(made.told).toEqual(expected.told)
    }
  })
})

type Log = Omit<AnyLogger, 'child'> &
  Record<'info' | 'warn', (...args: unknown[]) => void> & {
    child(bindings: object, options?: object): Log
  }

/** Errors as programs throw them, and what serializers may take for one. */
function logErrors(log: Log): void {
  class Failure extends TypeError {}
  class Nameless {
    message = 'like an error'
  }
  const flat = (error: object, fields: object = {}) => Object.assign(error, { stack: 'at' }, fields)
  const inner = () => flat(new RangeError('inner'))
  const defined = JSON.parse('{"__proto__":1,"constructor":2}') as object
  const fields: object[] = [
    {},
    { code: 'E', errno: -2, syscall: 'open' },
    { type: 'T', raw: 1, aggregateErrors: 2, name: 'N' },
    { a: { b: [1, undefined] }, c: () => 1, d: undefined, e: Symbol('s'), f: new Date(0) },
    { message: '', stack: undefined },
    { message: 5 },
    { stack: { not: 'text' } },
    { errors: 'none' },
    { cause: 'a text' },
    { toString: 1, valueOf: 2 }
  ]
  for (const made of [Error, Failure, Nameless]) {
    for (const more of fields) log.info(flat(new made('failed'), more))
    log.info({ err: flat(new made('failed')), other: 1 }, 'm')
    log.info(flat(new made('failed'), { constructor: 'none' }))
    log.info(Object.defineProperties(flat(new made('failed')), Object.getOwnPropertyDescriptors(defined)))
    for (const more of [{ cause: inner() }, { inner: inner() }, { errors: [inner(), 1] }, { cause: inner }]) {
      log.info(flat(new made('failed'), more))
    }
    let reads = 0
    const counting = flat(new made('failed'))
    for (const name of ['message', 'cause', 'errors', 'code']) {
      const get = () => {
        log.info({ reads: ++reads }, name)
        return name === 'message' ? 'counted' : undefined
      }
      Object.defineProperty(counting, name, { get, enumerable: true, configurable: true })
    }
    log.info(counting)
  }
}

/** What random programs have found, or are not likely to. */
const found: [string, object, (log: Log) => void][] = [
  [
    'with base null there are no bindings that a formatter would see',
    { base: null, name: 'x', formatters: { bindings: (bindings: object) => ({ ...bindings, formatted: true }) } },
    log => log.info('m')
  ],
  [
    'the message of an error under the key of the message',
    { messageKey: 'err', errorKey: 'err' },
    log => log.info(Object.assign(new Error('failed'), { stack: 'at' }))
  ],
  [
    'a message under the key of errors is not serialized as one',
    { messageKey: 'a', errorKey: 'a', serializers: { err: () => 'an error' } },
    log => {
      log.info('m')
      log.info({ a: 1 }, 'm')
      log.info({ a: 1 })
    }
  ],
  [
    'children whose bindings have one key, whatever their values',
    { serializers: { b: (value: unknown) => ({ value }) }, redact: ['secret'] },
    log => {
      const texts = ['r-1', 'é', '世', '"', '\\', '\n', '\ud800', '', 'x'.repeat(32), 'x'.repeat(33), 'é'.repeat(40)]
      const values = [...texts, 'x'.repeat(101), 'é'.repeat(5_000), 5, -0, Number.NaN, 5n, null, undefined, { a: 1 }]
      for (const key of ['id', 'k"y', '', 'b', 'secret']) {
        for (const value of values) {
          const child = log.child({ [key]: value })
          for (const message of ['first', 'second']) child.info({ a: 1 }, message)
          child.child({ [key]: value, other: value }).info('of a grandchild')
        }
      }
      // Ever other keys behind the same parent's bindings.
      for (const value of values) for (const key of ['id', 'other']) log.child({ [key]: value }).info('in turn')
    }
  ],
  [
    'children that live for a line and for many, with the same bindings and messages as others',
    {},
    log => {
      for (let i = 0; i < 60; i++) {
        const child = log.child({ id: `r-${i}` })
        for (let line = 0; line < (i % 20) + 1; line++) child.info({ a: line }, 'message')
        child.info({ id: 'its own', a: { b: 1 }, c: undefined }, 'message')
        child.info('message')
        child.warn({ a: i })
        child.child({ id: `r-${i}.1` }).info({ a: i }, 'message')
        if (i % 7 === 0) child.setBindings({ more: i })
        child.info({ a: i }, 'message')
        const other = child.child({ id: 'é' }, { level: 'debug' })
        log.info({ id: 'no binding', a: i }, 'message')
        other.info({ a: i }, 'message')
      }
    }
  ],
  ['errors of every kind', {}, logErrors],
  ['the same with their causes apart', { serializers: { err: realPino.stdSerializers.errWithCause } }, logErrors],
  [
    'a frozen logger, and a frozen child',
    {},
    log => {
      const child = Object.freeze(log.child({ b: 2 })) as typeof log
      Object.freeze(log)
      for (let i = 0; i < 3; i++) log.info({ a: i }, 'frozen')
      for (let i = 0; i < 3; i++) child.info({ a: i }, 'frozen child')
    }
  ],
  [
    'a record that a conversion logs comes first',
    { serializers: { a: (say: () => unknown) => say() } },
    log => log.info({ before: 1, a: () => log.info('inner'), after: 2 }, 'outer')
  ]
]

describe.each(found)('as in pino: %s', (_name, options, use) => {
  it.each(sinks)('%s', (_sink, makeSink) => {
    vi.spyOn(Date, 'now').mockReturnValue(1_795_000_000_123)
    const linesOf = (make: Make, { stream, lines }: Sink): string[] => {
      use(make(options, stream) as never)
      return lines()
    }
    expect(linesOf(ours, makeSink())).toEqual(linesOf(pino, textSink()))
  })
})
