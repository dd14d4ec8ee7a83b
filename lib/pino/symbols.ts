/**
 * The keys of a logger's inner state, and access to it from outside. Integrations of pino reach for
 * the state by `pino.symbols`. Log calls keep what they derive from the state, so every change of
 * it from outside has to be noticed: what shapes a line is under symbols of our own, with pino's in
 * front of them. An assignment is noticed by a setter; a change within a table by a proxy, which is
 * what those outside are given; a property that is defined over ours, which runs no code at all, by
 * looking for it, once somebody has asked for the symbol.
 */

import { EventEmitter } from 'node:events'
import { Addition, BoundText } from '../record/definition'

export const asJsonSym: unique symbol = Symbol('pino.asJson')
/** The bindings: a `BoundText`, whose text is what those outside are given. */
export const boundSym: unique symbol = Symbol('shardlog.bound')
export const endSym: unique symbol = Symbol('shardlog.end')
export const errorKeySym: unique symbol = Symbol('shardlog.errorKey')
export const formatOptsSym: unique symbol = Symbol('pino.formatOpts')
export const formattersSym: unique symbol = Symbol('shardlog.formatters')
export const getLevelSym: unique symbol = Symbol('pino.getLevel')
export const hooksSym: unique symbol = Symbol('shardlog.hooks')
export const levelCompSym: unique symbol = Symbol('pino.levelComp')
export const levelValSym: unique symbol = Symbol('pino.levelVal')
export const lsCacheSym: unique symbol = Symbol('shardlog.lsCache')
export const messageKeySym: unique symbol = Symbol('shardlog.messageKey')
export const mixinMergeStrategySym: unique symbol = Symbol('pino.mixinMergeStrategy')
export const mixinSym: unique symbol = Symbol('shardlog.mixin')
export const msgPrefixSym: unique symbol = Symbol('shardlog.msgPrefix')
export const needsMetadataGsym: unique symbol = Symbol.for('pino.metadata')
export const nestedKeyStrSym: unique symbol = Symbol('pino.nestedKeyStr')
export const nestedKeySym: unique symbol = Symbol('shardlog.nestedKey')
/** Of handles: what is counted there, for lib/metrics.ts. */
export const readingsSym: unique symbol = Symbol('shardlog.readings')
export const redactFmtSym: unique symbol = Symbol('pino.redactFmt')
export const serializersSym: unique symbol = Symbol('shardlog.serializers')
export const setLevelSym: unique symbol = Symbol('pino.setLevel')
export const streamSym: unique symbol = Symbol('shardlog.stream')
export const stringifiersSym: unique symbol = Symbol('shardlog.stringifiers')
export const stringifySafeSym: unique symbol = Symbol('shardlog.stringifySafe')
export const stringifySym: unique symbol = Symbol('shardlog.stringify')
export const timeSliceIndexSym: unique symbol = Symbol('pino.timeSliceIndex')
export const timeSym: unique symbol = Symbol('shardlog.time')
export const transportUsesMultistreamSym: unique symbol = Symbol.for('pino.transport.usesMultistream')
const useLevelLabelsSym: unique symbol = Symbol('pino.useLevelLabels')
export const useOnlyCustomLevelsSym: unique symbol = Symbol('pino.useOnlyCustomLevels')
export const wildcardFirstSym: unique symbol = Symbol('pino.wildcardFirst')
export const writeSym: unique symbol = Symbol('pino.write')

/** The object that a logger and all its children inherit from, and others do not; ours alone. */
export const familySym: unique symbol = Symbol('shardlog.family')
/** What lines of a logger that is nobody's child are made by; ours alone. */
export const rootSetsSym: unique symbol = Symbol('shardlog.rootSets')
/**
 * The stages of plug-ins between a family of loggers and its sink, the first to get a record first;
 * ours alone.
 */
export const stagesSym: unique symbol = Symbol('shardlog.stages')
/** What a family of loggers keeps below its level; ours alone. */
export const keepsLevelSym: unique symbol = Symbol('shardlog.keepsLevel')
/** Whether lines that could not be made whole have the text of what was thrown; ours alone. */
export const errorTextSym: unique symbol = Symbol('shardlog.errorText')
/** Whether lines are made at the call, whatever the destination; ours alone. */
export const jsonAtCallSym: unique symbol = Symbol('shardlog.jsonAtCall')
/** Whether fields after the message join the line; ours alone. */
export const trailingFieldsSym: unique symbol = Symbol('shardlog.trailingFields')
/**
 * What a logger without redaction has instead of stringifiers: shared, since loggers only read it.
 */
export const NO_STRINGIFIERS: Readonly<Record<string, undefined>> = Object.freeze(
  Object.create(null) as object
) as never

/** pino's own, by name; the accessors below hand them out. */
const byName = {
  asJsonSym,
  chindingsSym: Symbol('pino.chindings'),
  endSym: Symbol('pino.end'),
  errorKeySym: Symbol('pino.errorKey'),
  formatOptsSym,
  formattersSym: Symbol.for('pino.formatters'),
  getLevelSym,
  hooksSym: Symbol.for('pino.hooks'),
  levelCompSym,
  levelValSym,
  lsCacheSym: Symbol('pino.lsCache'),
  messageKeySym: Symbol('pino.messageKey'),
  mixinMergeStrategySym,
  mixinSym: Symbol('pino.mixin'),
  msgPrefixSym: Symbol('pino.msgPrefix'),
  needsMetadataGsym,
  nestedKeyStrSym,
  nestedKeySym: Symbol('pino.nestedKey'),
  redactFmtSym,
  serializersSym: Symbol.for('pino.serializers'),
  setLevelSym,
  streamSym: Symbol('pino.stream'),
  stringifiersSym: Symbol('pino.stringifiers'),
  stringifySafeSym: Symbol('pino.stringifySafe'),
  stringifySym: Symbol('pino.stringify'),
  timeSliceIndexSym,
  timeSym: Symbol('pino.time'),
  transportUsesMultistreamSym,
  useLevelLabelsSym,
  useOnlyCustomLevelsSym,
  wildcardFirstSym,
  writeSym
} as const

/** What stands behind those of pino's byName that are not the logger's own keys. */
const stateSymbols: readonly (readonly [outer: symbol, inner: symbol])[] = [
  [byName.chindingsSym, boundSym],
  [byName.endSym, endSym],
  [byName.errorKeySym, errorKeySym],
  [byName.formattersSym, formattersSym],
  [byName.hooksSym, hooksSym],
  [byName.lsCacheSym, lsCacheSym],
  [byName.messageKeySym, messageKeySym],
  [byName.mixinSym, mixinSym],
  [byName.msgPrefixSym, msgPrefixSym],
  [byName.nestedKeySym, nestedKeySym],
  [byName.serializersSym, serializersSym],
  [byName.streamSym, streamSym],
  [byName.stringifiersSym, stringifiersSym],
  [byName.stringifySafeSym, stringifySafeSym],
  [byName.stringifySym, stringifySym],
  [byName.timeSym, timeSym]
]

// Access from outside.

type State = Record<symbol, unknown>
type Pair = readonly [outer: symbol, inner: symbol]

/**
 * `count` grows when state is replaced from outside: what was derived from it is out of date then.
 */
export const stateVersion = { count: 0 }

/**
 * `isActive`: somebody has asked for one of pino's symbols, and may define a property under it;
 * `isComputed`: somebody has defined a getter, whose answer may be another for each line.
 */
export const stateWatch = { isActive: false, isComputed: false }

/** What is looked for beside the symbols that everybody can have, which are registered. */
const watched: Pair[] = []
const { formattersSym: registeredFormatters, hooksSym: registeredHooks, serializersSym: registeredSerializers } = byName
const innerOf = new Map<symbol, symbol>(stateSymbols)

/**
 * Symbols of other copies of pino that loggers have been asked for, for keys that are the same
 * here: methods and the like.
 */
const foreign: Pair[] = []

function watch(outer: symbol, inner: symbol | undefined): void {
  if (inner === undefined || watched.some(([known]) => known === outer)) return
  watched.push([outer, inner])
  stateWatch.isActive = true
  stateVersion.count++
}

/** Tables that log calls remember the content of. */
const TABLES: ReadonlySet<symbol> = new Set([formattersSym, hooksSym, lsCacheSym, serializersSym, stringifiersSym])
const proxies = new WeakMap<object, object>()
const originals = new WeakMap<object, object>()
let forget = (): void => {}

/** Has `callback` called when something in a table was changed. */
export function onTableChange(callback: () => void): void {
  forget = callback
}

function changed<Result>(result: Result): Result {
  stateVersion.count++
  forget()
  return result
}

const tracking: ProxyHandler<object> = {
  defineProperty: (table, key, descriptor) => changed(Reflect.defineProperty(table, key, descriptor)),
  deleteProperty: (table, key) => changed(Reflect.deleteProperty(table, key))
}

/** The table as those outside are given it: changes are noticed. */
function tracked(table: object): object {
  const known = proxies.get(table)
  if (known) return known
  const proxy = new Proxy(table, tracking)
  proxies.set(table, proxy)
  originals.set(proxy, table)
  return proxy
}

/** Tables that several loggers have: who asks for one of them gets one of his own. */
const shared = new WeakSet<object>([NO_STRINGIFIERS])

/** Has `table` be one that several loggers have. */
export function share<Table extends object>(table: Table): Table {
  shared.add(table)
  return table
}

/** The object on the prototype chain of `logger` that has `key` of its own. */
function ownerOf(logger: object, key: symbol): State | null {
  let object: object | null = logger
  while (object !== null && !Object.hasOwn(object, key)) object = Object.getPrototypeOf(object)
  return object as State | null
}

function isTable(value: unknown, inner: symbol): value is object {
  return TABLES.has(inner) && typeof value === 'object' && value !== null
}

function readState(logger: State, inner: symbol): unknown {
  const value = logger[inner]
  if (value instanceof BoundText) return value.text
  if (!isTable(value, inner)) return value
  if (!shared.has(value)) return tracked(value)
  const owner = ownerOf(logger, inner)!
  // What is frozen keeps the one it has.
  if (!Object.getOwnPropertyDescriptor(owner, inner)!.writable) return tracked(value)
  // It may be asked for to be changed, which is noticed; until then the copy says the same.
  const own: object = Object.assign(Object.create(null), value)
  owner[inner] = own
  return tracked(own)
}

/** Bindings that are `text`. */
export const boundText = (text: string): BoundText => new BoundText(new Addition(text))

/** What is kept under `inner` of a value as those outside have it. */
function kept(inner: symbol, value: unknown): unknown {
  return inner === boundSym ? boundText(String(value)) : original(value)
}

/** The table behind what those outside are given of it; anything else as it is. */
function original(value: unknown): unknown {
  return originals.get(value as object) ?? value
}

/**
 * While it is us who look, for what was defined over the accessors: tables come as they are then.
 */
let isLooking = false

function accessor(inner: symbol): PropertyDescriptor {
  return {
    configurable: true,
    get(this: State) {
      // Bindings are text also to us: it may be a proxy's handler that asks.
      return isLooking && inner !== boundSym ? this[inner] : readState(this, inner)
    },
    set(this: State, value: unknown) {
      stateVersion.count++
      this[inner] = kept(inner, value)
    }
  }
}

/** For the prototype behind all loggers. */
const stateAccessors: PropertyDescriptorMap = {
  ...Object.fromEntries(stateSymbols.map(([outer, inner]) => [outer, accessor(inner)])),
  // Written out, so that looking for them, which each record does that is not on the short way,
  // costs nanoseconds.
  [registeredFormatters]: {
    ...accessor(formattersSym),
    get(this: State) {
      return isLooking ? this[formattersSym] : readState(this, formattersSym)
    }
  },
  [registeredHooks]: {
    ...accessor(hooksSym),
    get(this: State) {
      return isLooking ? this[hooksSym] : readState(this, hooksSym)
    }
  },
  [registeredSerializers]: {
    ...accessor(serializersSym),
    get(this: State) {
      return isLooking ? this[serializersSym] : readState(this, serializersSym)
    }
  }
}

function setOwn(inner: symbol): (this: object, value: unknown) => void {
  return function set(value) {
    Object.defineProperty(this, inner, { value, configurable: true, enumerable: true, writable: true })
  }
}

/** Accessors of bindings, for those that somebody has defined of their text. */
function boundBehind(get: PropertyDescriptor['get'], set: PropertyDescriptor['set']): PropertyDescriptor {
  return {
    get(this: object) {
      return kept(boundSym, get?.call(this))
    },
    set:
      set === undefined
        ? setOwn(boundSym)
        : function setText(this: object, bound: BoundText) {
            set.call(this, bound.text)
          }
  }
}

/**
 * Puts a property that somebody has defined over the accessor in the place of the state behind it.
 */
function adopt(owner: State, outer: symbol, inner: symbol): void {
  const descriptor = Object.getOwnPropertyDescriptor(owner, outer) as PropertyDescriptor
  const { get, set } = descriptor
  if (get !== undefined) stateWatch.isComputed = true
  // Children set what is theirs, whatever their parent's is.
  if ('value' in descriptor) Object.assign(descriptor, { value: kept(inner, descriptor.value), writable: true })
  else if (inner === boundSym) Object.assign(descriptor, boundBehind(get, set))
  else descriptor.set ??= setOwn(inner)
  Object.defineProperty(owner, inner, { ...descriptor, configurable: true })
  // From now on assignments are noticed by the setter again.
  if (descriptor.configurable) delete owner[outer]
  stateVersion.count++
}

/** What stands under `outer` is not what stands behind it. */
function isShadowed(logger: State, outer: symbol, inner: symbol): boolean {
  const seen = logger[outer]
  const own = logger[inner]
  if (own instanceof BoundText) return seen !== own.text
  return seen !== own && original(seen) !== own
}

/**
 * Properties for what `logger` answers under pino's symbols where that is not its state; null if
 * all of it is.
 */
export function shadowed(logger: object): PropertyDescriptorMap | null {
  isLooking = true
  try {
    const own = [...stateSymbols, ...watched].filter(([outer, inner]) => isShadowed(logger as State, outer, inner))
    const others = foreign.filter(([outer, inner]) => isForeign(logger as State, outer, inner))
    const pairs = [...own, ...others]
    return pairs.length === 0
      ? null
      : Object.fromEntries(pairs.map(pair => [pair[1], answer(logger as State, ...pair)]))
  } finally {
    isLooking = false
  }
}

/**
 * Whether there is another answer for `outer`, and none for `inner`, which is pino's symbol itself.
 */
function isForeign(logger: State, outer: symbol, inner: symbol): boolean {
  const owner = ownerOf(logger, inner)
  const kept = owner === null ? undefined : Object.getOwnPropertyDescriptor(owner, inner)?.value
  return logger[inner] === kept && isShadowed(logger, outer, inner)
}

function answer(logger: State, outer: symbol, inner: symbol): PropertyDescriptor {
  return { value: kept(inner, logger[outer]), configurable: true, enumerable: true, writable: true }
}

/**
 * Takes over what was defined under pino's symbols on `logger`, or on those that it inherits from,
 * since it was looked at last.
 */
export function heed(logger: object): void {
  isLooking = true
  try {
    if (!hasRegistered(logger as State)) adoptRegistered(logger)
    if (stateWatch.isActive) adoptWatched(logger)
  } finally {
    isLooking = false
  }
}

/** Whether what stands under registered symbols is the state. */
function hasRegistered(logger: State): boolean {
  return (
    logger[registeredSerializers] === logger[serializersSym] &&
    logger[registeredFormatters] === logger[formattersSym] &&
    logger[registeredHooks] === logger[hooksSym]
  )
}

function adoptRegistered(logger: object): void {
  adoptFrom(logger, registeredSerializers, serializersSym)
  adoptFrom(logger, registeredFormatters, formattersSym)
  adoptFrom(logger, registeredHooks, hooksSym)
}

function adoptWatched(logger: object): void {
  for (const [outer, inner] of watched) if (isShadowed(logger as State, outer, inner)) adoptFrom(logger, outer, inner)
}

function adoptFrom(logger: object, outer: symbol, inner: symbol): void {
  const owner = ownerOf(logger, outer)
  if (owner !== null && owner !== accessorOwner) adopt(owner, outer, inner)
}

/** What has the accessors. */
let accessorOwner: object | null = null

/** Puts the accessors on the prototype behind all loggers. */
export function addStateAccessors(prototype: object): void {
  accessorOwner = prototype
  Object.defineProperties(prototype, stateAccessors)
}

/**
 * pino's symbols by name, which integrations reach for a logger's state by: `shardlog.symbols`.
 * Those that pino registers globally are registered here too.
 */
export const symbols = Object.create(null) as typeof byName
for (const [name, symbol] of Object.entries(byName)) {
  Object.defineProperty(symbols, name, {
    enumerable: true,
    configurable: true,
    get() {
      watch(symbol, innerOf.get(symbol))
      return symbol
    }
  })
}

/**
 * Symbols by their descriptions: each copy of pino has symbols of its own, of the same
 * descriptions.
 */
const byDescription = new Map(Object.values(byName).map(symbol => [symbol.description, symbol]))

/** Our symbol for one of another copy of pino; undefined for any other key. */
function ourSymbol(key: PropertyKey): symbol | undefined {
  if (typeof key !== 'symbol') return undefined
  const symbol = byDescription.get(key.description)
  if (symbol === undefined || symbol === key) return undefined
  const inner = innerOf.get(symbol)
  if (inner !== undefined) watch(key, inner)
  else if (!foreign.some(([known]) => known === key)) foreign.push([key, symbol])
  return symbol
}

/**
 * Ends the prototype chain of loggers before what they have of an event emitter: answers to the
 * symbols of other copies of pino, as packages that depend on pino bring one along.
 */
export const foreignState: object = new Proxy(Object.create(EventEmitter.prototype) as object, {
  get(target, key, receiver: object) {
    const symbol = ourSymbol(key)
    return symbol === undefined ? Reflect.get(target, key, receiver) : Reflect.get(receiver, symbol)
  },
  has(target, key) {
    return ourSymbol(key) !== undefined || Reflect.has(target, key)
  },
  set(target, key, value, receiver: object) {
    const symbol = ourSymbol(key)
    return symbol === undefined
      ? Reflect.set(target, key, value, receiver)
      : Reflect.set(receiver, symbol, value, receiver)
  }
})
