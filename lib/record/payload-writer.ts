import { LEASE, MOST_TEXTS } from '../engine/direct-route'
import type { Addition, BoundJson, Primitive, StringDefinition } from './definition'
import {
  DATE,
  DATE_CHARACTERS,
  FIRST_DATE,
  innerJson,
  isMade,
  isOther,
  JsonText,
  KEYED,
  kindOf,
  LAST_DATE,
  madeOf,
  NO_JSON,
  ORDINARY,
  putDate,
  timeOf
} from './objects'
import { FilledMessage, type LinePrefix, type ShapeNode, type ShapeTree, type Template } from './shape-tree'
import * as wire from './wire'

/** How the lines of one logger and level are written. */
export interface LineFormat {
  readonly prefix: LinePrefix
  /** The bindings as they are printed: `,"pid":71,"hostname":"a"`; null if there are none. */
  readonly bindings: StringDefinition | null
  /**
   * What stands behind those, of a logger that may live for a line or two; its keys are the
   * prefix's `bound`. null: nothing.
   */
  readonly inline: Addition | null
  /** It is being written. */
  readonly onInline?: () => void
  readonly tree: ShapeTree
  /**
   * JSON of what is neither string, number, boolean nor null; undefined: not to be printed. Does
   * not throw.
   */
  readonly stringify: (value: unknown) => string | undefined
  /** Whether `stringify` prints objects as `JSON.stringify` does. */
  readonly printsAsJson: boolean
  /** A string as JSON; asked for strings with lone surrogates, which UTF-8 cannot say. */
  readonly quote: (text: string) => string
  /**
   * What is logged in the place of an object, which is the object itself nearly always; null:
   * objects have been replaced.
   */
  readonly replaced: ((fields: object) => object) | null
  /** The finished line, for what cannot be said as a record. */
  readonly line: (time: number, timeText: string, fields: object | null, message: unknown) => string
}

/** What is known beforehand of records whose values come without their keys. */
export interface EventShape {
  readonly message: string
  /** The keys' place in the format's tree; none of them has a conversion. */
  readonly node: ShapeNode
  /** The object that values stand for. */
  readonly fields: (values: readonly unknown[]) => object
}

// Constants of this module rather than imports: an import is a property read at each use, which
// shows in this path.
const {
  HEADER_BYTES,
  HEADER_TEMPLATE,
  HEADER_BINDINGS,
  HEADER_TIME,
  NO_ID,
  KIND_RECORD,
  TAG_ABSENT,
  TAG_NULL,
  TAG_FALSE,
  TAG_TRUE,
  TAG_INT,
  TAG_NUMBER,
  TAG_SHORT_STRING,
  TAG_STRING,
  TAG_JSON,
  MAX_SHORT_STRING_BYTES,
  TIME_TEXT
} = wire
const { TEXTS } = LEASE

/** Up to here a loop over the characters is quicker than a call of Buffer's. */
const LONGEST_LOOP = 40
/** And than one of the addon's. */
const LONGEST_LOOP_NATIVE = 32
/** And than a text that an addon's call takes along. */
const LONGEST_LOOP_LEFT = 15
/** The same for a text within another one, which is put together otherwise. */
const LONGEST_WITHIN = 80
/** The same for bytes that are moved. */
const LONGEST_MOVE = 256
/** Behind a text of the addon's. */
export const NUL_BYTES = 1
/** Bytes of UTF-8 that a UTF-16 code unit may take. */
export const UTF8_BYTES = 3
/** The most that a tag with a fixed size takes. */
const FIXED_BYTES = 9

/** It cannot be said as a record: too many keys, or too long a key. */
export const IMPOSSIBLE = -1
/**
 * The record is written, but not so that it can be accepted as it lies: aside, or of things that
 * its segment does not know.
 */
export const UNFINISHED = -2
/**
 * Another object is logged in the place of the one whose fields were to be written; nothing is
 * written.
 */
export const REPLACED = -3
/** In place of an end: an object that has to be JSON. */
const AS_JSON = -4
/** The same of one of which nothing has been read. */
const UNREAD = -5

/** In place of a segment's number: none that knows anything. */
export const NO_SEGMENT = -1
/** Where a record begins in the scratch. */
export const SCRATCH_START = 0
/** Room that is made behind what is written, at the least. */
const ROOM_BYTES = 16 * 1024
/** Memory that is kept for the next record. */
const KEPT_BYTES = 256 * 1024

const NO_KEYS: readonly string[] = []

type Quote = (text: string) => string
const asItIs: Quote = text => text

/** How the addon writes texts into the memory that `setTarget` was given last. */
export interface TextCalls {
  /** Writes one as UTF-8 at a place; its bytes. */
  put(text: string, at: number): number
  /** Writes all that are left for it. False if they are not, and stay left. */
  putLeft(left: LeftTexts): boolean
}
export type TakeTexts = (...texts: string[]) => void

const { keys: keysOf } = Object
const { hasOwnProperty: isOwn } = Object.prototype

/** Writes a text whose units are its bytes. False if it is not ASCII; the bytes are none then. */
export function putAscii(to: Buffer, at: number, text: string): boolean {
  let seen = 0
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    seen |= unit
    to[at + i] = unit
  }
  return seen <= 0x7f
}

/**
 * Of an array whose JSON is made here: elements; members of one of them, more of which are had
 * sooner from JSON.stringify; objects in objects; characters of a text; and what all else takes at
 * the most, with what stands around it.
 */
const MOST_ELEMENTS = 32
const MOST_MEMBERS = 10
const MOST_LEVELS = 4
const LONGEST_ELEMENT_TEXT = 40
const LONGEST_ELEMENT = 128
const COMMA = 44
const COLON = 58
const OPENING_BRACE = 123
const CLOSING_BRACE = 125
const MINUS = 45
const OPENING = 91
const CLOSING = 93
const ZERO = 48
const QUOTE = 34
const BACKSLASH = 92
const FIRST_PLAIN = 32

/** Writes a text of which it is known that it is ASCII. Its end. */
function putKnown(to: Buffer, at: number, text: string): number {
  putAscii(to, at, text)
  return at + text.length
}

/** Writes a text that JSON prints as it is. False if it does not. */
function putPlain(to: Buffer, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < FIRST_PLAIN || unit > 0x7f || unit === QUOTE || unit === BACKSLASH) return false
    to[at + i] = unit
  }
  return true
}

/** Writes a string as JSON if that is the string itself in quotes. Its end, or UNCOMMON. */
function putQuoted(to: Buffer, at: number, text: string): number {
  const { length } = text
  if (length > LONGEST_ELEMENT_TEXT || !putPlain(to, at + 1, text)) return UNCOMMON
  to[at] = QUOTE
  to[at + 1 + length] = QUOTE
  return at + length + 2
}

/** Whether an array of so many elements is short; a proxy may say anything. */
const isShort = (length: number): boolean => Number.isInteger(length) && length >= 0 && length <= MOST_ELEMENTS

/** Writes an integer of up to 9 digits. Its end. */
function putInteger(to: Buffer, at: number, value: number): number {
  let start = at
  if (value < 0) to[start++] = MINUS
  let rest = value < 0 ? -value : value
  let end = start + 1
  for (let power = 10; rest >= power; power *= 10) end++
  for (let i = end - 1; i >= start; i--) {
    const next = (rest / 10) | 0
    to[i] = ZERO + rest - 10 * next
    rest = next
  }
  return end
}

/** Numbers up to here are written digit by digit. */
const LARGEST_INTEGER = 999_999_999

/** Writes JSON of a short value that is no object. Its end, or UNCOMMON. */
function putElement(to: Buffer, at: number, value: unknown): number {
  if (typeof value === 'string') return putQuoted(to, at, value)
  if (typeof value === 'number') {
    const isInteger = (value | 0) === value && value <= LARGEST_INTEGER && value >= -LARGEST_INTEGER
    if (isInteger) return putInteger(to, at, value)
    return putKnown(to, at, Number.isFinite(value) ? String(value) : 'null')
  }
  if (typeof value === 'boolean') return putKnown(to, at, value ? 'true' : 'false')
  // What has no JSON is null in an array.
  return typeof value === 'bigint' ? UNCOMMON : putKnown(to, at, 'null')
}

/** A message of which it is known whether it is printed at all. */
function settled(message: unknown, format: LineFormat): unknown {
  if (typeof message === 'function') return undefined
  if ((typeof message !== 'object' || message === null) && typeof message !== 'symbol') return message
  const json = format.stringify(message)
  return json === undefined ? undefined : new JsonText(json)
}

/**
 * The most bytes of UTF-8 that a text takes; of a long one exactly those: memory for all that it
 * might take would be much.
 */
export const mostUtf8 = (text: string): number =>
  text.length > KEPT_BYTES ? Buffer.byteLength(text) : UTF8_BYTES * text.length

interface WellFormed {
  isWellFormed(): boolean
}

/** putCommon left it to others. */
const UNCOMMON = -1

/**
 * Texts of the record that is being written which lie in their places only when a native call has
 * put them there: the one that accepts the record, so that a text takes no call of its own. How
 * many there are is the writer's `leftCount`, which each call asks for.
 */
export class LeftTexts {
  readonly #texts: string[] = Array.from({ length: MOST_TEXTS }, () => '')
  /** Where the bytes of each begin. */
  readonly #places = new Int32Array(MOST_TEXTS)
  /**
   * Which `JSON.stringify` prints, as it does what lies in objects in objects and bindings: a bit
   * for each.
   */
  #byJson = 0
  /** Which is printed as it is: a bit for each. */
  #plain = 0
  /** Whether there are any, of a record that has come to nothing perhaps. */
  isInUse = false

  set(index: number, text: string, at: number): void {
    this.isInUse = true
    this.#texts[index] = text
    this.#places[index] = at
    this.#byJson &= ~(1 << index)
    this.#plain &= ~(1 << index)
  }

  text(index: number): string {
    return this.#texts[index]!
  }

  place(index: number): number {
    return this.#places[index]!
  }

  /** How it is printed if it is not what UTF-8 can say; `quote` is what prints fields. */
  quoteOf(index: number, quote: Quote): Quote {
    if ((this.#plain & (1 << index)) !== 0) return asItIs
    return (this.#byJson & (1 << index)) !== 0 ? JSON.stringify : quote
  }

  /** They are written: none may keep what it was cut from in memory. */
  release(count: number): void {
    const texts = this.#texts
    texts[0] = ''
    for (let i = 1; i < count; i++) texts[i] = ''
  }

  /** As `release`, of whatever came to nothing. */
  releaseAll(): void {
    this.isInUse = false
    this.release(MOST_TEXTS)
  }

  /** What lies from `at` on is printed by `JSON.stringify`. */
  noteByJson(count: number, at: number): void {
    for (let i = count - 1; i >= 0 && this.#places[i]! >= at; i--) this.#byJson |= 1 << i
  }

  /** It is no string but part of the line. */
  notePlain(index: number): void {
    this.#plain |= 1 << index
  }

  /** How many lie before `at`. */
  countBefore(count: number, at: number): number {
    let before = count
    while (before > 0 && this.#places[before - 1]! >= at) before--
    return before
  }

  /** The record lies further on by `bytes`. */
  move(count: number, bytes: number): void {
    for (let i = 0; i < count; i++) this.#places[i]! += bytes
  }

  /** Has `call`, of the addon's, write them into the entry that is being written to its lease. */
  give(count: number, call: TakeTexts, lease: Int32Array): void {
    const texts = this.#texts
    for (let i = 0; i < count; i++) lease[TEXTS + i] = this.#places[i]!
    if (count === 1) call(texts[0]!)
    else if (count === 2) call(texts[0]!, texts[1]!)
    else if (count === 3) call(texts[0]!, texts[1]!, texts[2]!)
    else call(texts[0]!, texts[1]!, texts[2]!, texts[3]!)
  }
}

/**
 * Writes the payloads of records (docs/reference/record-format.md, section 3) into memory. A record
 * that does not fit is gone on with in memory of the writer's own, the scratch, so that each value
 * is read and converted once.
 *
 * Getters, conversions and `toJSON` may log: what runs them may find `bytes`, #view and #limit
 * changed.
 */
export class PayloadWriter {
  #scratch: Buffer = Buffer.alloc(0)
  #scratchView = new DataView(this.#scratch.buffer)
  /**
   * Where the record lies: in what `setTarget` was given, or in the scratch. Written here alone.
   */
  bytes = this.#scratch
  #view = this.#scratchView
  #limit = 0
  #start = SCRATCH_START
  #segment = NO_SEGMENT
  /** The template that the record is expected to have; null: none is. */
  #expected: Template | null = null
  /** Where the record written last ends. Written here alone. */
  end = 0
  /** What it refers to beside its bindings. Written here alone. */
  template: Template | null = null
  /** Behind #putArray: see there. */
  #read: readonly unknown[] | null = null
  /** Of the field that is being written: whether something in it has no JSON by itself. */
  #isHopeless = false
  /** Behind #putObject: what follows. */
  #node: ShapeNode | null = null
  /** Of the record written last, until `settle`. */
  readonly left = new LeftTexts()
  /** How many they are. Written here alone. */
  leftCount = 0
  readonly #calls: TextCalls | null
  /** A text that was left was not ASCII: none is, until `trust`. Written here alone. */
  isCautious = false
  /** Strings up to here are written character by character. */
  #longestLoop = LONGEST_LOOP
  /** Whether longer ones may be left. */
  #leaves = false

  /**
   * @param calls how to write texts into memory that was given; null: as into the scratch, and none
   *   is left
   */
  constructor(calls: TextCalls | null) {
    this.#calls = calls
  }

  /** The memory that is written to from now on; `view` is of the same. */
  setTarget(bytes: Buffer, view: DataView): void {
    this.bytes = bytes
    this.#view = view
    const isNative = this.#calls !== null && bytes !== this.#scratch
    this.#leaves = isNative && !this.isCautious
    this.#longestLoop = !isNative ? LONGEST_LOOP : this.#leaves ? LONGEST_LOOP_LEFT : LONGEST_LOOP_NATIVE
  }

  /** From now on the scratch is written to, from SCRATCH_START. */
  useScratch(): void {
    if (this.#scratch.length < ROOM_BYTES) this.#grow(ROOM_BYTES)
    this.setTarget(this.#scratch, this.#scratchView)
  }

  /** Texts are left again: the next ones may all be ASCII. */
  trust(): void {
    this.isCautious = false
    this.setTarget(this.bytes, this.#view)
  }

  /**
   * Where the next record goes.
   *
   * @param limit the end of the room for it
   * @param segment the number of the segment that it lies in
   * @param expected the template that it will have if the object has those keys; null: what it will
   *   have is not known
   */
  place(at: number, limit: number, segment: number, expected: Template | null): void {
    this.#start = at
    this.#limit = limit
    this.#segment = segment
    // A store of what is there already would cost more than the question.
    if (this.#expected !== expected) this.#expected = expected
  }

  /** The same memory. */
  get view(): DataView {
    return this.#view
  }

  /**
   * Leaves the memory that `setTarget` has given to somebody else, also in the middle of a record.
   *
   * @param end where the record ends, if it does
   */
  spill(end: number = this.#limit): void {
    if (this.bytes !== this.#scratch) this.#moveToScratch(end, end + ROOM_BYTES)
  }

  /** Has the record written last begin at `to`, further on in the same memory. */
  moveTo(to: number): void {
    const bytes = this.bytes
    const by = to - this.#start
    const end = this.end
    if (end - this.#start > LONGEST_MOVE) bytes.copyWithin(to, this.#start, end)
    else for (let i = end - 1; i >= this.#start; i--) bytes[i + by] = bytes[i]!
    this.#start = to
    this.end = end + by
    if (this.leftCount > 0) this.left.move(this.leftCount, by)
  }

  /**
   * Writes the texts that are left, of a record of `format` that is complete and lies in the
   * scratch. Its end moves where they are not ASCII.
   */
  settle({ quote }: LineFormat): void {
    const { left } = this
    let moved = 0
    for (let i = 0; i < this.leftCount; i++) {
      const text = left.text(i)
      const at = left.place(i) + moved
      const isAscii = putAscii(this.bytes, at, text)
      if (!isAscii) moved += this.#replace(at, text, left.quoteOf(i, quote))
    }
    left.releaseAll()
    this.leftCount = 0
  }

  /** Writes a text that takes more bytes than were left for it at `at`. How many more. */
  #replace(at: number, text: string, quote: Quote): number {
    const { end } = this
    const rest = Buffer.from(this.bytes.subarray(at + text.length, end))
    const next = this.#putString(at - 2, text, quote)
    this.#ensure(next, rest.length)
    rest.copy(this.bytes, next)
    this.end = next + rest.length
    this.isCautious = true
    return this.end - end
  }

  /** The record has been used: memory of an uncommonly long one is given back. */
  release(): void {
    if (this.#scratch.length <= KEPT_BYTES) return
    this.#grow(0)
    this.setTarget(this.#scratch, this.#scratchView)
  }

  #grow(size: number): void {
    this.#scratch = Buffer.allocUnsafeSlow(size)
    this.#scratchView = new DataView(this.#scratch.buffer)
  }

  /**
   * Goes on in the scratch, at the same offsets, with room up to `least`; what has been written
   * ends at `end`.
   */
  #moveToScratch(end: number, least: number): void {
    const written = this.bytes
    if (this.#scratch.length < least) this.#grow(Math.max(least, 2 * this.#scratch.length))
    if (this.#start < end) written.copy(this.#scratch, this.#start, this.#start, end)
    this.setTarget(this.#scratch, this.#scratchView)
    this.#limit = this.#scratch.length
  }

  #ensure(at: number, bytes: number): void {
    if (at + bytes > this.#limit) this.#moveToScratch(at, at + bytes + ROOM_BYTES)
  }

  // What follows writes at `at` and returns where it ends, making room where there is none.

  /**
   * Numbers, short ASCII strings, booleans and null, where there is room. Their end, or UNCOMMON.
   */
  #putCommon(at: number, value: unknown): number {
    const bytes = this.bytes
    if (typeof value === 'string') {
      const { length } = value
      const start = at + 2
      if (length > this.#longestLoop || start + length > this.#limit) return this.#leave(at, value)
      let seen = 0
      for (let i = 0; i < length; i++) {
        const unit = value.charCodeAt(i)
        seen |= unit
        bytes[start + i] = unit
      }
      if (seen > 0x7f) return UNCOMMON
      bytes[at] = TAG_SHORT_STRING
      bytes[at + 1] = length
      return start + length
    }
    if (at + FIXED_BYTES > this.#limit) return UNCOMMON
    if (typeof value === 'number') {
      if ((value | 0) === value) {
        bytes[at] = TAG_INT
        this.#view.setInt32(at + 1, value, true)
        return at + 5
      }
      bytes[at] = TAG_NUMBER
      this.#view.setFloat64(at + 1, value, true)
      return at + 9
    }
    if (typeof value === 'boolean') bytes[at] = value ? TAG_TRUE : TAG_FALSE
    else if (value === null) bytes[at] = TAG_NULL
    else return UNCOMMON
    return at + 1
  }

  /** Leaves a string its place, where there is room and a call is going to take it along. */
  #leave(at: number, text: string): number {
    const { length } = text
    if (!this.#leaves || length > MAX_SHORT_STRING_BYTES || at + 2 + length > this.#limit) return UNCOMMON
    if (this.leftCount === MOST_TEXTS && !this.#putLeft()) return UNCOMMON
    const start = at + 2
    this.left.set(this.leftCount, text, start)
    this.leftCount++
    this.bytes[at] = TAG_SHORT_STRING
    this.bytes[at + 1] = length
    return start + length
  }

  #putLeft(): boolean {
    if (this.#calls!.putLeft(this.left)) {
      this.left.release(this.leftCount)
      this.leftCount = 0
      return true
    }
    this.isCautious = true
    this.setTarget(this.bytes, this.#view)
    return false
  }

  #putUtf8(tag: number, at: number, text: string): number {
    const start = at + 5
    this.#ensure(start, mostUtf8(text) + NUL_BYTES)
    const isOwn = this.#calls === null || this.bytes === this.#scratch
    const length = isOwn ? this.bytes.write(text, start) : this.#calls!.put(text, start)
    this.bytes[at] = tag
    this.#view.setUint32(at + 1, length, true)
    return start + length
  }

  #putString(at: number, text: string, quote: Quote): number {
    const end = this.#putUtf8(TAG_STRING, at, text)
    // As many bytes as code units: ASCII, which is well-formed.
    if (end === at + 5 + text.length || (text as unknown as WellFormed).isWellFormed()) return end
    return this.#putUtf8(TAG_JSON, at, quote(text))
  }

  #putTag(at: number, tag: number): number {
    this.#ensure(at, 1)
    this.bytes[at] = tag
    return at + 1
  }

  #putPrimitive(at: number, value: Primitive, quote: Quote): number {
    const end = this.#putCommon(at, value)
    if (end !== UNCOMMON) return end
    if (typeof value === 'string') return this.#putString(at, value, quote)
    this.#ensure(at, FIXED_BYTES)
    return this.#putCommon(at, value)
  }

  #putValue(at: number, value: unknown, format: LineFormat): number {
    switch (typeof value) {
      case 'string':
      case 'number':
      case 'boolean':
        return this.#putPrimitive(at, value, format.quote)
      case 'undefined':
      case 'function':
        return this.#putTag(at, TAG_ABSENT)
      default: {
        if (value === null) return this.#putTag(at, TAG_NULL)
        const json = JsonText.textOf(value) ?? format.stringify(value)
        return json === undefined ? this.#putTag(at, TAG_ABSENT) : this.#putUtf8(TAG_JSON, at, json)
      }
    }
  }

  /**
   * Writes the values of an object in an object, whose keys become the template's.
   *
   * @param from where the key of the object follows
   * @returns AS_JSON, or where the values end; then #node is what follows
   */
  #putObject(at: number, key: string, object: object, from: ShapeNode, tree: ShapeTree): number {
    const opened = tree.open(from, key)
    if (opened === null) return AS_JSON
    if (opened.inherits ?? opened.findInherits(object)) return this.#putKeys(at, object, opened, tree)
    let node: ShapeNode | null = opened
    let end = at
    for (const inner in object) {
      if (!isOwn.call(object, inner)) {
        opened.inherits = true
        continue
      }
      const value = (object as Record<string, unknown>)[inner]
      // As a request's `version` is nearly always.
      if (value === undefined) continue
      const put = this.#putCommon(end, value)
      if (put === UNCOMMON) {
        end = this.#putUncommon(end, inner, value, node, tree)
        if (end === AS_JSON) return AS_JSON
        node = this.#node as ShapeNode
        continue
      }
      end = put
      node = node.next.key === inner ? node.next : tree.step(node, inner)
      if (node === null) return AS_JSON
    }
    this.#node = tree.close(node)
    return end
  }

  /**
   * As #putObject, of an object that is open at `from`: where there is no prototype, or it has keys
   * too, a `for in` takes several times as long.
   */
  #putKeys(at: number, object: object, from: ShapeNode, tree: ShapeTree): number {
    let end = at
    let node: ShapeNode | null = from
    const keys = keysOf(object)
    if (isOther(object, keys)) return AS_JSON
    for (const inner of keys) {
      const value = (object as Record<string, unknown>)[inner]
      if (value === undefined) continue
      const put = this.#putCommon(end, value)
      if (put === UNCOMMON) end = this.#putUncommon(end, inner, value, node, tree)
      else {
        end = put
        this.#node = node.next.key === inner ? node.next : tree.step(node, inner)
      }
      node = this.#node
      if (end === AS_JSON || node === null) return AS_JSON
    }
    this.#node = tree.close(node)
    return end
  }

  /**
   * A member that #putCommon has left, behind `before`. Sets #node to what follows; returns as
   * #putObject.
   */
  #putUncommon(at: number, key: string, value: unknown, before: ShapeNode, tree: ShapeTree): number {
    this.#node = before
    switch (typeof value) {
      case 'function':
        return typeof (value as { toJSON?: unknown }).toJSON === 'function' ? AS_JSON : at
      case 'symbol':
        return at
      case 'bigint':
        return AS_JSON
      case 'object':
        if (value !== null) return this.#putInner(at, key, value, before, tree)
    }
    return this.#behind(this.#putPrimitive(at, value as Primitive, JSON.stringify), key, before, tree)
  }

  /** An object in an object; returns as #putObject. */
  #putMembers(at: number, key: string, object: object, from: ShapeNode, tree: ShapeTree): number {
    if (Array.isArray(object)) {
      const end = this.#putArray(at, object)
      return end === UNCOMMON ? AS_JSON : this.#behind(end, key, from, tree)
    }
    const kind = kindOf(object)
    if (kind === ORDINARY) return this.#putObject(at, key, object, from, tree)
    if (kind === DATE) return this.#putDate(at, key, object as Date, from, tree)
    const node = kind === KEYED ? tree.open(from, key) : null
    return node === null ? AS_JSON : this.#putKeys(at, object, node, tree)
  }

  /** A date that is printed as its prototype says; returns as #putObject. */
  #putDate(at: number, key: string, date: Date, from: ShapeNode, tree: ShapeTree): number {
    if (at + 2 + DATE_CHARACTERS > this.#limit) return AS_JSON
    const time = timeOf.call(date)
    if (Number.isNaN(time)) return this.#behind(this.#putTag(at, TAG_NULL), key, from, tree)
    if (time < FIRST_DATE || time > LAST_DATE) return AS_JSON
    this.bytes[at] = TAG_SHORT_STRING
    this.bytes[at + 1] = DATE_CHARACTERS
    putDate(this.bytes, at + 2, time)
    return this.#behind(at + 2 + DATE_CHARACTERS, key, from, tree)
  }

  /**
   * A short array: JSON.stringify would take several times as long. Its end; or UNCOMMON, and #read
   * is what has been read of it, if it has: each element is read once.
   */
  #putArray(at: number, array: readonly unknown[]): number {
    const { length } = array
    if (!isShort(length) || 'toJSON' in array) return UNCOMMON
    const read: unknown[] = []
    const start = at + 5
    let end = start
    let hasObjects = false
    for (let i = 0; i < length; i++) {
      const value = array[i]
      read.push(value)
      hasObjects ||= typeof value === 'object'
      // Of long texts alone JSON.stringify makes JSON sooner.
      const isLong = !hasObjects && typeof value === 'string' && value.length > LONGEST_ELEMENT_TEXT
      if (end !== UNCOMMON) end = isLong ? UNCOMMON : this.#putNext(end, i === 0 ? OPENING : COMMA, value, i, 1)
    }
    if (end === UNCOMMON) {
      this.#read = read
      return UNCOMMON
    }
    if (end === start) end = this.#putMark(end, OPENING)
    end = this.#putMark(end, CLOSING)
    this.bytes[at] = TAG_JSON
    this.#view.setUint32(at + 1, end - start, true)
    return end
  }

  // User code that runs on the way may change what is written to: it is looked up for each value.

  #putMark(at: number, mark: number): number {
    this.#ensure(at, LONGEST_ELEMENT)
    this.bytes[at] = mark
    return at + 1
  }

  /** JSON that is made already. */
  #putRaw(at: number, json: string): number {
    this.#ensure(at, mostUtf8(json) + NUL_BYTES)
    const isOwn = this.#calls === null || this.bytes === this.#scratch
    return at + (isOwn ? this.bytes.write(json, at) : this.#calls!.put(json, at))
  }

  /** Writes `mark`, then JSON of an element. Its end, or UNCOMMON. */
  #putNext(at: number, mark: number, value: unknown, index: number, level: number): number {
    const made = isMade(value) ? madeOf(value, String(index)) : value
    return this.#putJson(this.#putMark(at, mark), made, level)
  }

  /** JSON of a value behind a mark, for which there is room if it is short. */
  #putJson(at: number, value: unknown, level: number): number {
    if (typeof value === 'object' && value !== null) return this.#putJsonOf(at, value, level)
    if (value === NO_JSON) return UNCOMMON
    const end = putElement(this.bytes, at, value)
    return end === UNCOMMON && typeof value === 'string' ? this.#putRaw(at, JSON.stringify(value)) : end
  }

  #putJsonOf(at: number, value: object, level: number): number {
    const made = JsonText.textOf(value)
    if (made !== undefined) return this.#putRaw(at, made)
    if (level <= MOST_LEVELS) {
      const end = Array.isArray(value) ? this.#putElements(at, value, level) : this.#putJsonObject(at, value, level)
      if (end !== UNREAD) return end
    }
    const json = this.#isHopeless ? null : innerJson(value)
    if (typeof json === 'string') return this.#putRaw(at, json)
    if (json === null) this.#isHopeless = true
    return UNCOMMON
  }

  /** As #putJson; or UNREAD. */
  #putElements(at: number, array: readonly unknown[], level: number): number {
    const { length } = array
    if (!isShort(length) || 'toJSON' in array) return UNREAD
    let end = at
    for (let i = 0; i < length; i++) {
      end = this.#putNext(end, i === 0 ? OPENING : COMMA, array[i], i, level + 1)
      if (end === UNCOMMON) return UNCOMMON
    }
    if (end === at) end = this.#putMark(end, OPENING)
    return this.#putMark(end, CLOSING)
  }

  /** As #putElements. */
  #putJsonObject(at: number, object: object, level: number): number {
    const kind = kindOf(object)
    if (kind === DATE) return this.#putQuotedDate(at, timeOf.call(object))
    if (kind !== ORDINARY && kind !== KEYED) return UNREAD
    const keys = keysOf(object)
    if (keys.length > MOST_MEMBERS || (kind === KEYED && isOther(object, keys))) return UNREAD
    let end = at
    for (const key of keys) {
      const given = (object as Record<string, unknown>)[key]
      const value = isMade(given) ? madeOf(given, key) : given
      // Neither has JSON.
      if (value === undefined || typeof value === 'function') continue
      if (typeof value === 'symbol' && value !== NO_JSON) continue
      end = this.#putMark(end, end === at ? OPENING_BRACE : COMMA)
      end = this.#putJson(end, key, level)
      end = this.#putJson(this.#putMark(end, COLON), value, level + 1)
      if (end === UNCOMMON) return UNCOMMON
    }
    if (end === at) end = this.#putMark(end, OPENING_BRACE)
    return this.#putMark(end, CLOSING_BRACE)
  }

  #putQuotedDate(at: number, time: number): number {
    if (!(time >= FIRST_DATE && time <= LAST_DATE)) return UNREAD
    const { bytes } = this
    bytes[at] = QUOTE
    putDate(bytes, at + 1, time)
    bytes[at + 1 + DATE_CHARACTERS] = QUOTE
    return at + DATE_CHARACTERS + 2
  }

  /** The elements of an array that #putArray has read and not written; null: it has read none. */
  #takeRead(): readonly unknown[] | null {
    const read = this.#read
    if (read !== null) this.#read = null
    return read
  }

  /** Sets #node to what follows a value for `key`, which ends at `end`; returns as #putObject. */
  #behind(end: number, key: string, from: ShapeNode, tree: ShapeTree): number {
    const node = from.next.key === key ? from.next : tree.step(from, key)
    if (node === null) return AS_JSON
    this.#node = node
    return end
  }

  /** An object in an object in an object; returns as #putObject. */
  #putInner(at: number, key: string, value: object, from: ShapeNode, tree: ShapeTree): number {
    const end = this.#putMembers(at, key, value, from, tree)
    if (end !== AS_JSON) return end
    this.leftCount = this.left.countBefore(this.leftCount, at)
    const read = this.#takeRead() ?? value
    // What is around such a one fails as it does.
    const json = this.#isHopeless ? null : innerJson(read)
    if (json === null) this.#isHopeless = true
    return typeof json === 'string' ? this.#behind(this.#putUtf8(TAG_JSON, at, json), key, from, tree) : AS_JSON
  }

  /** As #putMembers, whatever the object does. */
  #tryObject(at: number, key: string, object: object, from: ShapeNode, tree: ShapeTree): number {
    try {
      return this.#putMembers(at, key, object, from, tree)
    } catch {
      // A getter or a proxy; what is printed of it then is for `stringify` to say, which meets the
      // same.
      return AS_JSON
    }
  }

  /**
   * A field whose value is none of the common ones, behind `before`. Sets #node to what follows;
   * null if there can be nothing.
   */
  #putField(at: number, key: string, value: unknown, format: LineFormat, before: ShapeNode): number {
    if (typeof value === 'object' && value !== null && format.printsAsJson) {
      this.#isHopeless = false
      const end = this.#tryObject(at, key, value, before, format.tree)
      format.tree.settle(before, key, end === AS_JSON)
      if (end !== AS_JSON) {
        this.left.noteByJson(this.leftCount, at)
        return end
      }
      this.leftCount = this.left.countBefore(this.leftCount, at)
    }
    this.#node = before.next.key === key ? before.next : format.tree.step(before, key)
    const read = this.#takeRead()
    const json = read === null ? undefined : innerJson(read)
    const end = typeof json !== 'string' ? this.#putValue(at, value, format) : this.#putUtf8(TAG_JSON, at, json)
    // What is absent is printed without its key, which would be the end of an object besides.
    if (before.edge !== 'close' || this.bytes[at] !== TAG_ABSENT) return end
    this.#node = before
    return at
  }

  /** Behind the fields: the text of the time, a message that the template does not hold. */
  #putRest(at: number, format: LineFormat, timeText: string, template: Template, message: unknown): number {
    const end = template.prefix.timeForm === TIME_TEXT ? this.#putTime(at, timeText) : at
    return template.message === null ? this.#putValue(end, message, format) : end
  }

  #putTime(at: number, text: string): number {
    const end = this.#putCommon(at, text)
    if (end === UNCOMMON) return this.#putUtf8(TAG_JSON, at, text)
    if (text.length > this.#longestLoop) this.left.notePlain(this.leftCount - 1)
    return end
  }

  /** Writes the header but for the time. Returns as `fields`. */
  #complete(end: number, format: LineFormat, template: Template): number {
    const { bindings } = format
    const at = this.#start
    const bytes = this.bytes
    const { id } = template
    const bindingsId = bindings === null ? NO_ID : bindings.id
    bytes[at] = KIND_RECORD
    // DataView's methods are calls in the code that comes out of this.
    bytes[at + HEADER_TEMPLATE] = id
    bytes[at + HEADER_TEMPLATE + 1] = id >>> 8
    bytes[at + HEADER_TEMPLATE + 2] = id >>> 16
    bytes[at + HEADER_TEMPLATE + 3] = id >>> 24
    bytes[at + HEADER_BINDINGS] = bindingsId
    bytes[at + HEADER_BINDINGS + 1] = bindingsId >>> 8
    bytes[at + HEADER_BINDINGS + 2] = bindingsId >>> 16
    bytes[at + HEADER_BINDINGS + 3] = bindingsId >>> 24
    // A store of what is there already would cost more than the question.
    if (this.template !== template) this.template = template
    this.end = end
    const segment = this.#segment
    const isKnown =
      (template.definedIn === segment || template.definedInRing === segment) &&
      (bindings === null || bindings.definedIn === segment || bindings.definedInRing === segment)
    return isKnown && this.bytes !== this.#scratch ? end : UNFINISHED
  }

  /**
   * Writes what follows the values, which end at `from`, of fields that end at `node`. Returns as
   * `fields`.
   */
  #finish(from: number, format: LineFormat, node: ShapeNode, timeText: string, message: unknown): number {
    if (typeof message === 'object' && FilledMessage.is(message)) {
      return this.#finishFilled(from, format, node, timeText, message)
    }
    // Nor may the end of the last object depend on a message that turns out absent.
    const text = node.edge === 'close' ? settled(message, format) : message
    const { prefix } = format
    const template = format.tree.template(node, prefix, text)
    if (template === null) return IMPOSSIBLE
    const isWhole = template.message !== null && prefix.timeForm !== TIME_TEXT
    return this.#complete(isWhole ? from : this.#putRest(from, format, timeText, template, text), format, template)
  }

  /** As #finish, with a message whose values go into the record. */
  #finishFilled(from: number, format: LineFormat, node: ShapeNode, timeText: string, message: FilledMessage): number {
    const { tree, prefix } = format
    const { pattern, values } = message
    let end = from
    for (let i = 0; i < pattern.count; i++) {
      const value = values[i]
      end =
        typeof value === 'string'
          ? this.#putWithin(end, value)
          : this.#putPrimitive(end, value as Primitive, JSON.stringify)
      // To put the message together here costs less than to have such a one printed.
      if (end === UNCOMMON) return this.#finish(from, format, node, timeText, message.text)
    }
    const template = tree.template(tree.fill(node, pattern), prefix, undefined)
    if (template === null) return this.#finish(from, format, node, timeText, message.text)
    const isWhole = prefix.timeForm !== TIME_TEXT
    return this.#complete(isWhole ? end : this.#putRest(end, format, timeText, template, undefined), format, template)
  }

  /**
   * A string that is printed within another one, where that is the string itself. Its end, or
   * UNCOMMON.
   */
  #putWithin(at: number, text: string): number {
    const { length } = text
    const start = at + 5
    const isShort = length <= LONGEST_WITHIN && start + length <= this.#limit
    if (!isShort || !putPlain(this.bytes, start, text)) return UNCOMMON
    this.bytes[at] = TAG_JSON
    this.#view.setUint32(at + 1, length, true)
    return start + length
  }

  /**
   * Where the fields go on that were those of the expected template up to `count`; null if another
   * object is logged in their place.
   */
  #diverge(format: LineFormat, fields: object, count: number): ShapeNode | null {
    if (format.replaced !== null && format.replaced(fields) !== fields) return null
    return this.#atCount(format, count)
  }

  /** The node of the first `count` keys of the expected template. */
  #atCount({ tree, prefix }: LineFormat, count: number): ShapeNode | null {
    const { node, keys } = this.#expected!
    if (node.root === tree.root) return node.ancestor(count)
    // The tree has been started over, and must not grow where nobody finds it.
    let at: ShapeNode | null = tree.start(prefix)
    for (let i = at.count; i < count && at !== null; i++) at = tree.step(at, keys![i]!)
    return at
  }

  /** Bindings, which are printed as `JSON.stringify` does. */
  #putInline(at: number, inline: Addition, format: LineFormat): number {
    format.onInline?.()
    let end = at
    if (inline.parts === null) end = this.#putBound(at, inline)
    else for (const part of inline.parts) end = this.#putBound(end, part)
    if (this.leftCount > 0) this.left.noteByJson(this.leftCount, at)
    return end
  }

  #putBound(at: number, { value, isJson, values }: Addition): number {
    if (values !== null) return this.#putBoundValues(at, values)
    if (!isJson) return this.#putPrimitive(at, value, JSON.stringify)
    return this.#putTagged(at, value)
  }

  #putBoundValues(at: number, values: readonly (Primitive | BoundJson)[]): number {
    let end = at
    for (const value of values) {
      const isJson = typeof value === 'object' && value !== null
      end = isJson ? this.#putTagged(end, value.json) : this.#putPrimitive(end, value, JSON.stringify)
    }
    return end
  }

  #putTagged(at: number, json: string): number {
    const { length } = json
    const isShort = length <= LONGEST_LOOP_LEFT && at + 5 + length <= this.#limit
    if (!isShort || !putAscii(this.bytes, at + 5, json)) return this.#putUtf8(TAG_JSON, at, json)
    this.bytes[at] = TAG_JSON
    this.#view.setUint32(at + 1, length, true)
    return at + 5 + length
  }

  /**
   * Writes a record of an object's fields to its place, or to the scratch.
   *
   * @returns its end, UNFINISHED, IMPOSSIBLE or REPLACED
   */
  fields(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): number {
    const { tree, inline } = format
    const expected = this.#expected
    const known = expected === null ? null : expected.keys
    const keys = known ?? NO_KEYS
    // null while the fields are those of the template that is expected.
    let node: ShapeNode | null = known !== null ? null : inline === null ? tree.root : tree.start(format.prefix)
    let count = 0
    this.leftCount = 0
    const start = this.#start
    let end = start + HEADER_BYTES
    if (end > this.#limit) this.#ensure(start, HEADER_BYTES)
    this.#view.setFloat64(start + HEADER_TIME, time, true)
    if (inline !== null) {
      end = this.#putInline(end, inline, format)
      count = inline.names!.keys.length
    }
    if (fields !== null) {
      if (tree.isStrained && !tree.takes(fields, format.prefix)) return IMPOSSIBLE
      for (const key in fields) {
        let value: unknown = (fields as Record<string, unknown>)[key]
        // Asked afterwards, as pino does: a getter may delete what it is read from.
        if (!isOwn.call(fields, key)) continue
        if (node === null) {
          if (keys[count] === key) {
            const put = this.#putCommon(end, value)
            if (put !== UNCOMMON) end = put
            else if (typeof value !== 'object' || value === null) end = this.#putValue(end, value, format)
            else {
              // From here on keys are not compared with those of plain objects' templates.
              const before = this.#diverge(format, fields, count)
              if (before === null) return REPLACED
              end = this.#putField(end, key, value, format, before)
              node = this.#node
              if (node === null) return IMPOSSIBLE
            }
            count++
            continue
          }
          node = this.#diverge(format, fields, count)
          if (node === null) return REPLACED
        }
        const before: ShapeNode = node
        node = before.next.key === key ? before.next : tree.step(before, key)
        if (node === null) return IMPOSSIBLE
        if (node.convert !== null && value !== undefined) value = node.convert(value)
        const put = this.#putCommon(end, value)
        if (put === UNCOMMON) {
          end = this.#putField(end, key, value, format, before)
          node = this.#node
          if (node === null) return IMPOSSIBLE
        } else {
          end = put
        }
      }
    }
    if (node === null) {
      if (count === keys.length) {
        const isWhole = format.prefix.timeForm !== TIME_TEXT
        const last = isWhole ? end : this.#putRest(end, format, timeText, expected!, message)
        return this.#complete(last, format, expected!)
      }
      node = this.#atCount(format, count)
      if (node === null) return IMPOSSIBLE
    }
    return this.#finish(end, format, node, timeText, message)
  }

  /**
   * Writes the record that `made` holds from `from` on, with other values in front of its own.
   *
   * @param template that of such records
   */
  copy(made: PayloadWriter, from: number, values: readonly unknown[], format: LineFormat, template: Template): void {
    this.leftCount = 0
    const start = this.#start
    const length = made.end - from - HEADER_BYTES
    this.#ensure(start, HEADER_BYTES)
    made.bytes.copy(this.bytes, start, from, from + HEADER_BYTES)
    let end = start + HEADER_BYTES
    for (const value of values) end = this.#putValue(end, value, format)
    this.#ensure(end, length)
    made.bytes.copy(this.bytes, end, from + HEADER_BYTES, made.end)
    this.#complete(end + length, format, template)
  }

  /** As `fields`, of values whose keys are those of `node`. */
  values(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): number {
    const { node } = event
    this.leftCount = 0
    const start = this.#start
    let end = start + HEADER_BYTES
    if (end > this.#limit) this.#ensure(start, HEADER_BYTES)
    this.#view.setFloat64(start + HEADER_TIME, time, true)
    for (let i = 0; i < node.count; i++) {
      const put = this.#putCommon(end, values[i])
      end = put === UNCOMMON ? this.#putValue(end, values[i], format) : put
    }
    return this.#finish(end, format, node, timeText, event.message)
  }
}
