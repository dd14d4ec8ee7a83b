/**
 * The structured logger for browsers. Bundlers take it in the place of the one for Node.js. It
 * writes to the console and has the API that pino has there.
 */

import redactor from '@pinojs/redact'
import format from 'quick-format-unescaped'
import type {
  Bindings,
  BrowserOptions,
  LevelMapping,
  LogEvent,
  Logger,
  LoggerOptions,
  SerializerFn
} from './pino/types'

// What the exported function carries.

/** Numbers and names of the standard levels. */
const levels: LevelMapping = {
  values: { fatal: 60, error: 50, warn: 40, info: 30, debug: 20, trace: 10 },
  labels: { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
}

/** An error as an object: the console of a service that gets it has no use for the error itself. */
function errorFields(error: Error): Record<string, unknown> {
  const fields: Record<string, unknown> = { type: error.constructor.name, msg: error.message, stack: error.stack }
  const all = error as unknown as Record<string, unknown>
  for (const key in all) fields[key] ??= all[key]
  return fields
}

const nothing = (): object => ({})
const same = <Value>(value: Value): Value => value

/**
 * Requests and responses are of Node.js; their serializers are here so that options can be shared.
 */
const stdSerializers = {
  mapHttpRequest: nothing,
  mapHttpResponse: nothing,
  wrapRequestSerializer: same,
  wrapResponseSerializer: same,
  wrapErrorSerializer: same,
  req: nothing,
  res: nothing,
  err: errorFields,
  errWithCause: errorFields
}

/** Values of the time in objects; not text, as in Node.js. */
const stdTimeFunctions = {
  nullTime: (): false => false,
  epochTime: (): number => Date.now(),
  unixTime: (): number => Math.round(Date.now() / 1000),
  isoTime: (): string => new Date(Date.now()).toISOString()
}

// The options `serializers` and `browser.serialize`.

type Serializers = Record<string, SerializerFn>

/** In the list of `browser.serialize`, keeps errors as they are. */
const NO_ERRORS = '!stdSerializers.err'

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

class Serialization {
  readonly serializers: Serializers
  readonly #option: boolean | string[] | undefined

  constructor(serializers: Serializers, option: boolean | string[] | undefined) {
    this.serializers = serializers
    this.#option = option
  }

  forChild(own: Serializers | undefined): Serialization {
    return own ? new Serialization({ ...this.serializers, ...own }, this.#option) : this
  }

  /** Arguments of a call as they are written. */
  ofCalls(args: readonly unknown[]): unknown[] {
    return this.#option ? this.#apply(args) : [...args]
  }

  /** Arguments and bindings as they are sent: serialized in any case. */
  ofEvents(args: readonly unknown[]): unknown[] {
    return this.#apply(args)
  }

  #apply(args: readonly unknown[]): unknown[] {
    const option = this.#option
    const named = Array.isArray(option) ? option.filter(name => name !== NO_ERRORS) : Object.keys(this.serializers)
    const keepsErrors = Array.isArray(option) && option.includes(NO_ERRORS)
    return args.map(arg => this.#one(arg, named, keepsErrors))
  }

  #one(value: unknown, named: readonly string[], keepsErrors: boolean): unknown {
    if (value instanceof Error) return keepsErrors ? value : stdSerializers.err(value)
    if (!isFields(value)) return value
    const keys = named.filter(key => key in value && key in this.serializers)
    if (keys.length === 0) return value
    return { ...value, ...Object.fromEntries(keys.map(key => [key, this.serializers[key]?.(value[key])])) }
  }
}

// The option `browser.reportCaller`.

/**
 * Frames between the program's call and the question: of this function, the logger's writing, the
 * level's method.
 */
const OWN_FRAMES = 3

/** `file:line:column` of the program's call; null if the stack does not tell. */
function callerLocation(): string | null {
  // Some browsers begin a stack with the error's name, some do not.
  const frames = (new Error().stack ?? '').split('\n').filter(line => /:\d+:\d+/.test(line))
  const frame = frames[OWN_FRAMES] ?? ''
  return /(?:\(|@|at\s+)([^(@\s][^(@]*:\d+:\d+)\)?$/.exec(frame.trim())?.[1] ?? null
}

// The option `browser.asObject`.

interface ObjectShape {
  messageKey: string
  /** Only bindings and fields become the object; the message and what follows stay arguments. */
  bindingsOnly: boolean
  level: ((label: string, number: number) => object) | undefined
  log: ((object: Record<string, unknown>) => Record<string, unknown>) | undefined
  redact: ((fields: object) => object) | null
}

/** The message with its placeholders filled in. */
function messageOf(args: readonly unknown[]): unknown {
  const [message, ...values] = args
  return typeof message === 'string' ? format(message, values, { stringify: value => JSON.stringify(value) }) : message
}

function finished(shape: ObjectShape, fields: Record<string, unknown>): object {
  const formatted = shape.log ? shape.log(fields) : fields
  return shape.redact ? shape.redact(formatted) : formatted
}

/** The object, and the arguments that are left beside it. */
function asObject(
  shape: ObjectShape,
  level: { label: string; value: number },
  bindings: readonly object[],
  args: readonly unknown[],
  time: unknown
): [object, ...unknown[]] {
  const fields: Record<string, unknown> = {}
  if (time) fields.time = time
  Object.assign(fields, shape.level ? shape.level(level.label, level.value) : { level: level.value }, ...bindings)
  const first = args[0]
  const isObject = typeof first === 'object' && first !== null
  if (isObject) Object.assign(fields, first)
  const rest = isObject ? args.slice(1) : args
  if (shape.bindingsOnly) return [finished(shape, fields), ...rest]
  const message = messageOf(rest)
  if (message !== undefined) fields[shape.messageKey] = message
  return [finished(shape, fields)]
}

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
  // Looked up once: what replaces the console's methods later, such as another tool, is not asked
  // for.
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
    const [fields, ...rest] = asObject(
      shape,
      { label: level, value: mapping.values[level] as number },
      bindings,
      args,
      time
    )
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
