/**
 * The structured logger for browsers, where bundlers take it in the place of the one for Node.js: it writes to the console, and has the API that
 * pino has there.
 */

import redactor from '@pinojs/redact'
import { asObject, type ObjectShape } from './browser/as-object'
import { callerLocation } from './browser/caller'
import { Serialization, type Serializers } from './browser/serialization'
import { levels, stdSerializers, stdTimeFunctions } from './browser/statics'
import type { Bindings, BrowserOptions, LevelMapping, LogEvent, Logger, LoggerOptions } from './pino/types'

type Method = (...args: unknown[]) => void
type Options = LoggerOptions<string, boolean>

/** A logger as the functions of this module see it. */
interface State {
  [level: string]: unknown
  child(bindings: Bindings, options?: ChildOptions): State
}

interface ChildOptions {
  level?: string
  serializers?: Serializers
}

/** What a logger and its children have in common. */
interface Shared {
  levels: LevelMapping
  names: string[]
  /** Where the lines of each level go. */
  sinks: Record<string, Method>
  shape: ObjectShape | null
  reportCaller: boolean
  time: () => unknown
  transmit: NonNullable<BrowserOptions['transmit']> | null
  onChild: (child: State) => void
  serializesChildren: boolean
}

function noop(): void {}
/** The console's methods for levels that it has no method of that name for; else `log`. */
const FALLBACKS: Record<string, string> = { fatal: 'error', warn: 'error' }
/** What an emitter of events has; there are no events here. */
const EMITTER_METHODS = [
  'addListener',
  'emit',
  'eventNames',
  'flush',
  'getMaxListeners',
  'listenerCount',
  'listeners',
  'on',
  'once',
  'prependListener',
  'prependOnceListener',
  'removeAllListeners',
  'removeListener',
  'setMaxListeners',
  'write'
]

const consoleObject = (globalThis.console ?? {}) as unknown as Record<string, Method | undefined>

function sinkOf(level: string, write: BrowserOptions['write']): Method {
  if (typeof write === 'function') return write as Method
  const own = (write as Record<string, Method | undefined> | undefined)?.[level]
  if (own) return own.bind(write)
  const name = FALLBACKS[level] ?? level
  // Looked up once: what replaces the console's methods later, such as another tool, is not asked for.
  const found = consoleObject[level] ?? consoleObject[name] ?? consoleObject.log
  return found === undefined ? noop : found.bind(consoleObject)
}

function levelMapping({ customLevels = {} }: Options): LevelMapping {
  const own = Object.entries(customLevels)
  return {
    values: { ...levels.values, ...Object.fromEntries(own) },
    labels: { ...levels.labels, ...Object.fromEntries(own.map(([name, value]) => [value, name])) }
  }
}

function timeOf({ timestamp }: Options): () => unknown {
  if (typeof timestamp === 'function') return timestamp
  return timestamp === false ? stdTimeFunctions.nullTime : stdTimeFunctions.epochTime
}

function redactionOf({ redact }: Options): ((fields: object) => object) | null {
  if (!redact) return null
  const { paths, censor = '[Redacted]', remove } = Array.isArray(redact) ? { paths: redact } : redact
  if (!Array.isArray(paths)) throw Error('pino – redact must contain an array of strings')
  const options = { paths, censor: remove ? undefined : censor, remove, serialize: false }
  return redactor(options as redactor.RedactOptions) as unknown as (fields: object) => object
}

function shapeOf(options: Options, browser: BrowserOptions): ObjectShape | null {
  if (!browser.asObject && !browser.write && !browser.formatters) return null
  return {
    messageKey: options.messageKey ?? 'msg',
    bindingsOnly: Boolean(browser.asObjectBindingsOnly),
    level: browser.formatters?.level,
    log: browser.formatters?.log,
    redact: redactionOf(options)
  }
}

function sharedOf(options: Options, browser: BrowserOptions): Shared {
  const { transmit = null, write } = browser
  if (transmit && typeof transmit.send !== 'function') throw Error('pino: transmit option must have a send function')
  const names = [...Object.keys(levels.values), ...Object.keys(options.customLevels ?? {})]
  return {
    levels: levelMapping(options),
    names,
    sinks: Object.fromEntries(names.map(name => [name, sinkOf(name, write)])),
    shape: shapeOf(options, browser),
    reportCaller: Boolean(browser.reportCaller),
    time: timeOf(options),
    transmit,
    onChild: (options.onChild ?? noop) as Shared['onChild'],
    serializesChildren: Boolean(browser.serialize)
  }
}

function numberOf(level: string, { levels: { values } }: Shared): number {
  return level === 'silent' ? Number.POSITIVE_INFINITY : (values[level] as number)
}

/** One logger: its level, bindings and serializers, and the object that stands for it. */
class BrowserLogger {
  readonly #shared: Shared
  readonly #serialization: Serialization
  /** Bindings of its ancestors and its own, a group for each of them. */
  readonly #groups: Bindings[]
  #level = 'info'
  readonly object: State

  constructor(shared: Shared, serialization: Serialization, groups: Bindings[], prototype: object) {
    this.#shared = shared
    this.#serialization = serialization
    this.#groups = groups
    this.object = Object.create(prototype) as State
    this.#define()
  }

  #define(): void {
    const { object } = this
    const shared = this.#shared
    Object.defineProperties(object, {
      level: { get: () => this.#level, set: (level: string) => this.setLevel(level), configurable: true },
      levelVal: { get: () => numberOf(this.#level, shared), configurable: true }
    })
    for (const name of EMITTER_METHODS) object[name] = noop
    object.log ??= noop
    object.levels = shared.levels
    object.serializers = this.#serialization.serializers
    object.isLevelEnabled = (level: string) =>
      level in shared.levels.values && numberOf(level, shared) >= numberOf(this.#level, shared)
    object.bindings = () => Object.assign({}, ...this.#groups)
    object.setBindings = (bindings: Bindings) => {
      this.#groups.push({ ...this.#groups.pop(), ...bindings })
    }
    object.child = (bindings, options) => this.#child(bindings, options)
  }

  /** @throws if there is no such level */
  setLevel(level: string): void {
    if (level !== 'silent' && !(level in this.#shared.levels.values)) throw Error(`unknown level ${level}`)
    this.#level = level
    for (const name of this.#shared.names) {
      const value = this.#methodOf(name)
      Object.defineProperty(this.object, name, { value, writable: true, enumerable: true, configurable: true })
    }
  }

  #methodOf(level: string): Method {
    const { transmit, sinks } = this.#shared
    const value = numberOf(level, this.#shared)
    const writes = value >= numberOf(this.#level, this.#shared)
    const sends = transmit !== null && value >= numberOf(transmit.level ?? this.#level, this.#shared)
    if (!writes && !sends) return noop
    const sink = sinks[level] as Method
    if (sink === noop && !sends) return noop
    return (...given) => {
      const time = this.#shared.time()
      if (writes) this.#write(sink, level, given, time)
      if (sends) this.#send(level, given, time)
    }
  }

  /** The groups that say something. */
  #bindings(): Bindings[] {
    return this.#groups.filter(group => Object.keys(group).length > 0)
  }

  #write(sink: Method, level: string, given: unknown[], time: unknown): void {
    const { shape, reportCaller, levels: mapping } = this.#shared
    const args = this.#serialization.ofCalls(given)
    const bindings = this.#bindings()
    const caller = reportCaller ? callerLocation() : null
    if (shape === null) {
      sink(...bindings, ...args, ...(caller === null ? [] : [caller]))
      return
    }
    const [fields, ...rest] = asObject(shape, level, mapping.values[level] as number, bindings, args, time)
    sink(caller === null ? fields : { ...fields, caller }, ...rest)
  }

  #send(level: string, given: unknown[], time: unknown): void {
    const { transmit } = this.#shared
    const event = {
      ts: time,
      messages: this.#serialization.ofEvents(given),
      bindings: this.#serialization.ofEvents(this.#bindings()),
      level: { label: level, value: numberOf(level, this.#shared) }
    } as LogEvent
    const send = transmit?.send as (level: string, event: LogEvent, value: number) => void
    send(level, event, numberOf(this.#level, this.#shared))
  }

  #child(bindings: Bindings, options: ChildOptions = {}): State {
    if (!bindings) throw new Error('missing bindings for child Pino')
    const { serializers: inBindings, ...own } = bindings as Bindings & { serializers?: Serializers }
    const isNamed = this.#shared.serializesChildren
    const serialization = this.#serialization.forChild(isNamed ? (inBindings ?? options.serializers) : undefined)
    const [group] = serialization.ofCalls([isNamed ? own : bindings]) as [Bindings]
    const child = new BrowserLogger(this.#shared, serialization, [...this.#groups, group], this.object)
    child.setLevel(options.level ?? this.#level)
    this.#shared.onChild(child.object)
    return child.object
  }
}

/**
 * A structured logger that writes to the console.
 *
 * @param options as everywhere; `browser` says how lines are shaped and where they go
 * @throws if an option is wrong
 */
function pino<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  options: LoggerOptions<CustomLevels, UseOnlyCustomLevels> = {}
): Logger<CustomLevels, UseOnlyCustomLevels> {
  const given = options as Options
  const { browser = {} } = given
  const shared = sharedOf(given, browser)
  const serialization = new Serialization(given.serializers ?? {}, browser.serialize)
  const prototype = typeof browser.write === 'object' ? browser.write : consoleObject
  const logger = new BrowserLogger(shared, serialization, [{}], prototype)
  logger.setLevel(given.enabled === false || browser.disabled ? 'silent' : (given.level ?? 'info'))
  return logger.object as unknown as Logger<CustomLevels, UseOnlyCustomLevels>
}

const statics = { levels, stdSerializers, stdTimeFunctions }

export = Object.assign(pino, statics, { default: pino, pino, shardlog: pino })
