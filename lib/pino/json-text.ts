/**
 * JSON text of values, with an answer for those that `JSON.stringify` refuses, and without what the
 * option `redact` hides.
 */

import redactor from '@pinojs/redact'
import { configure } from 'safe-stable-stringify'
import type { Internals, Stringifier, Stringifiers, Stringify } from './context'
import { formatOptsSym, NO_STRINGIFIERS, redactFmtSym, stringifiersSym, wildcardFirstSym } from './symbols'

const QUOTE = 34
const BACKSLASH = 92
/** The first character code that a JSON string can hold as it is. */
const FIRST_PLAIN = 32
const FIRST_SURROGATE = 0xd800

/**
 * Longest string, in UTF-16 units, whose lone surrogates stay as they are (U+FFFD in UTF-8), as
 * they do in pino's lines.
 */
const SHORT = 100

const TOO_COMPLEX = '"[unable to serialize, circular reference is too complex to analyze]"'

/**
 * A JSON string. Lone surrogates are escaped in long strings and in those with control characters:
 * what pino writes.
 */
export function quote(text: string): string {
  const { length } = text
  if (length > SHORT) return JSON.stringify(text)
  let isPlain = true
  // A loop over the characters of a short string beats a regular expression.
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code < FIRST_PLAIN) return JSON.stringify(text)
    if (code === QUOTE || code === BACKSLASH) isPlain = false
  }
  return isPlain ? `"${text}"` : `"${text.replace(/["\\]/g, '\\$&')}"`
}

/**
 * Whether `JSON.stringify` prints a string as it is, in quotation marks. False of long ones, which
 * it had better be asked for.
 */
export function isPlainText(text: string): boolean {
  const { length } = text
  if (length > SHORT) return false
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code < FIRST_PLAIN || code === QUOTE || code === BACKSLASH || code >= FIRST_SURROGATE) return false
  }
  return true
}

/**
 * JSON text by `JSON.stringify`; where that throws, by `safe`; where that throws too, a text that
 * says so.
 */
export const stringify: Stringify = (value, safe) => {
  try {
    return JSON.stringify(value)
  } catch {
    // Circular values and bigints come here: the safe serializer has an answer for both.
    return stringifySafely(value, safe)
  }
}

function stringifySafely(value: unknown, safe: Stringify | undefined): string | undefined {
  try {
    return safe ? safe(value) : TOO_COMPLEX
  } catch {
    return TOO_COMPLEX
  }
}

const isLimit = (limit: number): boolean => Number.isInteger(limit) && limit > 0

/**
 * The serializer for values that `JSON.stringify` refuses.
 *
 * @param depthLimit deepest nesting written, a positive integer
 * @param edgeLimit most entries written of each object or array, a positive integer
 */
export function safeStringify(depthLimit: number, edgeLimit: number): Stringify {
  const make = () => configure({ maximumDepth: depthLimit, maximumBreadth: edgeLimit })
  // The package takes milliseconds to load, and few programs need it. Wrong limits it refuses at
  // once.
  let safe = isLimit(depthLimit) && isLimit(edgeLimit) ? undefined : make()
  return value => {
    safe ??= make()
    return safe(value)
  }
}

// The option `redact`: a serializer for each top-level field that holds something to hide.

type CensorFn = (value: unknown, path: string[]) => unknown

interface Redaction {
  paths: string[]
  censor: unknown
  remove: boolean | undefined
}

type FieldKey = string | typeof wildcardFirstSym

/** One step of a path: a name, or a name, index or `*` in brackets. */
const STEP = /[^.[\]]+|\[([^[\]]*?)\]/g
const QUOTED = /^(["'`])(.*)\1$/

/** @throws if it is neither an array of paths nor an object with one */
function parseOption(option: unknown): Redaction {
  if (Array.isArray(option)) return { paths: option as string[], censor: '[Redacted]', remove: undefined }
  const { paths, censor = '[Redacted]', remove } = option as Partial<Redaction>
  if (!Array.isArray(paths)) throw Error('pino – redact must contain an array of strings')
  return { paths, censor: remove === true ? undefined : censor, remove }
}

/**
 * The top-level field that a path begins with, and where the rest of the path begins (-1: nowhere).
 */
function splitPath(path: string): { key: FieldKey; rest: number } {
  const [first, next] = path.matchAll(STEP)
  if (!first) return { key: path, rest: -1 }
  const name = first[1] === undefined ? first[0] : first[1].replace(QUOTED, '$2')
  return { key: name === '*' ? wildcardFirstSym : name, rest: next ? next.index : -1 }
}

/**
 * Paths below each top-level field; null where the field itself is hidden. What is hidden below
 * every field (`*.x`) is listed with each field named.
 */
function groupByField(paths: string[]): Map<FieldKey, string[] | null> {
  const groups = new Map<FieldKey, string[] | null>()
  for (const path of paths) addPath(groups, path)
  return groups
}

function addPath(groups: Map<FieldKey, string[] | null>, path: string): void {
  const { key, rest } = splitPath(path)
  if (rest < 0) {
    groups.set(key, null)
    return
  }
  const known = groups.get(key)
  if (known === null) return
  const below = path.slice(rest)
  if (key === wildcardFirstSym) {
    for (const [field, list] of groups) if (field !== wildcardFirstSym) list?.push(below)
  }
  const list = known ?? (key === wildcardFirstSym ? [] : [...(groups.get(wildcardFirstSym) ?? [])])
  list.push(below)
  groups.set(key, list)
}

function wholeField(key: FieldKey, { censor, remove }: Redaction, stringify: Stringify): Stringifier {
  if (typeof censor === 'function') return value => stringify((censor as CensorFn)(value, [key as string]))
  const hides: Stringifier = () => stringify(censor)
  if (remove === true || isPlainCensor(censor)) hidings.set(hides, () => censor)
  return hides
}

function belowField(key: FieldKey, paths: string[], { censor, remove }: Redaction, stringify: Stringify): Stringifier {
  const own = typeof censor === 'function' ? censor : undefined
  const nested = own ? (value: unknown, path: string[]) => own(value, [key as string, ...path]) : censor
  return build(paths, nested, remove, stringify)
}

function build(paths: string[], censor: unknown, remove: boolean | undefined, stringify: Stringify): Stringifier {
  const options = { paths, censor, serialize: stringify, strict: false, remove } as redactor.RedactOptions
  const redact = redactor(options) as Stringifier
  const branches = branchesOf(paths)
  const any: Stringifier = branches === null ? redact : value => redact(copyAlong(value, branches))
  const names = remove === true || isPlainCensor(censor) ? namesOf(paths) : null
  const hide: Hide = value => {
    if (isWhole(value)) return value
    return names === null ? UNABLE : hidden(value, names, censor, remove === true)
  }
  const hides: Stringifier = value => {
    const copied = hide(value)
    return copied === UNABLE ? any(value) : stringify(copied)
  }
  hidings.set(hides, hide)
  return hides
}

/**
 * Serializers for what `option` hides.
 *
 * @param option the option `redact`; null or undefined for none
 * @throws if a path is no string or cannot be read
 */
function redaction(option: unknown, stringify: Stringify): Stringifiers {
  if (!option) return NO_STRINGIFIERS
  const parsed = parseOption(option)
  // Built first, since it checks the paths.
  const whole = build(parsed.paths, parsed.censor, parsed.remove, stringify)
  const stringifiers = Object.create(null) as Stringifiers
  stringifiers[redactFmtSym] = whole
  for (const [key, paths] of groupByField(parsed.paths)) {
    stringifiers[key as string] =
      paths === null ? wholeField(key, parsed, stringify) : belowField(key, paths, parsed, stringify)
  }
  return stringifiers
}

/**
 * What a logger keeps of the option `redact`.
 *
 * @param safe serializer for values that `JSON.stringify` refuses
 * @throws if a path is no string or cannot be read
 */
export function redactionState(
  option: unknown,
  safe: Stringify
): Pick<Internals, typeof stringifiersSym | typeof formatOptsSym> {
  const toText: Stringify = value => stringify(value, safe)
  const stringifiers = redaction(option, toText)
  return {
    [stringifiersSym]: stringifiers,
    [formatOptsSym]: { stringify: stringifiers[redactFmtSym] ?? toText }
  }
}

// Most paths are names alone (`req.headers.authorization`), and most objects on their way have
// the fields that are printed of them as properties of their own. Of these a copy with something
// else in the place of what is hidden is made in a tenth of the time that it takes to look for
// each path.

/** In place of a copy: the value is not of the kind that is copied so. */
export const UNABLE: unique symbol = Symbol('unable')

/** What is to be printed of a value; UNABLE if only the serializer that it belongs to can tell. */
export type Hide = (value: unknown) => unknown

const hidings = new WeakMap<Stringifier, Hide>()

/** How a serializer of the option `redact` hides without making text; undefined: by text alone. */
export const hidingOf = (stringifier: Stringifier): Hide | undefined => hidings.get(stringifier)

/**
 * Whether nothing is below a value, and it is printed alike in a record and by `JSON.stringify`: a
 * string with half of a character is not.
 */
function isWhole(value: unknown): boolean {
  if (typeof value === 'string') return (value as unknown as WellFormed).isWellFormed()
  return typeof value === 'number' || typeof value === 'boolean' || value === null
}

interface WellFormed {
  isWellFormed(): boolean
}

/** What follows each name; null: what has the name is hidden. */
type Names = Map<string, Names | null>

/** Steps that are names, which all who read paths understand alike. */
const NAMES = /^(?:[\w$-]+|\[(["'])[^"'`[\]]+\1\])(?:\.[\w$-]+|\[(["'])[^"'`[\]]+\2\])*$/

/** Whether a value is printed alike in a record and by `JSON.stringify`. */
function isPlainCensor(censor: unknown): boolean {
  if (typeof censor === 'string') return JSON.stringify(censor) === quote(censor)
  return censor === null || typeof censor === 'boolean'
}

/** The paths by their names; null if there is more to one of them. */
function namesOf(paths: readonly string[]): Names | null {
  const root: Names = new Map()
  for (const path of paths) {
    if (!NAMES.test(path)) return null
    const steps = stepsOf(path)
    const last = steps.pop() as string
    let names: Names | null = root
    for (const step of steps) {
      names = below(names, step)
      if (names === null) break
    }
    names?.set(last, null)
  }
  return root
}

/** What follows `step`; null if that is hidden as a whole. */
function below(names: Names, step: string): Names | null {
  const known = names.get(step)
  if (known !== undefined) return known
  const made: Names = new Map()
  names.set(step, made)
  return made
}

/**
 * A copy of `value` without what is hidden of it; UNABLE if that is not told by its own properties
 * alone.
 */
function hidden(value: unknown, names: Names, censor: unknown, isRemoved: boolean): unknown {
  if (typeof value !== 'object' || value === null) return UNABLE
  try {
    return hiddenCopy(value as Record<string, unknown>, names, censor, isRemoved)
  } catch {
    return UNABLE // A getter or a proxy; the serializer meets the same.
  }
}

const printKind = Object.prototype.toString

function hiddenCopy(value: Record<string, unknown>, names: Names, censor: unknown, isRemoved: boolean): unknown {
  // Neither an array nor anything else that JSON prints otherwise than by its properties.
  if (printKind.call(value) !== '[object Object]' || typeof value.toJSON === 'function') return UNABLE
  const copied = { ...value }
  // Who sets properties one by one, as the serializer does, loses this one.
  if (Object.hasOwn(copied, '__proto__')) return UNABLE
  for (const [name, within] of names) {
    if (!Object.hasOwn(copied, name)) {
      if (name in value) return UNABLE
    } else if (within !== null) {
      const inner = copied[name]
      if (typeof inner !== 'object' || inner === null) continue
      const instead = hiddenCopy(inner as Record<string, unknown>, within, censor, isRemoved)
      if (instead === UNABLE) return UNABLE
      copied[name] = instead
    } else if (isRemoved) {
      delete copied[name]
    } else {
      copied[name] = censor
    }
  }
  return copied
}

// Redaction changes a copy, never the program's own value. `@pinojs/redact` copies too, but not
// where a name and a `*` meet in one place, nor what an object inherits: the `headers` of a
// request, which are a getter of its class, are the live ones.

/** What follows each step of some paths. */
type Branches = Map<string, Branches>

function stepsOf(path: string): string[] {
  return Array.from(path.matchAll(STEP), ([step, inner]) => (inner === undefined ? step : inner.replace(QUOTED, '$2')))
}

/**
 * The paths as branches; null if none of them has more than one step: of the value itself
 * `@pinojs/redact` makes a copy.
 */
function branchesOf(paths: readonly string[]): Branches | null {
  const all: string[][] = paths.map(stepsOf)
  if (all.every(steps => steps.length < 2)) return null
  const root: Branches = new Map()
  for (const steps of all) {
    let branch = root
    for (const step of steps) {
      const next: Branches = branch.get(step) ?? new Map()
      branch.set(step, next)
      branch = next
    }
  }
  return root
}

/** What follows `name`, by its own branches and by those of `*`. */
function after(branches: readonly Branches[], name: string): Branches[] {
  const found: Branches[] = []
  for (const branch of branches) {
    const named = branch.get(name)
    const any = branch.get('*')
    if (named !== undefined && named.size > 0) found.push(named)
    if (any !== undefined && any.size > 0) found.push(any)
  }
  return found
}

function copyArray(source: readonly unknown[], branches: readonly Branches[]): unknown[] {
  return source.map((value, index) => copy(value, after(branches, String(index))))
}

/** Names on the way that `source` inherits, with copies of what is there. */
function inherited(source: Record<string, unknown>, branches: readonly Branches[]): PropertyDescriptorMap {
  const names = new Set<string>()
  for (const branch of branches) for (const name of branch.keys()) if (name in source) names.add(name)
  for (const name in source) names.add(name)
  const copies: PropertyDescriptorMap = {}
  for (const name of names) {
    const below = Object.hasOwn(source, name) ? [] : after(branches, name)
    // Not enumerable: nobody prints it.
    if (below.length > 0) copies[name] = { value: copy(source[name], below), configurable: true, writable: true }
  }
  return copies
}

function copyObject(source: Record<string, unknown>, branches: readonly Branches[]): object {
  const prototype = Object.getPrototypeOf(source) as object | null
  const hidden = inherited(source, branches)
  // Between the object and its class, since `@pinojs/redact` copies what is the object's own once
  // more.
  const target = Object.create(
    Object.keys(hidden).length === 0 ? prototype : Object.create(prototype, hidden)
  ) as object
  for (const name of Object.keys(source)) define(target, source, name, after(branches, name))
  return target
}

function define(target: object, source: Record<string, unknown>, name: string, branches: readonly Branches[]): void {
  let value: unknown
  try {
    value = source[name]
  } catch (thrown) {
    // It may be hidden as a whole; who reads it is told as by the object itself.
    const get = (): never => {
      throw thrown
    }
    const set = (instead: unknown): unknown => Object.defineProperty(target, name, { value: instead, enumerable: true })
    Object.defineProperty(target, name, { get, set, enumerable: true, configurable: true })
    return
  }
  const own = copyOrItself(value, branches)
  Object.defineProperty(target, name, { value: own, enumerable: true, configurable: true, writable: true })
}

/** Of a proxy that does not tell its keys there is no copy. */
function copyOrItself(value: unknown, branches: readonly Branches[]): unknown {
  try {
    return copy(value, branches)
  } catch {
    return value // Redaction meets the same, or hides it as a whole.
  }
}

function copy(value: unknown, branches: readonly Branches[]): unknown {
  if (branches.length === 0 || typeof value !== 'object' || value === null || value instanceof Date) return value
  return Array.isArray(value) ? copyArray(value, branches) : copyObject(value as Record<string, unknown>, branches)
}

/** A copy of `value` along `branches`; what lies off them is shared. */
function copyAlong(value: unknown, branches: Branches): unknown {
  return copy(value, [branches])
}
