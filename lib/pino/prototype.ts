/**
 * What all loggers share, the prototype behind them: child loggers, bindings, flushing, counters,
 * closing.
 */

import { EventEmitter } from 'node:events'
import { version } from '../own-place'
import { Addition, BoundKeys, BoundText, type PrintedKey } from '../record/definition'
import { BoundObjects } from '../record/objects'
import type { StatsSnapshot } from '../types'
import {
  type Family,
  type Formatters,
  type Internals,
  type Plugin,
  plugins,
  type Serializers,
  type Stage,
  type Stringify
} from './context'
import { type Ending, endOpen, isStandard, whenClosed } from './destination'
import { FAILURES_KEY, Failures } from './error-line'
import { childFormatters, childSerializers, serializedAgain } from './fields'
import { tracedAsJson, write } from './json-line'
import { stringify as asJson, hidingOf, isPlainText, quote, redactionState } from './json-text'
import {
  assertNoCollision,
  cacheLineStarts,
  event,
  getLevel,
  isLevelEnabled,
  type LevelNumbers,
  levelMapping,
  setLevel
} from './levels'
import { childBehindProxy, fastPathSym, formatSym, isProxied, keepFastPath, noteChild, viewOf } from './log-call'
import {
  addStateAccessors,
  asJsonSym,
  boundSym,
  boundText,
  endSym,
  errorKeySym,
  errorTextSym,
  familySym,
  foreignState,
  formatOptsSym,
  formattersSym,
  getLevelSym,
  heed,
  hooksSym,
  jsonAtCallSym,
  keepsLevelSym,
  levelCompSym,
  levelValSym,
  lsCacheSym,
  messageKeySym,
  mixinMergeStrategySym,
  mixinSym,
  msgPrefixSym,
  nestedKeyStrSym,
  nestedKeySym,
  rootSetsSym,
  serializersSym,
  setLevelSym,
  stagesSym,
  stateVersion,
  streamSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSliceIndexSym,
  timeSym,
  trailingFieldsSym,
  useOnlyCustomLevelsSym,
  wildcardFirstSym,
  writeSym
} from './symbols'
import type { Bindings, ChildLoggerOptions } from './types'

// Bindings: fields that every line of a logger carries. They are made into JSON once.

/** Names that the second argument of `child` has taken over; as bindings they are not written. */
const isReserved = (key: string): boolean =>
  key === 'level' || key === 'serializers' || key === 'formatters' || key === 'customLevels'

/** What making bindings into JSON needs of a logger. */
type BindingsContext = Pick<
  Internals,
  | typeof boundSym
  | typeof errorTextSym
  | typeof formattersSym
  | typeof serializersSym
  | typeof stringifiersSym
  | typeof stringifySafeSym
  | typeof stringifySym
>

/** The logger's bindings with `bindings` added. One that throws costs itself. */
export function boundWith(logger: BindingsContext, bindings: Bindings | null | undefined): BoundText {
  // Those of now: what is bound may change them.
  const base = logger[boundSym]
  return new BoundText(addition(logger, bindings), base)
}

/** What `bindings` add to a logger's. */
function addition(logger: BindingsContext, bindings: Bindings | null | undefined): Addition {
  try {
    return plainAddition(logger, bindings)
  } catch {
    return guardedAddition(logger, bindings)
  }
}

function guardedAddition(logger: BindingsContext, bindings: Bindings | null | undefined): Addition {
  const failures = new Failures(Boolean(logger[errorTextSym]))
  const format = (): Bindings => logger[formattersSym].bindings(bindings as Bindings) ?? {}
  const shaped: Bindings = failures.guard('formatters.bindings', format, {})
  let text = ''
  for (const key of failures.guard('bindings', () => Object.keys(shaped), [])) {
    if (isReserved(key)) continue
    const place = logger[serializersSym][key] ? `serializers.${key}` : `binding ${key}`
    const add = (value = shaped[key]) => (value === undefined ? null : bindingAddition(logger, key, value))
    text += failures.guard(place, add, null)?.text ?? ''
  }
  const said = failures.text && bindingAddition(logger, FAILURES_KEY, failures.text)
  return new Addition(said ? text + said.text : text)
}

/** As `JSON.stringify`, also where that finds the text too long. */
const quoteAny = (text: string): string => asJson(text) as string

/** What a key of bindings has in common, whatever its value: of all loggers with these tables. */
class KnownBinding implements PrintedKey {
  readonly key: string
  readonly serializers: Serializers
  readonly stringifiers: Internals[typeof stringifiersSym]
  readonly version = stateVersion.count
  readonly serializer: Serializers[string]
  /** null: the logger's own. */
  readonly stringify: Stringify | null
  readonly printed: string
  readonly quoted: string
  readonly isPlain = isPlainText
  readonly quote = quoteAny
  /** null: it may be a key that is data. */
  names: BoundKeys | null = null

  constructor(key: string, logger: BindingsContext) {
    this.key = key
    this.serializers = logger[serializersSym]
    this.stringifiers = logger[stringifiersSym]
    this.serializer = this.serializers[key]
    this.stringify = this.stringifiers[key] ?? this.stringifiers[wildcardFirstSym] ?? null
    this.printed = `,${quote(key)}:`
    this.quoted = `${this.printed}"`
  }
}

/** Those of some bindings printed last: the children of a service have the same ones. */
let recent: readonly KnownBinding[] = []
const MOST_RECENT = 8

function knownBinding(key: string, logger: BindingsContext): KnownBinding {
  for (let i = 0; i < recent.length; i++) {
    const known = recent[i]!
    const isIt =
      known.key === key &&
      known.serializers === logger[serializersSym] &&
      known.stringifiers === logger[stringifiersSym] &&
      known.version === stateVersion.count
    if (!isIt) continue
    known.names ??= new BoundKeys([known.printed], known.printed)
    return known
  }
  const made = new KnownBinding(key, logger)
  recent = [made, ...recent.slice(0, MOST_RECENT - 1)]
  return made
}

const isOwn = Object.prototype.hasOwnProperty
const NOTHING = new Addition('')

function plainAddition(logger: BindingsContext, bindings: Bindings | null | undefined): Addition {
  let all = NOTHING
  const shaped = logger[formattersSym].bindings(bindings as Bindings) ?? {}
  for (const key in shaped) {
    const value = shaped[key]
    if (value === undefined || !isOwn.call(shaped, key) || isReserved(key)) continue
    const added = bindingAddition(logger, key, value)
    if (added !== null) all = all.and(added)
  }
  return all
}

const objects = new BoundObjects(quote)

/** Whether records of the logger's lines may have its bindings' values. */
const takesInline = (logger: Partial<Internals>): boolean => logger[fastPathSym]?.takesInline === true

/** Whether `JSON.stringify` prints a text as `print` does. */
const isKept = (print: Stringify, text: string): boolean => print === asJson || hidingOf(print)?.(text) === text

/** null: not to be printed. */
function bindingAddition(logger: BindingsContext, key: string, value: unknown): Addition | null {
  const binding = knownBinding(key, logger)
  const { serializer } = binding
  const shaped = serializer ? serialized(serializer, value) : value
  const stringify: Stringify = binding.stringify ?? logger[stringifySym]
  // The id of a request, nearly always.
  if (typeof shaped === 'string' && isKept(stringify, shaped)) return new Addition(null, binding, shaped)
  const isRecorded = typeof shaped === 'object' && shaped !== null && stringify === asJson && binding.names !== null
  const recorded = isRecorded && takesInline(logger) ? objects.addition(key, binding, shaped) : null
  if (recorded !== null) return recorded
  const text = stringify(shaped, logger[stringifySafeSym])
  if (text === undefined) return null
  // What a redaction or somebody else's function returns may be anything.
  return typeof text === 'string'
    ? new Addition(binding.printed + text, binding, text)
    : new Addition(binding.printed + text)
}

function serialized(serializer: (value: unknown) => unknown, value: unknown): unknown {
  try {
    return serializer(value)
  } catch {
    return serializedAgain(serializer, value)
  }
}

/** The bindings as they are written, without what every process's logger has. */
function readBindings(logger: Internals): Bindings {
  const bindings = JSON.parse(`{${logger[boundSym].text.slice(1)}}`) as Bindings
  delete bindings.pid
  delete bindings.hostname
  return bindings
}

// Child loggers: they inherit everything from their parent and override what their options name.

type Options = ChildLoggerOptions<string>

function setLevels(child: Internals, custom: LevelNumbers): void {
  assertNoCollision(child.levels, custom)
  const all = { ...child.levels.values, ...custom }
  child.levels = levelMapping(all, child[useOnlyCustomLevelsSym])
  cacheLineStarts(child)
}

function setRedaction(child: Internals, option: object): void {
  child.redact = option
  Object.assign(child, redactionState(option, child[stringifySafeSym]))
}

function applyOptions(child: Internals, options: Options): void {
  if (Object.hasOwn(options, 'serializers')) {
    child[serializersSym] = childSerializers(child[serializersSym], options.serializers as Serializers | undefined)
  }
  if (Object.hasOwn(options, 'customLevels')) setLevels(child, options.customLevels ?? {})
  if (typeof options.redact === 'object' && options.redact !== null) setRedaction(child, options.redact)
  if (typeof options.msgPrefix === 'string') child[msgPrefixSym] = (child[msgPrefixSym] ?? '') + options.msgPrefix
}

/** @throws without bindings, or if an option is wrong */
export function child(this: Internals, bindings: Bindings, options?: Options): Internals {
  if (!bindings) throw Error('missing bindings for child Pino')
  heed(this)
  const instance = isProxied(this) ? childOfProxied(this, bindings, options) : childOf(this, bindings, options)
  this.onChild(instance)
  return instance
}

function childOf(parent: Internals, bindings: Bindings, options: Options | undefined): Internals {
  const instance = Object.create(parent) as Internals
  equip(parent, instance, bindings, options)
  noteChild(instance, parent, options === undefined || !shapesLines(options))
  return instance
}

/** Whether lines of a child with these options differ from its parent's by more than bindings. */
function shapesLines(options: Options): boolean {
  return (
    Object.hasOwn(options, 'serializers') ||
    Object.hasOwn(options, 'customLevels') ||
    Object.hasOwn(options, 'formatters') ||
    Boolean(options.redact) ||
    options.msgPrefix !== undefined
  )
}

function childOfProxied(logger: Internals, bindings: Bindings, options: Options | undefined): Internals {
  const parent = viewOf(logger)
  const instance = childBehindProxy(parent) as Internals
  equip(parent, instance, bindings, options)
  return instance
}

/** Gives a child what it does not have from its parent. */
function equip(parent: Internals, instance: Internals, bindings: Bindings, options: Options | undefined): void {
  // Of the options only their own `formatters`, `serializers` and `customLevels` count, as in pino.
  const own = options && Object.hasOwn(options, 'formatters') ? options.formatters : undefined
  const formatters = childFormatters(parent[formattersSym], own as Partial<Formatters> | undefined)
  if (formatters !== parent[formattersSym]) instance[formattersSym] = formatters
  if (options) applyOptions(instance, options)
  instance[boundSym] = boundWith(instance, bindings)
  if (options) {
    const level = options.level || parent.level
    if (level !== parent.level || Object.hasOwn(options, 'customLevels')) instance[setLevelSym](level)
  }
}

// The destination of a logger: counters, flushing, closing.

interface Counting {
  getStatsSnapshot?: () => StatsSnapshot
  streams?: unknown
}

/** Those of a destination, or of each of its streams; none of one that does not count. */
export function countersOf(stream: unknown): StatsSnapshot[] {
  const { getStatsSnapshot, streams } = stream as Counting
  if (typeof getStatsSnapshot === 'function') return [getStatsSnapshot.call(stream)]
  return Array.isArray(streams) ? streams.flatMap(entry => countersOf((entry as { stream: object }).stream)) : []
}

/**
 * The counters of several destinations as one's: numbers are added up, the rest is the first one's.
 */
export function sum(all: readonly StatsSnapshot[]): StatsSnapshot | null {
  const [first, ...others] = all
  if (first === undefined) return null
  const total = { ...first } as unknown as Record<string, unknown>
  for (const [name, value] of Object.entries(first)) {
    if (typeof value !== 'number' || name === 'ioAlignment') continue
    total[name] = others.reduce((so, stats) => so + ((stats as unknown as Record<string, number>)[name] ?? 0), value)
  }
  return total as unknown as StatsSnapshot
}

/**
 * The counters of the logger's destination, of several added up; null if it has none, as pino's
 * streams.
 */
export function getStatsSnapshot(this: Internals): StatsSnapshot | null {
  return sum(countersOf(this[streamSym]))
}

/** What stages hold back is logged, too. */
function flushStages(logger: Internals): void {
  for (const stage of logger[stagesSym]) stage.flush?.()
}

/** Writes what was logged so far before it returns, where the destination can. */
export function flushSync(this: Internals): void {
  flushStages(this)
  this[streamSym].flushSync?.()
}

/** Of standard output, or a multistream: what goes on, or says nothing of its end. */
async function flushed(logger: Internals): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    logger.flush(error => (error ? reject(error) : resolve()))
  })
}

/**
 * Writes what was logged so far, and ends the destination: later lines of all its loggers are
 * dropped. Standard output, which all loggers without a destination share, is flushed only.
 */
export async function close(this: Internals): Promise<void> {
  const stream = this[streamSym] as Ending
  flushStages(this)
  for (const stage of this[stagesSym]) stage.close?.()
  if (isStandard(stream) || stream === process.stdout || stream === process.stderr) {
    await flushed(this)
    return
  }
  const closed = whenClosed(stream)
  endOpen(stream)
  await closed
}

// The prototype.

const noop = (): void => {}

/** @throws if `callback` is given and no function */
function flush(this: Internals, callback?: (error?: Error) => void): void {
  flushStages(this)
  if (callback != null && typeof callback !== 'function') throw Error('callback must be a function')
  const stream = this[streamSym]
  if (typeof stream.flush === 'function') stream.flush(callback ?? noop)
  else callback?.()
}

const NO_STAGES: readonly Stage[] = []

const methods = {
  constructor: class Pino {},
  child,
  bindings(this: Internals): Bindings {
    heed(this)
    return readBindings(this)
  },
  setBindings(this: Internals, bindings: Bindings): void {
    heed(this)
    const bound = this[boundSym]
    const isChild = bound.owner === this
    this[boundSym] = isChild ? bound.with(addition(this, bindings)) : boundText(boundWith(this, bindings).text)
    // A sealed logger that has no path of its own asks its parent's each time.
    const mayForget = Object.isExtensible(this) || Object.hasOwn(this, fastPathSym)
    if (mayForget) keepFastPath(this, isChild ? (bound.parent as Internals)[fastPathSym] : null)
  },
  event,
  flush,
  flushSync,
  close,
  getStatsSnapshot,
  isLevelEnabled,
  version,
  get level(): string {
    return (this as unknown as Internals)[getLevelSym]()
  },
  set level(level: string | number) {
    ;(this as unknown as Internals)[setLevelSym](level)
  },
  get levelVal(): number {
    return (this as unknown as Internals)[levelValSym]
  },
  set levelVal(_value: number) {
    throw Error('levelVal is read-only')
  },
  get msgPrefix(): string | undefined {
    return (this as unknown as Internals)[msgPrefixSym]
  },
  get [Symbol.toStringTag](): string {
    return 'Pino'
  },
  [lsCacheSym]: {},
  /** By way of Node's, which may be replaced. */
  emit(this: Internals, name: string, ...values: unknown[]): boolean {
    return EventEmitter.prototype.emit.call(this, name, ...values)
  },
  // Found here rather than behind the proxy at the end of the chain.
  [fastPathSym]: null,
  [formatSym]: undefined,
  _events: undefined,
  [stagesSym]: NO_STAGES,
  [keepsLevelSym]: undefined,
  [writeSym]: write,
  [asJsonSym]: tracedAsJson,
  [getLevelSym]: getLevel,
  [setLevelSym]: setLevel
}

addStateAccessors(methods)
Object.setPrototypeOf(methods, foreignState)

/** A prototype for one logger and its children, over the methods that all loggers share. */
export function loggerPrototype(): object {
  const family = Object.create(methods) as Family & { [familySym]: Family }
  family[familySym] = family
  return family
}

/**
 * A logger that is nobody's child, with slots for what it is made of. V8 keeps an object's shape,
 * and so its prototype, until the next full collection: loggers with a prototype of their own would
 * stay that long, with all they hold, however short they live. As fields of a class the slots are
 * the same for all of them, and no hash table, which an object gets that is given more than some
 * twelve properties one by one.
 */
class RootLogger {
  // What pino's loggers have of their own, for those who list it.
  levels: unknown = undefined
  silent: unknown = undefined
  onChild: unknown = undefined;
  [familySym]: unknown = this;
  [levelCompSym]: unknown = undefined;
  [useOnlyCustomLevelsSym]: unknown = undefined;
  [streamSym]: unknown = undefined;
  [timeSym]: unknown = undefined;
  [timeSliceIndexSym]: unknown = undefined;
  [mixinSym]: unknown = undefined;
  [mixinMergeStrategySym]: unknown = undefined;
  [hooksSym]: unknown = undefined;
  [errorTextSym]: unknown = undefined;
  [trailingFieldsSym]: unknown = undefined;
  [jsonAtCallSym]: unknown = undefined;
  [msgPrefixSym]: unknown = undefined;
  [stringifySym]: unknown = undefined;
  [stringifySafeSym]: unknown = undefined;
  [stringifiersSym]: unknown = undefined;
  [formatOptsSym]: unknown = undefined;
  [endSym]: unknown = undefined;
  [serializersSym]: unknown = undefined;
  [formattersSym]: unknown = undefined;
  [boundSym]: unknown = undefined;
  [messageKeySym]: unknown = undefined;
  [errorKeySym]: unknown = undefined;
  [nestedKeySym]: unknown = undefined;
  [nestedKeyStrSym]: unknown = undefined;
  [lsCacheSym]: unknown = undefined;
  [levelValSym]: unknown = undefined;
  [fastPathSym]: unknown = null;
  [formatSym]: unknown = undefined;
  [rootSetsSym]: unknown = undefined
}

delete (RootLogger.prototype as { constructor?: unknown }).constructor
Object.setPrototypeOf(RootLogger.prototype, methods)

/**
 * A logger whose state has yet to be filled in. It is what its children inherit from, and others do
 * not.
 */
export function newRootLogger(): Internals {
  return new RootLogger() as unknown as Internals
}

/** Makes a plug-in part of all loggers. */
export function addPlugin(plugin: Plugin): void {
  plugins.push(plugin)
  Object.assign(methods, plugin.properties)
}

/**
 * Puts a stage between the loggers of a family and what they have had there until now.
 *
 * @param logger one of the family
 * @param stage passes records on to `logger[familySym][writeSym]`, as that was before
 */
export function addStage(logger: Internals, stage: Stage): void {
  const family = logger[familySym]
  family[stagesSym] = [stage, ...family[stagesSym]]
  family[writeSym] = function write(fields, message, level) {
    stage.write(this, fields, message, level)
  }
}
