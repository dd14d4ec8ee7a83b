/**
 * What `JSON.stringify` prints of an object: its keys with their values, a date, or something else
 * that it is left to.
 */

import { types } from 'node:util'
import { Addition, type BoundJson, BoundKeys, type Primitive, type PrintedKey, printedValues } from './definition'
import { LookupBudget, printed, type ShapeNode, ShapeTree } from './shape-tree'

const { getPrototypeOf } = Object
const { hasOwnProperty: isOwn, toString: printKind } = Object.prototype
const { isBoxedPrimitive } = types

/** A value that is JSON already. */
export class JsonText {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /**
   * The JSON of a value that is one. Asked so rather than by `instanceof`, of which a proxy may
   * make what it likes.
   */
  static textOf(value: unknown): string | undefined {
    return typeof value === 'object' && value !== null && #text in value ? value.#text : undefined
  }
}

/** Kinds of objects: `JSON.stringify` prints it otherwise than by its own fields alone, or may. */
export const PECULIAR = 0
export const ORDINARY = 1
/** It has no prototype, or that of a class: its own keys are all that is printed. */
export const KEYED = 2
export const DATE = 3

/** Of what is no array. */
export function kindOf(value: object): number {
  const object = value as { constructor: unknown; toJSON?: unknown }
  const { toJSON } = object
  if (typeof toJSON === 'function') return toJSON === printDate && isPlainDate(value) ? DATE : PECULIAR
  if (object.constructor === Object) return ORDINARY
  if (getPrototypeOf(value) === null) return KEYED
  return isBoxedPrimitive(value) || JsonText.textOf(value) !== undefined ? PECULIAR : KEYED
}

/**
 * Whether an object of KEYED is printed otherwise after all. One without a prototype may be a
 * string or number as an object, which cannot be printed at all then, another one of a kind whose
 * elements are keys: none of these has keys, or the first is an index. To ask for its kind costs
 * more than all else about a small one. `rawJSON` is the key of what `JSON.rawJSON` makes, which is
 * printed as it says.
 */
export function isOther(object: object, keys: readonly string[]): boolean {
  const first = keys[0]
  if (first === 'rawJSON') return true
  return (first === undefined || first === '0') && printKind.call(object) !== '[object Object]'
}

/**
 * JSON of an object in an object; undefined if it may want to know its key, null if it is circular
 * or has a bigint: what is printed of it depends on what is around it.
 */
export function innerJson(value: object): string | undefined | null {
  const { toJSON } = value as { toJSON?: unknown }
  if (typeof toJSON === 'function' && toJSON !== printDate) return undefined
  try {
    return JSON.stringify(value)
  } catch {
    return null
  }
}

interface Made {
  toJSON(key: string): unknown
}

/** Whether a `toJSON` says what is printed of a value, which is no date that is printed as one. */
export function isMade(value: unknown): value is Made {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function'
  return isObject && hasToJson(value as object) && kindOf(value as object) !== DATE
}

/** In place of what is printed: it is circular, or a bigint. */
export const NO_JSON: unique symbol = Symbol('no JSON')

/**
 * What the `toJSON` of a value has made, which is not asked for another one: no object, JSON;
 * undefined if nothing is printed; or NO_JSON.
 */
export function madeOf(value: Made, key: string): unknown {
  const made = value.toJSON(key)
  if (typeof made === 'function' || typeof made === 'symbol') return undefined
  if (typeof made === 'bigint') return NO_JSON
  if (typeof made !== 'object' || made === null) return made
  const json = innerJson(hasToJson(made) ? withoutToJson(made) : made)
  return typeof json === 'string' ? new JsonText(json) : NO_JSON
}

const hasToJson = (value: object): boolean => typeof (value as { toJSON?: unknown }).toJSON === 'function'

/** What is printed of an object whose `toJSON` is not asked. */
function withoutToJson(object: object): object {
  return Array.isArray(object) ? [...(object as unknown[])] : { ...object, toJSON: undefined }
}

// Objects as bindings: their values go into a child's records, so that no JSON is made of them.

/** With more values in an object, or more characters, its JSON is in the records. */
const MOST_VALUES = 64
const MOST_CHARACTERS = 4096
/** What a number counts for. */
const FIXED_CHARACTERS = 8
/** With more values it is left to `JSON.stringify`. */
const MOST_READ = 512
/** An object's keys are those of records from the time on that they have come so often. */
const MANY_USES = 3
/** So many kinds of keys are. Sets of headers are data: anybody may send others. */
const MOST_KINDS = 100
const MOST_NODES = 5_000
/** Objects that find no more nodes until there are new ones for all. */
const MOST_REFUSED = 1024

/** In place of a node: nothing of the object has been read. */
const UNREAD = undefined

/** The values of one object, in the order in which they are printed. */
class Values {
  readonly all: (Primitive | BoundJson)[] = []
  size = 0
  private readonly tree: ShapeTree

  constructor(tree: ShapeTree) {
    this.tree = tree
  }

  /** The node behind the object under `key`; null if JSON is to be made of all of it; or UNREAD. */
  putObject(from: ShapeNode, key: string, object: object, kind: number): ShapeNode | null | typeof UNREAD {
    const opened = this.tree.open(from, key)
    if (opened === null) return UNREAD
    // Where there is no prototype, or it has keys too, a `for in` takes several times as long.
    const isKeyed = kind === KEYED || (opened.inherits ?? opened.findInherits(object))
    const end = isKeyed ? this.putKeys(opened, object) : this.putMembers(opened, object)
    return end === null || end === UNREAD ? end : this.tree.close(end)
  }

  private putMembers(opened: ShapeNode, object: object): ShapeNode | null {
    let node: ShapeNode | null = opened
    for (const key in object) {
      if (!isOwn.call(object, key)) {
        opened.inherits = true
        continue
      }
      node = this.putMember(node, key, (object as Record<string, unknown>)[key])
      if (node === null) return null
    }
    return node
  }

  private putKeys(opened: ShapeNode, object: object): ShapeNode | null | typeof UNREAD {
    const keys = Object.keys(object)
    if (isOther(object, keys)) return UNREAD
    let node: ShapeNode | null = opened
    for (const key of keys) {
      node = this.putMember(node, key, (object as Record<string, unknown>)[key])
      if (node === null) return null
    }
    return node
  }

  /** The node behind the member; `from` if it is not printed; null as `putObject`. */
  private putMember(from: ShapeNode, key: string, value: unknown): ShapeNode | null {
    if (typeof value === 'string') return this.put(from, key, value, value.length)
    if (isMade(value)) return this.putMade(from, key, madeOf(value, key))
    if (typeof value === 'object' && value !== null) return this.putInner(from, key, value)
    return this.putPlain(from, key, value)
  }

  /** A value that is neither an object nor a string. */
  private putPlain(from: ShapeNode, key: string, value: unknown): ShapeNode | null {
    switch (typeof value) {
      case 'number':
      case 'boolean':
        return this.put(from, key, value, FIXED_CHARACTERS)
      case 'bigint':
        return null
      default:
        return value === null ? this.put(from, key, null, FIXED_CHARACTERS) : from
    }
  }

  private putInner(from: ShapeNode, key: string, value: object): ShapeNode | null {
    const kind = Array.isArray(value) ? PECULIAR : kindOf(value)
    if (kind === ORDINARY || kind === KEYED) {
      const end = this.putObject(from, key, value, kind)
      if (end !== UNREAD) return end
    }
    const json = innerJson(value)
    return typeof json === 'string' ? this.put(from, key, { json }, json.length) : null
  }

  private putMade(from: ShapeNode, key: string, made: unknown): ShapeNode | null {
    if (made === NO_JSON) return null
    if (typeof made === 'string') return this.put(from, key, made, made.length)
    const json = JsonText.textOf(made)
    return json === undefined ? this.putPlain(from, key, made) : this.put(from, key, { json }, json.length)
  }

  private put(from: ShapeNode, key: string, value: Primitive | BoundJson, size: number): ShapeNode | null {
    this.all.push(value)
    this.size += size
    if (this.all.length > MOST_READ) return null
    return from.next.key === key ? from.next : this.tree.step(from, key)
  }
}

/** What bindings that are objects have in common: their keys. */
export class BoundObjects {
  readonly #quote: (text: string) => string
  readonly #budget = new LookupBudget()
  #tree: ShapeTree
  #kinds = 0
  #refused = 0

  /** @param quote a string as JSON */
  constructor(quote: (text: string) => string) {
    this.#quote = quote
    this.#tree = this.#newTree()
  }

  #newTree(): ShapeTree {
    this.#kinds = 0
    this.#refused = 0
    return new ShapeTree({
      conversionOf: () => null,
      quote: this.#quote,
      messageKey: '',
      maxDescendants: MOST_NODES
    })
  }

  /**
   * What a binding of `key` and `object` adds, as `JSON.stringify` prints it, by its values if such
   * objects come often; null if it is left to that.
   *
   * @param printedKey `key` as it is printed
   */
  addition(key: string, printedKey: PrintedKey, object: object): Addition | null {
    const kind = Array.isArray(object) ? PECULIAR : kindOf(object)
    if ((kind !== ORDINARY && kind !== KEYED) || !this.#budget.allows('')) return null
    const tree = this.#tree
    const values = new Values(tree)
    const end = tryObject(values, tree, key, object, kind)
    if (end === null || end === UNREAD) {
      this.#budget.misses++
      if (end === UNREAD && ++this.#refused > MOST_REFUSED) this.#tree = this.#newTree()
      return null
    }
    const names = end.bound ?? this.#named(end)
    values.all.push(names.end!)
    if (this.#isCommon(names) && values.all.length <= MOST_VALUES && values.size <= MOST_CHARACTERS) {
      return Addition.ofValues(names, values.all, values.size)
    }
    this.#budget.misses++
    const text = printedValues(names, values.all)
    return new Addition(text, printedKey, text.slice(printedKey.printed.length))
  }

  #named(node: ShapeNode): BoundKeys {
    const { keys, tail } = printed(node, this.#quote, '')
    node.bound = new BoundKeys([...keys, ''], keys.join('') + tail, { json: tail })
    return node.bound
  }

  #isCommon(names: BoundKeys): boolean {
    if (names.uses > MANY_USES) return true
    if (++names.uses <= MANY_USES) return false
    if (++this.#kinds > MOST_KINDS) this.#tree = this.#newTree()
    return true
  }
}

function tryObject(
  values: Values,
  tree: ShapeTree,
  key: string,
  object: object,
  kind: number
): ShapeNode | null | typeof UNREAD {
  let end: ShapeNode | null | typeof UNREAD
  try {
    end = values.putObject(tree.root, key, object, kind)
  } catch {
    // A getter or a proxy; what makes JSON of it meets the same.
    end = null
  }
  if (end !== UNREAD) tree.settle(tree.root, key, end === null)
  return end
}

// Dates as `JSON.stringify` prints them, for which V8 takes ten times as long.

const { prototype } = Date
const { getTime, toISOString, toJSON: printDate, valueOf: asNumber } = prototype
const toPrimitive = prototype[Symbol.toPrimitive]
/** The ms of a date. Throws if it is none. */
export const timeOf = getTime

const isOfNode = (method: { name: string }, name: string): boolean =>
  method.name === name && Function.prototype.toString.call(method).endsWith('{ [native code] }')

/** False: somebody has changed them before this was loaded. */
const areDatesPlain =
  isOfNode(getTime, 'getTime') &&
  isOfNode(toISOString, 'toISOString') &&
  isOfNode(printDate, 'toJSON') &&
  isOfNode(asNumber, 'valueOf') &&
  isOfNode(toPrimitive, '[Symbol.toPrimitive]')

/** Whether all that `JSON.stringify` asks an object for that has `printDate` is as Node has it. */
function isPlainDate(object: object): boolean {
  const date = object as Date
  return (
    areDatesPlain &&
    Object.getPrototypeOf(date) === prototype &&
    date.toISOString === toISOString &&
    date.valueOf === asNumber &&
    date[Symbol.toPrimitive] === toPrimitive
  )
}

/** `2026-11-30T21:02:23.125Z` */
export const DATE_CHARACTERS = 24
/** Of the years 1 to 9999, whose dates have so many. */
export const FIRST_DATE = -62_135_596_800_000
export const LAST_DATE = 253_402_300_799_999

const DAY_MS = 86_400_000
/** From 1 March of the year 0 to 1 January 1970. */
const DAYS_BEFORE = 719_468
const DAYS_OF_400_YEARS = 146_097
const DAYS_OF_5_MONTHS = 153
const ZERO = 48
const MINUS = 45
const COLON = 58
const POINT = 46
const LETTER_T = 84
const LETTER_Z = 90

function putTwo(to: Uint8Array, at: number, value: number): void {
  const tens = (value / 10) | 0
  to[at] = ZERO + tens
  to[at + 1] = ZERO + value - 10 * tens
}

/**
 * Years that begin in March have the leap day at their end, so that a day's number tells its month
 * and year without a table.
 */
function putDay(to: Uint8Array, at: number, days: number): void {
  const cycle = (days / DAYS_OF_400_YEARS) | 0
  const day = days - cycle * DAYS_OF_400_YEARS
  // Whole years: of 365 days, but for a day in 4 years, one in 100 less, one in 400 more.
  const year = ((day - ((day / 1460) | 0) + ((day / 36_524) | 0) - ((day / 146_096) | 0)) / 365) | 0
  const dayOfYear = day - (365 * year + ((year / 4) | 0) - ((year / 100) | 0))
  // Months of 31, 30, 31, 30, 31 days, over and over.
  const month = ((5 * dayOfYear + 2) / DAYS_OF_5_MONTHS) | 0
  const dayOfMonth = dayOfYear - (((DAYS_OF_5_MONTHS * month + 2) / 5) | 0) + 1
  const isNext = month >= 10
  const printed = 400 * cycle + year + (isNext ? 1 : 0)
  const century = (printed / 100) | 0
  putTwo(to, at, century)
  putTwo(to, at + 2, printed - 100 * century)
  to[at + 4] = MINUS
  putTwo(to, at + 5, isNext ? month - 9 : month + 3)
  to[at + 7] = MINUS
  putTwo(to, at + 8, dayOfMonth)
}

/** Writes ms since the Unix epoch, from FIRST_DATE to LAST_DATE: DATE_CHARACTERS bytes. */
export function putDate(to: Uint8Array, at: number, time: number): void {
  const days = Math.floor(time / DAY_MS)
  const ofDay = time - days * DAY_MS
  const seconds = (ofDay / 1000) | 0
  const minutes = (seconds / 60) | 0
  const hours = (minutes / 60) | 0
  const ms = ofDay - 1000 * seconds
  const tenths = (ms / 10) | 0
  putDay(to, at, days + DAYS_BEFORE)
  to[at + 10] = LETTER_T
  putTwo(to, at + 11, hours)
  to[at + 13] = COLON
  putTwo(to, at + 14, minutes - 60 * hours)
  to[at + 16] = COLON
  putTwo(to, at + 17, seconds - 60 * minutes)
  to[at + 19] = POINT
  putTwo(to, at + 20, tenths)
  to[at + 22] = ZERO + ms - 10 * tenths
  to[at + 23] = LETTER_Z
}
