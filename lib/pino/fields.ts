/**
 * The fields of a record: what the arguments of a call say, and what the options `mixin`,
 * `formatters` and `serializers` make of it.
 */

import * as stdSerializers from 'pino-std-serializers'
import { mapHttpRequest, mapHttpResponse } from 'pino-std-serializers'
import format from 'quick-format-unescaped'
import type { Fields, FormatOptions, Formatters, Internals, Serializers } from './context'
import {
  boundSym,
  errorKeySym,
  lsCacheSym,
  messageKeySym,
  mixinMergeStrategySym,
  share,
  stateVersion,
  timeSym,
  trailingFieldsSym
} from './symbols'
import type { TimeFn } from './types'

// Messages with placeholders.

const PERCENT = 37
/** Letters that take an argument after a percent sign. */
const PLACEHOLDERS = 'dfiOojs'

/**
 * The message with its placeholders filled in; messages that are no strings come back as they are.
 */
export function formatMessage(message: unknown, values: readonly unknown[], options: FormatOptions): unknown {
  return format(message, values, options)
}

/** Whether a placeholder of `message` would take an argument. */
function hasPlaceholder(message: string): boolean {
  for (let at = message.indexOf('%'); at >= 0; at = message.indexOf('%', at)) {
    if (at + 1 < message.length && PLACEHOLDERS.includes(message.charAt(at + 1))) return true
    at += message.charCodeAt(at + 1) === PERCENT ? 2 : 1
  }
  return false
}

// Requests and responses of `node:http` that are logged by themselves become `{ req }` and `{ res
// }`.

interface Suspect {
  method?: unknown
  headers?: unknown
  socket?: unknown
  setHeader?: unknown
}

const isRequest = ({ method, headers, socket }: Suspect): boolean => Boolean(method && headers && socket)
const isResponse = ({ setHeader }: Suspect): boolean => typeof setHeader === 'function'

/** Whether `loggedObject` makes another object of it. */
export function isHttpObject(object: object): boolean {
  return isRequest(object) || isResponse(object)
}

/** The object whose fields join the line. */
export function loggedObject(object: object): object {
  const suspect = object as Suspect
  // Written out rather than called: this is in the path of every call.
  if (suspect.method && suspect.headers && suspect.socket) {
    return mapHttpRequest(object as Parameters<typeof mapHttpRequest>[0])
  }
  if (typeof suspect.setHeader === 'function') {
    return mapHttpResponse(object as Parameters<typeof mapHttpResponse>[0])
  }
  return object
}

// Fields after the message: `log.info('user login', { userId: 123 })`, which pino ignores.

/** Whether an object is one of fields and nothing else, of whatever realm. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype === Object.prototype || prototype === null) return true
  // That of another realm, as test frameworks make them, is known by what only that object has.
  const isRoot = Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
  return isRoot && !Array.isArray(object)
}

/** Keys that a line begins with: level, time, bindings. */
interface Begun {
  head: string
  time: TimeFn
  bindings: string
  keys: ReadonlySet<string>
}

// Calls of one logger and level follow each other.
let recent: Begun | null = null

/** Names in a part of a JSON object that begins with a comma; none if it is no such thing. */
function namesIn(part: string): string[] {
  try {
    return Object.keys(JSON.parse(`{${part.slice(1)}}`) as object)
  } catch {
    return [] // The time function of the program may write what it likes.
  }
}

function takenKeys(logger: Internals, level: number): ReadonlySet<string> {
  const head = logger[lsCacheSym][level] ?? ''
  const time = logger[timeSym]
  const bindings = logger[boundSym].text
  if (recent !== null && recent.head === head && recent.time === time && recent.bindings === bindings)
    return recent.keys
  const keys = new Set([...namesIn(head), ...namesIn(time()), ...namesIn(bindings), String(logger[messageKeySym])])
  recent = { head, time, bindings, keys }
  return keys
}

function without(taken: ReadonlySet<string>, fields: Fields): object {
  const keys = Object.keys(fields).filter(key => !taken.has(key))
  return Object.fromEntries(keys.map(key => [key, fields[key]]))
}

/**
 * The fields without those whose keys the line has already: what it says of level, time or message
 * is its own.
 */
function withoutTaken(logger: Internals, level: number, fields: Fields): object {
  const taken = takenKeys(logger, level)
  // A loop, since nearly always nothing is made for it.
  for (const key in fields) if (taken.has(key)) return without(taken, fields)
  return fields
}

/**
 * The object of `(message, fields)` whose fields join the line: a plain one or an error, after a
 * message without placeholders, unless the logger is not to look for any.
 *
 * @returns null if there is none
 */
export function trailingFields(logger: Internals, level: number, message: unknown, last: unknown): object | null {
  const isObject = typeof last === 'object' && last !== null
  if (!isObject || typeof message !== 'string' || !logger[trailingFieldsSym] || hasPlaceholder(message)) return null
  const kind = shapeOf(last)
  if (kind === 'plain') return withoutTaken(logger, level, last as Fields)
  return kind === 'error' && !takenKeys(logger, level).has(logger[errorKeySym]) ? last : null
}

function shapeOf(object: object): 'plain' | 'error' | 'other' {
  try {
    if (object instanceof Error) return 'error'
    return isPlain(object) ? 'plain' : 'other'
  } catch {
    return 'other' // A proxy that has been revoked, for one: pino ignores it.
  }
}

// The option `mixin`: fields added to each record.

/** The mixin's result takes in the logged fields, which thereby win. */
function loggedFieldsWin(fields: object, mixed: object): object {
  return Object.assign(mixed, fields)
}

/** The fields of a record joined with those of the mixin. */
export function mixIn(logger: Internals, mixin: NonNullable<MixinOf>, fields: object, level: number): object {
  const merge = logger[mixinMergeStrategySym] ?? loggedFieldsWin
  return merge(fields, mixin(fields, level, logger))
}

type MixinOf = Internals[typeof import('./symbols').mixinSym]

// The option `formatters`: functions that shape level, bindings and logged object.

const numberedLevel: Formatters['level'] = (_label, number) => ({ level: number })
/**
 * Leaves bindings as they are. A child begins with it: its parent's formatter has shaped what is
 * inherited.
 */
const sameBindings: Formatters['bindings'] = bindings => bindings

/**
 * What applies where `own` says nothing. As in pino, what the option inherits does not count,
 * unlike a child's.
 */
export function rootFormatters(own: Partial<Formatters> | null | undefined): Formatters {
  const { level, bindings, log }: Partial<Formatters> = { ...own }
  return { level: level ?? numberedLevel, bindings: bindings ?? sameBindings, log: log ?? undefined }
}

/** A child's formatters: its own, else its parent's, except that bindings are not shaped twice. */
export function childFormatters(parent: Formatters, own: Partial<Formatters> | undefined): Formatters {
  if (!own && parent.bindings === sameBindings) return parent
  return {
    level: own?.level || parent.level,
    bindings: own?.bindings || sameBindings,
    log: own?.log || parent.log
  }
}

// The option `serializers`: functions by key that shape the values logged under it.

export { stdSerializers }

/** Names of all enumerable properties, inherited ones too, and symbols; each with its value. */
interface Entries {
  readonly keys: readonly PropertyKey[]
  readonly values: readonly Serializers[string][]
}

/** Each property is read once. */
function entriesOf(table: Serializers | null | undefined): Entries {
  const keys: PropertyKey[] = []
  const values: Serializers[string][] = []
  if (table) {
    for (const name in table) {
      keys.push(name)
      values.push(table[name])
    }
    for (const symbol of Object.getOwnPropertySymbols(table)) {
      keys.push(symbol)
      values.push(table[symbol])
    }
  }
  return { keys, values }
}

function add(table: Serializers, { keys, values }: Entries): void {
  for (let i = 0; i < keys.length; i++) table[keys[i]!] = values[i]
}

function isSame(one: Entries, other: Entries): boolean {
  const { keys, values } = one
  if (keys.length !== other.keys.length) return false
  for (let i = 0; i < keys.length; i++) {
    if (keys[i] !== other.keys[i] || values[i] !== other.values[i]) return false
  }
  return true
}

/**
 * A logger's own over the default, which serializes errors under `err` (one that is undefined takes
 * that away, as in pino). No inherited names: a field called `toString` meets no serializer.
 */
export function rootSerializers(own: Serializers | null | undefined): Serializers {
  const table = Object.assign(Object.create(null), { err: stdSerializers.err }, own) as Serializers
  made.add(table)
  return table
}

/**
 * The tables of children that were made last. Where each request has a child with serializers,
 * those are the same functions, and all that is known of lines that go through them is known of
 * their table.
 */
interface Joined {
  readonly parent: Serializers
  readonly version: number
  readonly own: Entries
  /** What `table` has. */
  readonly all: Entries
  readonly table: Serializers
}

let joinedLast: readonly Joined[] = []
const MOST_TABLES = 8
/** Tables that nobody else can change without being noticed. */
const made = new WeakSet<Serializers>()

/**
 * A child's own over its parent's. As in pino, what the child's inherit counts, which is how
 * Fastify hands serializers on from plugin to plugin; so do symbols, enumerable or not.
 */
export function childSerializers(parent: Serializers, given: Serializers | null | undefined): Serializers {
  const own = entriesOf(given)
  for (const { parent: before, version, own: sameOwn, table } of joinedLast) {
    if (before === parent && version === stateVersion.count && isSame(sameOwn, own)) return table
  }
  return join(parent, own)
}

function join(parent: Serializers, own: Entries): Serializers {
  const table = Object.create(null) as Serializers
  add(table, entriesOf(parent))
  add(table, own)
  const all = entriesOf(table)
  const known = joinedLast.find(joined => joined.version === stateVersion.count && isSame(joined.all, all))
  const shared = known === undefined ? share(table) : known.table
  made.add(shared)
  if (made.has(parent)) {
    const joined = { parent, version: stateVersion.count, own, all, table: shared }
    joinedLast = [joined, ...joinedLast.slice(0, MOST_TABLES - 1)]
  }
  return shared
}

// Errors that `pino-std-serializers` cannot serialize: frozen ones, those whose getters throw,
// causes without end.

/**
 * The class of what was thrown, which is code; its text may hold the very value that was to be
 * hidden.
 */
export function kindOf(thrown: unknown): string {
  try {
    if (typeof thrown !== 'object' || thrown === null) return typeof thrown
    const name: unknown = Object.getPrototypeOf(thrown)?.constructor?.name
    return typeof name === 'string' && /^[A-Za-z_$][\w$]{0,63}$/.test(name) ? name : 'Error'
  } catch {
    // A proxy, or a getter: there is nothing that can be asked of it.
    return 'Error'
  }
}

/** What a thrown value says. */
export function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  } catch {
    return 'an error that cannot be shown'
  }
}

type Serializer = (value: unknown) => unknown

/** Causes and nested errors beyond this are left out. */
const MAX_CAUSES = 50
const MAX_DEPTH = 5
const STANDARD: ReadonlySet<unknown> = new Set([stdSerializers.err, stdSerializers.errWithCause])

/** Whether a serializer is one of the standard ones for errors. */
export const isStandardError = (serializer: unknown): serializer is Serializer => STANDARD.has(serializer)

/**
 * The serializers put a symbol of this description on an error while they look at it, and leave it
 * there if they throw.
 */
const TAG = 'circular-ref-tag'

/** The value of a property, or what kind of thing its getter throws. */
function read(object: object, key: PropertyKey): unknown {
  try {
    return (object as Record<PropertyKey, unknown>)[key]
  } catch (thrown) {
    return `[threw ${kindOf(thrown)}]`
  }
}

function isErrorLike(value: unknown): value is object {
  return typeof value === 'object' && value !== null && typeof read(value, 'message') === 'string'
}

function text(error: object, key: 'message' | 'stack'): string {
  const value = read(error, key)
  return typeof value === 'string' ? value : ''
}

/** An error and what caused it, and so on. */
function chain(error: object): object[] {
  const found: object[] = []
  let next: unknown = error
  while (isErrorLike(next) && !found.includes(next) && found.length < MAX_CAUSES) {
    found.push(next)
    next = read(next, 'cause')
  }
  return found
}

function typeOf(error: object): unknown {
  const maker = read(error, 'constructor')
  return typeof maker === 'function' ? read(maker, 'name') : read(error, 'name')
}

function keysIn(error: object): string[] {
  const keys: string[] = []
  try {
    for (const key in error) keys.push(key)
  } catch {
    // A proxy that lists no more than these.
  }
  return keys
}

function fieldsOf(error: object, above: readonly object[]): Fields {
  const causes = chain(error)
  const fields: Fields = {
    type: typeOf(error),
    message: causes.map(cause => text(cause, 'message')).join(': '),
    stack: causes.map(cause => text(cause, 'stack')).join('\ncaused by: ')
  }
  const path = [...above, error]
  const nested = (value: unknown): unknown => {
    if (!isErrorLike(value)) return value
    return path.includes(value) || path.length > MAX_DEPTH ? '[Circular]' : fieldsOf(value, path)
  }
  const errors = read(error, 'errors')
  if (Array.isArray(errors)) fields.aggregateErrors = errors.slice(0, MAX_CAUSES).map(nested)
  for (const key of keysIn(error)) {
    if (fields[key] === undefined && key !== 'cause') fields[key] = nested(read(error, key))
  }
  return fields
}

/** Takes back what a serializer that threw has left on an error. */
function untag(error: object): void {
  for (const key of Object.getOwnPropertySymbols(error)) {
    if (key.description === TAG) Reflect.deleteProperty(error, key)
  }
}

/** A copy of a frozen error that serializers can put their mark on. */
function extensible(error: object): object {
  const stack: PropertyDescriptor = { value: read(error, 'stack'), configurable: true, writable: true }
  return Object.create(Object.getPrototypeOf(error), { ...Object.getOwnPropertyDescriptors(error), stack }) as object
}

function cleanUp(value: object): void {
  for (const error of chain(value)) untag(error)
  for (const key of keysIn(value)) {
    const inner = read(value, key)
    if (isErrorLike(inner)) untag(inner)
  }
}

/**
 * What `serializer`, which has thrown, makes of a value that it can be helped with: a frozen error,
 * or for pino's own serializers any error.
 *
 * @throws what the serializer throws of others
 */
export function serializedAgain(serializer: Serializer, value: unknown): unknown {
  if (!isErrorLike(value)) return serializer(value)
  cleanUp(value)
  try {
    return serializer(Object.isExtensible(value) ? value : extensible(value))
  } catch (thrown) {
    cleanUp(value)
    if (!STANDARD.has(serializer)) throw thrown
    return fieldsOf(value, [])
  }
}
