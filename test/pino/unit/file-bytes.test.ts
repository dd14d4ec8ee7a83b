import fs from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { engines } from '../../support/engines'
import fc, { SEED } from '../../support/random'
import { shardlog } from '../../support/shardlog'
import { tempDir } from '../../support/temp'
import { fields, leaf, logged, text, value } from './records'

type LogCall = (...args: unknown[]) => void
type Engine = (typeof engines)[number]
type Log = { info: LogCall; error: LogCall; child(bindings: object, options?: object): Log }

const RECORDS = 4_000

const call = fc.oneof(
  fc.tuple(fc.oneof(fields, logged)).filter(([first]) => typeof first !== 'string' && typeof first !== 'symbol'),
  fc
    .tuple(
      fields,
      value.filter(message => typeof message !== 'symbol')
    )
    .map(args => args as unknown[]),
  fc.tuple(text),
  fc.tuple(fields, fc.constantFrom('%s', 'a %d b', '100%%'), fc.oneof(text, fc.integer()))
)

/** Logs every record, each tenth by a child. */
function logAll(log: Log, calls: unknown[][], bindings: object[]): void {
  for (const [at, args] of calls.entries()) {
    const target = at % 10 === 9 ? log.child(bindings[at % bindings.length] as object) : log
    if (at % 3 === 0) target.error(...args)
    else target.info(...args)
  }
}

/**
 * Whether pino takes a record; it throws for some, such as a prefix before a message that cannot be
 * made a string.
 */
function takes(log: Log, args: unknown[]): boolean {
  try {
    log.info(...args)
    return true
  } catch {
    return false
  }
}

/** The lines of pino, and those that our destination has in its file when it is closed. */
function bothOutputs(engine: Engine, options: object, records: unknown[][], bindings: object[]): [string[], string[]] {
  const lines: string[] = []
  const trial = pino(options, { write: () => {} }) as unknown as Log
  const calls = records.filter(args => takes(trial, args))
  const timed = { timestamp: () => ',"time":0', ...options }
  logAll(pino(timed, { write: line => void lines.push(line) }) as unknown as Log, calls, bindings)
  const dest = path.join(tempDir(), 'native.log')
  const destination = shardlog.destination({ dest, format: 'ndjson', dsync: false, engine })
  logAll(shardlog(timed, destination) as unknown as Log, calls, bindings)
  destination.closeSync()
  // As bytes of UTF-8 a lone surrogate is the replacement character.
  const expected = Buffer.from(lines.join('')).toString()
  return [expected.split('\n'), fs.readFileSync(dest, 'utf8').split('\n')]
}

describe.each(engines)('the file of a destination is what pino writes, byte for byte, with the %s engine', engine => {
  it.each([
    ['plain', {}],
    [
      'with serializers, redaction and a prefix',
      { serializers: { a: () => 'A' }, redact: ['b', '*.c'], msgPrefix: 'p ' }
    ],
    ['with a mixin, a formatter and other keys', { mixin: () => ({ m: 1 }), messageKey: 'message', errorKey: 'error' }],
    ['with nested fields', { nestedKey: 'data', name: 'n' }]
  ])('%s', (_name, options) => {
    const seed = SEED
    const calls = fc.sample(call, { numRuns: RECORDS, seed }) as unknown[][]
    const named = fc.sample(fc.record({ a: leaf, b: value, err: leaf }, { requiredKeys: [] }), {
      numRuns: RECORDS / 4,
      seed
    })
    const bindings = fc.sample(fields, { numRuns: 50, seed })
    const [expected, written] = bothOutputs(engine, options, [...calls, ...named.map(object => [object])], bindings)
    const different = expected.findIndex((line, at) => line !== written[at])
    expect(written[different], `seed ${seed}`).toBe(expected[different])
    expect(written.length).toBe(expected.length)
  })
})
