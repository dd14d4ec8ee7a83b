'use strict'

// Structured records that tell round, thread and number, and are the same whenever they are made
// again: the target logs them with the package, the check with pino.

const { random } = require('./entry')

const words = [
  'user',
  'Grüße',
  '世界',
  '🌍🚀',
  '"quoted"',
  'back\\slash',
  'line\nbreak',
  '\u0000\u001f',
  '\ud800',
  'x y z'
]
const numbers = [0, -0, 1, -1, 2 ** 31, -(2 ** 31), 2 ** 53, 0.1, 1e21, 1.5e-7, 5e-324, Number.NaN, Infinity, 1e300]
const keys = ['a', 'b', 'ms', 'ip', 'user.id', 'Ключ', 'k"y', '', 'secret', 'deep', 'err', 'toString']
const formats = ['%s and %d', '%j', '100%% of %s', '%o', 'plain']

/** Ways in which the loggers of a round are set up; by their numbers. */
const variants = [
  {},
  { timestamp: () => ',"when":"then"' },
  { timestamp: 'isoTime' },
  { serializers: { a: value => ({ was: typeof value }), deep: value => value }, messageKey: 'message' },
  { redact: ['secret', 'deep.secret', '*.b'] },
  { mixin: () => ({ mixed: 'in' }), msgPrefix: '[prefix] ' },
  { formatters: { level: label => ({ severity: label }), log: fields => ({ ...fields, formatted: true }) } },
  { nestedKey: 'payload', timestamp: 'unixTime' }
]

/**
 * Options for either make of logger: `make` is the package's function, or pino's.
 * @param {number} [context] length of a text that is in every line, and in no record
 */
function optionsOf(make, variant, round, thread, context = 0) {
  const base = { r: round, t: thread, ...(context > 0 ? { context: 'x'.repeat(context) } : {}) }
  const options = { level: 'trace', ...variants[variant % variants.length], base }
  if (typeof options.timestamp === 'string') options.timestamp = make.stdTimeFunctions[options.timestamp]
  return options
}

const pick = (rand, from) => from[Math.floor(rand() * from.length)]

function someText(rand, largest) {
  const kind = rand()
  const size = kind < 0.02 ? rand() * largest : kind < 0.3 ? rand() * 300 : rand() * 12
  const word = rand() < 0.6 ? 'abcdefghij' : pick(rand, words)
  return word.repeat(Math.ceil(size / word.length)).slice(0, size)
}

function someError(rand, depth, largest) {
  const error = new RangeError(someText(rand, 100))
  error.stack = `RangeError: ${error.message}\n    at somewhere (file.js:1:2)`
  if (rand() < 0.5) error.code = pick(rand, words)
  if (depth > 0 && rand() < 0.3) error.cause = someError(rand, depth - 1, largest)
  return error
}

function someOddity(rand) {
  const odd = [undefined, null, Symbol('s'), () => 1, 12345678901234567890n, new Date(86_400_000), new Map([[1, 2]])]
  return pick(rand, [...odd, { toJSON: () => ({ made: 'by toJSON' }) }, Buffer.from('abc'), /x/g, new Date(Number.NaN)])
}

function someValue(rand, depth, largest) {
  const kind = rand()
  if (kind < 0.35) return someText(rand, largest)
  if (kind < 0.55)
    return rand() < 0.3 ? pick(rand, numbers) : Math.floor(rand() * 2 ** 40) / pick(rand, [1, 2 ** 20, 1e3])
  if (kind < 0.65) return rand() < 0.5
  if (kind < 0.75) return someOddity(rand)
  if (kind < 0.8) return someError(rand, depth, largest)
  if (depth === 0) return null
  if (kind < 0.87) return Array.from({ length: rand() * 5 }, () => someValue(rand, depth - 1, largest / 8))
  return someFields(rand, depth - 1, largest / 8)
}

function someFields(rand, depth, largest) {
  const fields = {}
  for (let left = Math.floor(rand() * 6); left > 0; left--) {
    const key = rand() < 0.1 ? someText(rand, 40) : pick(rand, keys)
    fields[key] = someValue(rand, depth, largest)
  }
  if (rand() < 0.03) fields.self = fields
  return fields
}

const eventNames = [[], ['user', 'ip'], ['a1', 'b1', 'c1', 'd1', 'e1', 'f1', 'g1', 'h1', 'i1', 'j1']]

/** An event of the logger, or what stands for one with pino. */
function eventOf(log, kind) {
  const names = ['n', ...eventNames[kind]]
  const message = `event ${kind}`
  if (log.event) return log.event(message, names, { level: 'warn' })
  return (...values) => log.warn(Object.fromEntries(names.map((name, i) => [name, values[i]])), message)
}

/** Says records by numbers, each the same whenever and by whichever logger it is said. */
class Driver {
  #log
  #seed
  #largest
  #children = new Map()
  #events

  /**
   * @param log a logger made with `optionsOf`
   * @param {number} seed of the round and thread
   * @param {number} largest length of the longest texts
   */
  constructor(log, seed, largest) {
    this.#log = log
    this.#seed = seed
    this.#largest = largest
    this.#events = eventNames.map((_, kind) => eventOf(log, kind))
  }

  /** One of some children that live on, or one of this record alone. */
  #child(number, rand) {
    const known = Math.floor(rand() * 8)
    if (known > 5) return this.#log.child({ [`of${number}`]: number, a: 'bound' }).child({ inner: someText(rand, 50) })
    if (!this.#children.has(known)) this.#children.set(known, this.#makeChild(known))
    return this.#children.get(known)
  }

  #makeChild(number) {
    const options = [{}, { msgPrefix: 'child: ' }, { serializers: { b: () => 'by the child' } }, { redact: ['ip'] }]
    return this.#log.child({ child: number, text: words[number] }, options[number % options.length])
  }

  say(number) {
    const rand = random(Math.imul(this.#seed, 0x9e3779b1) + number)
    const log = rand() < 0.3 ? this.#child(number, rand) : this.#log
    const level = pick(rand, ['trace', 'info', 'info', 'error'])
    const kind = rand()
    const fields = () => ({ n: number, ...someFields(rand, 3, this.#largest) })
    const text = () => (rand() < 0.6 ? pick(rand, ['user login', 'request done', 'ü']) : someText(rand, this.#largest))
    if (kind < 0.3) log[level](fields(), text())
    else if (kind < 0.4) log[level](fields())
    else if (kind < 0.5) log[level](`#${number} ${text()}`)
    else if (kind < 0.6) log[level](fields(), pick(rand, formats), someText(rand, 30), Math.floor(rand() * 1e6))
    else if (kind < 0.7) log[level](Object.assign(someError(rand, 1, 100), { n: number }), `#${number}`)
    else if (kind < 0.75) log[level]({ n: number, err: someError(rand, 2, 100) })
    else this.#sayEvent(number, rand)
  }

  #sayEvent(number, rand) {
    const values = Array.from({ length: 10 }, () => someValue(rand, 2, this.#largest))
    pick(rand, this.#events)(number, ...values)
  }
}

/** `{ key, number }` of a line that is JSON; null if it is none, or tells nothing. */
function readLine(line) {
  let object
  try {
    object = JSON.parse(line)
  } catch {
    return null
  }
  const fields = object?.payload ?? object
  const number = fields?.n ?? fields?.err?.n ?? /#(\d+)/.exec(object?.msg ?? object?.message)?.[1]
  return number === undefined ? null : { key: `${object.r}/${object.t}`, number: Number(number) }
}

/** A line without what its time is. */
const timeless = line => line.replace(/,"time":(\d+|"[^"]{24}")/, ',"time":0')

module.exports = { Driver, optionsOf, variants, readLine, timeless }
