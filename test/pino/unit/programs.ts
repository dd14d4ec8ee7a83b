/** Random programs that log: the same one, from the same seed, for any make of logger. */

import { random } from '../../../crash-test/entry'

type Rand = () => number
type Call = (...args: unknown[]) => void

/** What both makes have, as loosely as programs use it. */
export interface AnyLogger {
  level: string
  levels: { values: Record<string, number> }
  child(bindings: object, options?: object): AnyLogger
  setBindings(bindings: object): void
  bindings(): object
  isLevelEnabled(level: string): boolean
  event?(message: string, names: readonly string[], options?: object): Call
}

export interface Make {
  (options: object, stream: object): AnyLogger
  stdTimeFunctions: Record<string, () => string>
  stdSerializers: Record<string, (value: never) => unknown>
}

const pick = <T>(rand: Rand, from: readonly T[]): T => from[Math.floor(rand() * from.length)] as T
const chance = (rand: Rand, share: number): boolean => rand() < share
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'audit', 'loud'] as const
const KEYS = [
  'a',
  'b',
  'c',
  'err',
  'error',
  'msg',
  'message',
  'level',
  'time',
  'pid',
  'name',
  'data',
  'req',
  '',
  '__proto__'
]
const WORDS = [
  'x',
  'user login',
  'é',
  '世界',
  '🌍',
  '\ud800',
  '\udfff\ud800x',
  '"',
  '\\',
  '\n\t\b\f\r',
  '\0\x1f\x7f',
  '\u2028',
  '%s',
  '%d %j',
  '100%'
]
const BUFFERS = [new Uint8Array([1, 2]), new Float64Array([0.5]), new Uint8Array(0)]

function text(rand: Rand): string {
  const kind = rand()
  if (kind < 0.4) return pick(rand, WORDS)
  if (kind < 0.5)
    return times(Math.floor(rand() * 60), () => String.fromCharCode(Math.floor(rand() * 0x10000))).join('')
  if (kind < 0.53) return pick(rand, WORDS).repeat(Math.floor(rand() * 3_000))
  return times(Math.floor(rand() * 8), () => pick(rand, WORDS)).join(' ')
}

const key = (rand: Rand): string => (chance(rand, 0.85) ? pick(rand, KEYS) : text(rand).slice(0, 50))

function number(rand: Rand): number {
  const kind = rand()
  if (kind < 0.3) return Math.floor(rand() * 2_000) - 1_000
  if (kind < 0.5) return (rand() - 0.5) * 10 ** Math.floor(rand() * 40 - 20)
  if (kind < 0.7) return new Float64Array(new Uint32Array([rand() * 2 ** 32, rand() * 2 ** 32]).buffer)[0]!
  return pick(rand, [
    0,
    -0,
    2 ** 31,
    -(2 ** 31),
    2 ** 31 - 1,
    2 ** 53,
    1e21,
    1e-7,
    5e-324,
    Number.MAX_VALUE,
    Number.NaN,
    Infinity,
    -Infinity
  ])
}

/** The same stack wherever it was made. */
function flat(made: Error): Error {
  made.stack = `${made.name}: ${made.message}\n    at place (file.js:1:1)`
  return made
}

function error(rand: Rand, depth: number): Error {
  const made = pick(rand, [Error, RangeError, TypeError])
  const result = chance(rand, 0.15) ? new AggregateError([flat(new Error('inner'))], text(rand)) : new made(text(rand))
  flat(result)
  // Defined: to assign may fail, by a prototype that is among the fields.
  if (chance(rand, 0.3)) Object.defineProperties(result, Object.getOwnPropertyDescriptors(object(rand, depth - 1)))
  if (chance(rand, 0.2)) result.cause = depth > 0 ? error(rand, depth - 1) : text(rand)
  if (chance(rand, 0.05)) Object.defineProperty(result, 'message', { value: undefined })
  return result
}

class Instance {
  own = 1
  get inherited(): number {
    return 2
  }
  toString(): string {
    return 'an instance'
  }
}

class Amount extends Number {
  unit = 'EUR'
}

function oddity(rand: Rand): unknown {
  const made: (() => unknown)[] = [
    () => undefined,
    () => null,
    () => Symbol('s'),
    () => () => 1,
    () => BigInt(Math.floor(rand() * 1e9)) ** 3n,
    () => new Date(pick(rand, [0, 1e12, -1, Number.NaN, 8.64e15])),
    () => new Date(Math.floor((rand() - 0.4) * 3e14)),
    () => new Amount(rand()),
    () => new Map([[1, { a: 1 }]]),
    () => new Set(['x']),
    () => /x/gi,
    () => pick(rand, BUFFERS),
    () => Buffer.from('abc'),
    () => new Instance(),
    () => Object.create({ inherited: 1 }),
    () => Object.assign(Object.create(null), { a: 1 }),
    () => Object('boxed'),
    () => Object(1.5),
    () => Object(false),
    () => Object(1n),
    () => Object.assign(new Array(3), { 1: 'with holes' }),
    () => {
      const of = text(rand)
      return { toJSON: (name: string) => ({ as: name, of }) }
    },
    () => ({ toJSON: () => undefined }),
    () => ({ toJSON: 5 }),
    () => ({
      toJSON() {
        throw new Error('toJSON')
      }
    }),
    () => Object.defineProperty({ seen: 1 }, 'hidden', { value: 1 }),
    () => ({ [Symbol('key')]: 1, a: 1 }),
    () => new Proxy({ a: 1, b: [2] }, {}),
    () => new Promise(() => undefined),
    () => new WeakMap(),
    () => new URL('http://127.0.0.1/a?b=c'),
    () => Object.freeze({ frozen: [1] }),
    () => globalThis.Math
  ]
  return pick(rand, made)()
}

function value(rand: Rand, depth: number): unknown {
  const kind = rand()
  if (kind < 0.3) return text(rand)
  if (kind < 0.5) return number(rand)
  if (kind < 0.58) return chance(rand, 0.5)
  if (kind < 0.7) return oddity(rand)
  if (kind < 0.76) return error(rand, depth - 1)
  if (depth <= 0) return null
  if (kind < 0.84) return times(Math.floor(rand() * 6), () => value(rand, depth - 1))
  return object(rand, depth - 1)
}

/** A prototype of objects that are logged. */
function prototype(rand: Rand): object | null {
  const kind = rand()
  if (kind < 0.8) return Object.prototype
  if (kind < 0.9) return null
  return { a: 'inherited', data: { inherited: 1 }, inherited: 2 }
}

function object(rand: Rand, depth: number): Record<string, unknown> {
  const made = Object.create(prototype(rand)) as Record<string, unknown>
  const size = chance(rand, 0.02) ? 130 : Math.floor(rand() * 6)
  for (let i = 0; i < size; i++) {
    const name = size > 100 ? `wide ${i}` : key(rand)
    const common = { enumerable: true, configurable: true }
    const held = value(rand, depth)
    if (chance(rand, 0.05)) Object.defineProperty(made, name, { ...common, get: () => held })
    else Object.defineProperty(made, name, { ...common, writable: true, value: held })
  }
  if (chance(rand, 0.03)) made.self = made
  if (chance(rand, 0.02)) made.shared = [made.a, made.a]
  return made
}

function deep(rand: Rand): object {
  let made: object = { end: 1 }
  for (let i = Math.floor(rand() * 40); i > 0; i--) made = chance(rand, 0.5) ? { made, i } : [made]
  return { made }
}

function serializers(rand: Rand): object {
  let count = 0
  const all: Record<string, (given: unknown) => unknown> = {
    a: given => ({ was: typeof given }),
    b: () => undefined,
    // Not the message's, which is serialized before the fields where it is recorded.
    c: given => ({ was: typeof given, count: ++count }),
    data: () => 'serialized',
    msg: given => `<${String(given)}>`,
    message: given => given,
    err: () => ({ hidden: true }),
    name: () => 5,
    '': () => null
  }
  return Object.fromEntries(Object.entries(all).filter(() => chance(rand, 0.25)))
}

function redact(rand: Rand): unknown {
  const paths = [
    'a',
    'b',
    'a.b',
    '*.a',
    '*',
    'c[0]',
    'c[*].a',
    'err.message',
    'msg',
    'a["b"].c',
    'self.a',
    'data.a',
    'x y'
  ].filter(path => path !== 'x y' && chance(rand, 0.2))
  if (chance(rand, 0.5)) return paths
  return chance(rand, 0.5)
    ? { paths, remove: true }
    : { paths, censor: chance(rand, 0.5) ? 'hidden' : (_: unknown, path: unknown[]) => path.map(String).join('/') }
}

function formatters(rand: Rand): object {
  const all = {
    level: (label: string, level: number) => ({ severity: label, level }),
    bindings: (bindings: object) => ({ ...bindings, formatted: true }),
    log: (fields: object) => ({ ...fields, formatted: 'é' })
  }
  return Object.fromEntries(Object.entries(all).filter(() => chance(rand, 0.4)))
}

/** Options given with the share, made by functions so that each logger has its own. */
function some(rand: Rand, share: number, all: Record<string, () => unknown>): Record<string, unknown> {
  const chosen = Object.entries(all).filter(() => chance(rand, share))
  return Object.fromEntries(chosen.map(([name, make]) => [name, make()]))
}

function mixin(rand: Rand): () => object {
  let count = 0
  const fixed = object(rand, 1)
  return chance(rand, 0.5) ? () => ({ mixed: ++count }) : () => ({ ...fixed })
}

function loggerOptions(rand: Rand, make: Make): object {
  const times = ['epochTime', 'unixTime', 'isoTime', 'nullTime']
  return {
    customLevels: { audit: 35, loud: 70 },
    ...some(rand, 0.22, {
      level: () => pick(rand, LEVELS),
      timestamp: () =>
        chance(rand, 0.3)
          ? () => ',"when":"then"'
          : chance(rand, 0.3)
            ? false
            : make.stdTimeFunctions[pick(rand, times)],
      base: () => pick(rand, [null, {}, { pid: 1, a: 'é' }, undefined]),
      name: () => text(rand),
      messageKey: () => pick(rand, ['message', 'a', 'k"y']),
      errorKey: () => pick(rand, ['error', 'a', 'err']),
      nestedKey: () => pick(rand, ['data', 'msg', 'n"k']),
      serializers: () => serializers(rand),
      redact: () => redact(rand),
      formatters: () => formatters(rand),
      mixin: () => mixin(rand),
      mixinMergeStrategy: () => (fields: object, mixed: object) => ({ ...fields, ...mixed }),
      msgPrefix: () => text(rand),
      depthLimit: () => 1 + Math.floor(rand() * 5),
      edgeLimit: () => 1 + Math.floor(rand() * 5)
    }),
    ...some(rand, 0.06, {
      crlf: () => true,
      hooks: () => ({ logMethod: (args: unknown[], method: Call) => method.apply(undefined, args) }),
      safe: () => false
    })
  }
}

function childOptions(rand: Rand): object {
  return some(rand, 0.2, {
    serializers: () => serializers(rand),
    redact: () => redact(rand),
    formatters: () => formatters(rand),
    msgPrefix: () => text(rand),
    level: () => pick(rand, LEVELS)
  })
}

const FORMATS = ['%s', '%d', '%i', '%f', '%j', '%o', '%O', '%%', '%', '%x', ' a ', 'é']

/** Those that a program has again and again. */
const MESSAGES = ['user %s did %d', '%s', '%d%%', '%s%i', 'é "%f"\\ %s\n', '\ud83d%s', '%s\ude00', '%s %d %s %d %s']

function callArguments(rand: Rand): unknown[] {
  const kind = rand()
  const fields = () => (chance(rand, 0.1) ? deep(rand) : object(rand, 3))
  const format = () => times(Math.floor(rand() * 5), () => pick(rand, FORMATS)).join('')
  const primitive = () => pick(rand, [text(rand), number(rand), true, null, undefined, 5n])
  const plain = () =>
    pick(rand, [text(rand), text(rand), number(rand), Math.floor(rand() * 1e5), chance(rand, 0.5), null])
  const known = () => [pick(rand, MESSAGES), ...times(Math.floor(rand() * 6), chance(rand, 0.8) ? plain : primitive)]
  if (kind < 0.15) return [fields(), text(rand)]
  if (kind < 0.2) return [fields(), ...known()]
  if (kind < 0.25) return known()
  if (kind < 0.4) return [fields()]
  if (kind < 0.55) return [text(rand)]
  if (kind < 0.65) return [fields(), format(), ...times(Math.floor(rand() * 4), primitive)]
  if (kind < 0.72) return [format(), ...times(Math.floor(rand() * 4), primitive)]
  if (kind < 0.8) return [error(rand, 2)]
  if (kind < 0.85) return [error(rand, 2), text(rand)]
  if (kind < 0.88) return [fields(), value(rand, 1)]
  if (kind < 0.91) return [times(3, () => value(rand, 1)), text(rand)]
  if (kind < 0.94) return [oddity(rand)]
  if (kind < 0.96) return []
  return [primitive()]
}

const NAMES = [
  [],
  ['user'],
  ['user', 'ip', 'a', 'b'],
  ['a1', 'b1', 'c1', 'd1', 'e1', 'f1', 'g1', 'h1', 'i1', 'j1']
] as const

/** An event of the logger, or what stands for one with pino. */
function eventOf(log: AnyLogger, message: string, names: readonly string[], level: string): Call {
  if (log.event) return log.event(message, names, { level })
  const methods = log as unknown as Record<string, Call>
  return (...values) => methods[level]!(Object.fromEntries(names.map((name, i) => [name, values[i]])), message)
}

/**
 * What differs by intent, and is tested by itself: a symbol as the message; an object behind a
 * message.
 */
function isOurs(args: readonly unknown[]): boolean {
  return args.some(arg => typeof arg === 'symbol')
}

class Run {
  readonly #loggers: AnyLogger[]
  readonly #note: (told: string) => void

  constructor(root: AnyLogger, note: (told: string) => void) {
    this.#loggers = [root]
    this.#note = note
  }

  #logger(rand: Rand): AnyLogger {
    return pick(rand, this.#loggers)
  }

  step(rand: Rand): void {
    const kind = rand()
    if (kind < 0.06) this.#loggers.push(this.#logger(rand).child({ id: text(rand) }))
    else if (kind < 0.12) this.#loggers.push(this.#logger(rand).child(object(rand, 1), childOptions(rand)))
    else if (kind < 0.14) this.#logger(rand).setBindings(object(rand, 1))
    else if (kind < 0.16) this.#logger(rand).level = pick(rand, LEVELS)
    else if (kind < 0.18) this.#note(JSON.stringify(Object.keys(this.#logger(rand).bindings())))
    else if (kind < 0.2) this.#note(String(this.#logger(rand).isLevelEnabled(pick(rand, LEVELS))))
    else if (kind < 0.3) this.#event(rand)
    else if (kind < 0.34) this.#within(rand)
    else this.#log(rand)
  }

  #log(rand: Rand): void {
    const args = callArguments(rand)
    if (isOurs(args)) return
    ;(this.#logger(rand) as unknown as Record<string, Call>)[pick(rand, LEVELS)]!(...args)
  }

  #event(rand: Rand): void {
    const names = pick(rand, NAMES)
    const say = eventOf(
      this.#logger(rand),
      pick(rand, ['event', text(rand)]).replaceAll('%', ''),
      names,
      pick(rand, LEVELS)
    )
    for (let i = 0; i < 3; i++) say(...names.map(() => value(rand, 2)))
  }

  /** A record whose making makes others. */
  #within(rand: Rand): void {
    const [outer, inner] = [this.#logger(rand), this.#logger(rand)] as unknown as Record<string, Call>[]
    const args = callArguments(rand)
    if (isOurs(args)) return
    const say = () => {
      inner!.fatal!(...args)
      return 'said'
    }
    outer!.fatal!({ before: text(rand), in: { toJSON: say }, after: text(rand) }, 'outer')
  }
}

/**
 * What pino writes for a cycle or a bigint under a path that a child has redacted, and we for what
 * is really out of reach.
 */
const GIVEN_UP = '[unable to serialize'

function isFine(line: string): boolean {
  try {
    JSON.parse(line)
    return !line.includes(GIVEN_UP)
  } catch {
    return false
  }
}

/**
 * Steps of the program with `seed` that are not to be compared: pino throws, gives up, or writes
 * what is no JSON.
 */
export function impossible(seed: number, steps: number, make: Make): Set<number> {
  const failed = new Set<number>()
  let present = 0
  const stream = { write: (line: string) => void (isFine(line) || failed.add(present)) }
  const run = start(seed, make, stream, () => undefined)
  for (; present < steps; present++) {
    try {
      run.step(randomOf(seed, present))
    } catch {
      failed.add(present)
    }
  }
  return failed
}

const randomOf = (seed: number, step: number): Rand => random(Math.imul(seed, 0x9e3779b1) + step)

function start(seed: number, make: Make, stream: object, note: (told: string) => void): Run {
  return new Run(make(loggerOptions(random(seed), make), stream), note)
}

/** Does the steps of a program, but those in `without`; `note` is told what the program sees. */
export function runProgram(
  seed: number,
  steps: number,
  make: Make,
  stream: object,
  note: (told: string) => void,
  without: ReadonlySet<number>
): void {
  const run = start(seed, make, stream, note)
  for (let at = 0; at < steps; at++) if (!without.has(at)) run.step(randomOf(seed, at))
}
