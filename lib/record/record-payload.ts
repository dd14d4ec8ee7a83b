import type { Definition } from './definition'
import type { LineKind, LineNode, LineTree, Template } from './line-tree'
import * as wire from './wire'

/** What the lines of one logger and level have in common. */
export interface LineStyle {
  readonly kind: LineKind
  /** The bindings as they are printed: `,"pid":71,"hostname":"a"`; null if there are none. */
  readonly bindings: Definition | null
  readonly tree: LineTree
  /** JSON of what is neither string, number, boolean nor null; undefined: not to be printed. Does not throw. */
  readonly stringify: (value: unknown) => string | undefined
  /** Whether `stringify` prints objects as `JSON.stringify` does. */
  readonly printsAsJson: boolean
  /** A string as JSON; asked for strings with lone surrogates, which UTF-8 cannot say. */
  readonly quote: (text: string) => string
  /** The finished line, for what cannot be said as a record. */
  readonly line: (time: number, timeText: string, fields: object | null, message: unknown) => string
}

// Constants of this module rather than imports: an import is a property read at each use, which shows in this path.
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
  TIME_TEXT
} = wire

/** Up to here a loop over the characters is quicker than a call of Buffer's. */
const LONGEST_LOOP = 40
/** And than one of the addon's. */
const LONGEST_LOOP_NATIVE = 32
/** Behind a text of the addon's. */
export const NUL_BYTES = 1
/** Bytes of UTF-8 that a UTF-16 code unit may take. */
export const UTF8_BYTES = 3
/** The most that a tag with a fixed size takes. */
const FIXED_BYTES = 9

/** It cannot be said as a record: too many keys, or too long a key. */
export const IMPOSSIBLE = -1
/** The record is written, but not so that it can be accepted as it lies: aside, or of things that its segment does not know. */
export const UNFINISHED = -2
/** In place of an end: an object that has to be JSON. */
const AS_JSON = -3

/** In place of a segment's number: none that knows anything. */
export const NO_SEGMENT = -1
/** Where a record begins in memory of the payload's own. */
export const OWN_START = 0
/** Room that is made behind what is written, at the least. */
const ROOM_BYTES = 16 * 1024
/** Memory that is kept for the next record. */
const KEPT_BYTES = 256 * 1024

type Quote = (text: string) => string
/** Writes a text as UTF-8 at a place of the memory that `aim` was given last; its bytes. */
type PutText = (text: string, at: number) => number
type Primitive = string | number | boolean | null

const isOwn = Object.prototype.hasOwnProperty
const printDate = Date.prototype.toJSON

/** Whether `JSON.stringify` prints the object by its own fields and nothing else. */
function isPlain(value: object): boolean {
  // What is of a class may be printed otherwise (an array, a String), or is rare enough to be left to JSON.stringify.
  const object = value as { constructor: unknown; toJSON?: unknown }
  return object.constructor === Object && typeof object.toJSON !== 'function' && !Array.isArray(value)
}

/** JSON of an object in an object; undefined if it cannot be had without the objects around it. */
function innerJson(value: object): string | undefined {
  const { toJSON } = value as { toJSON?: unknown }
  // It may want to know its key.
  if (typeof toJSON === 'function' && toJSON !== printDate) return undefined
  try {
    return JSON.stringify(value)
  } catch {
    // Circular, or with a bigint: what is printed of it depends on what is around it.
    return undefined
  }
}

/** A message that is JSON already. */
class JsonMessage {
  readonly #json: string

  constructor(json: string) {
    this.#json = json
  }

  /** The JSON of a message that is one. Asked so rather than by `instanceof`, of which a proxy may make what it likes. */
  static jsonOf(value: object | symbol | bigint): string | undefined {
    return typeof value === 'object' && #json in value ? value.#json : undefined
  }
}

/** A message of which it is known whether it is printed at all. */
function settled(message: unknown, style: LineStyle): unknown {
  if (typeof message === 'function') return undefined
  if ((typeof message !== 'object' || message === null) && typeof message !== 'symbol') return message
  const json = style.stringify(message)
  return json === undefined ? undefined : new JsonMessage(json)
}

/** The most bytes of UTF-8 that a text takes; of a long one exactly those: memory for all that it might take would be much. */
export const mostUtf8 = (text: string): number =>
  text.length > KEPT_BYTES ? Buffer.byteLength(text) : UTF8_BYTES * text.length

interface WellFormed {
  isWellFormed(): boolean
}

/** A u32; DataView's own is a call in the code that comes out of this. */
function putId(bytes: Buffer, at: number, id: number): void {
  bytes[at] = id
  bytes[at + 1] = id >>> 8
  bytes[at + 2] = id >>> 16
  bytes[at + 3] = id >>> 24
}

/** putCommon left it to others. */
const UNCOMMON = -1

/** Numbers, short ASCII strings, booleans and null, where there is room. Their end, or UNCOMMON. */
function putCommon(bytes: Buffer, view: DataView, at: number, limit: number, longest: number, value: unknown): number {
  if (typeof value === 'string') {
    const { length } = value
    const start = at + 2
    if (length > longest || start + length > limit) return UNCOMMON
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
  if (at + FIXED_BYTES > limit) return UNCOMMON
  if (typeof value === 'number') {
    if ((value | 0) === value) {
      bytes[at] = TAG_INT
      view.setInt32(at + 1, value, true)
      return at + 5
    }
    bytes[at] = TAG_NUMBER
    view.setFloat64(at + 1, value, true)
    return at + 9
  }
  if (typeof value === 'boolean') bytes[at] = value ? TAG_TRUE : TAG_FALSE
  else if (value === null) bytes[at] = TAG_NULL
  else return UNCOMMON
  return at + 1
}

/**
 * Writes the payloads of records (docs/reference/record-format.md, section 3) into memory. A record that does not fit is gone on with in memory of the
 * payload's own, so that each value is read and converted once.
 *
 * Getters, conversions and `toJSON` may log: what runs them may find #bytes, #view and #limit changed.
 */
export class RecordPayload {
  #own: Buffer = Buffer.alloc(0)
  #ownView = new DataView(this.#own.buffer)
  #bytes = this.#own
  #view = this.#ownView
  #limit = 0
  #start = OWN_START
  /** Where the record written last ends, what it refers to, and, behind #putObject, what follows. */
  #end = 0
  #template: Template | null = null
  #node: LineNode | null = null
  readonly #putText: PutText | null
  readonly #longestLoop: number

  /** @param putText how to write texts into memory that was given; null: as into memory of the payload's own */
  constructor(putText: PutText | null) {
    this.#putText = putText
    this.#longestLoop = putText === null ? LONGEST_LOOP : LONGEST_LOOP_NATIVE
  }

  /** The memory that is written to from now on; `view` is of the same. */
  aim(bytes: Buffer, view: DataView): void {
    this.#bytes = bytes
    this.#view = view
  }

  /** From now on memory of the payload's own is written to, from OWN_START. */
  aimAside(): void {
    if (this.#own.length < ROOM_BYTES) this.#grow(ROOM_BYTES)
    this.aim(this.#own, this.#ownView)
  }

  /** Where the record lies: what `aim` was given, or memory of the payload's own. */
  get bytes(): Buffer {
    return this.#bytes
  }

  /** The same. */
  get view(): DataView {
    return this.#view
  }

  /** Where the record written last ends. */
  get end(): number {
    return this.#end
  }

  /** What it refers to beside its bindings. */
  get template(): Template | null {
    return this.#template
  }

  /**
   * Leaves what `aim` has given to somebody else, also in the middle of a record.
   *
   * @param end where the record ends, if it does
   */
  stepAside(end: number = this.#limit): void {
    if (this.#bytes !== this.#own) this.#moveAside(end, end + ROOM_BYTES)
  }

  /** The record has been used: memory of an uncommonly long one is given back. */
  release(): void {
    if (this.#own.length <= KEPT_BYTES) return
    this.#grow(0)
    this.aim(this.#own, this.#ownView)
  }

  #grow(size: number): void {
    this.#own = Buffer.allocUnsafeSlow(size)
    this.#ownView = new DataView(this.#own.buffer)
  }

  /** Goes on in memory of its own, at the same offsets, with room up to `least`; what has been written ends at `end`. */
  #moveAside(end: number, least: number): void {
    const written = this.#bytes
    if (this.#own.length < least) this.#grow(Math.max(least, 2 * this.#own.length))
    if (this.#start < end) written.copy(this.#own, this.#start, this.#start, end)
    this.aim(this.#own, this.#ownView)
    this.#limit = this.#own.length
  }

  #ensure(at: number, bytes: number): void {
    if (at + bytes > this.#limit) this.#moveAside(at, at + bytes + ROOM_BYTES)
  }

  // What follows writes at `at` and returns where it ends, making room where there is none.

  #putUtf8(tag: number, at: number, text: string): number {
    const start = at + 5
    this.#ensure(start, mostUtf8(text) + NUL_BYTES)
    const length =
      this.#putText === null || this.#bytes === this.#own ? this.#bytes.write(text, start) : this.#putText(text, start)
    this.#bytes[at] = tag
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
    this.#bytes[at] = tag
    return at + 1
  }

  #putPrimitive(at: number, value: Primitive, quote: Quote): number {
    const end = putCommon(this.#bytes, this.#view, at, this.#limit, this.#longestLoop, value)
    if (end !== UNCOMMON) return end
    if (typeof value === 'string') return this.#putString(at, value, quote)
    this.#ensure(at, FIXED_BYTES)
    return putCommon(this.#bytes, this.#view, at, this.#limit, this.#longestLoop, value)
  }

  #putValue(at: number, value: unknown, style: LineStyle): number {
    switch (typeof value) {
      case 'string':
      case 'number':
      case 'boolean':
        return this.#putPrimitive(at, value, style.quote)
      case 'undefined':
      case 'function':
        return this.#putTag(at, TAG_ABSENT)
      default: {
        if (value === null) return this.#putTag(at, TAG_NULL)
        const json = JsonMessage.jsonOf(value as object) ?? style.stringify(value)
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
  #putObject(at: number, key: string, object: object, from: LineNode, tree: LineTree): number {
    let node = tree.open(from, key)
    if (node === null) return AS_JSON
    let end = at
    for (const inner in object) {
      if (!isOwn.call(object, inner)) continue
      const value = (object as Record<string, unknown>)[inner]
      if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue
      if (typeof value === 'object' && value !== null) {
        end = this.#putInner(end, inner, value, node, tree)
        if (end === AS_JSON) return AS_JSON
        node = this.#node as LineNode
        continue
      }
      if (typeof value === 'bigint') return AS_JSON
      node = node.next.key === inner ? node.next : tree.step(node, inner)
      if (node === null) return AS_JSON
      end = this.#putPrimitive(end, value as Primitive, JSON.stringify)
    }
    this.#node = tree.shut(node)
    return end
  }

  /** An object in an object in an object; returns as #putObject. */
  #putInner(at: number, key: string, value: object, from: LineNode, tree: LineTree): number {
    if (isPlain(value)) {
      const end = this.#putObject(at, key, value, from, tree)
      if (end !== AS_JSON) return end
    }
    const json = innerJson(value)
    const node = json === undefined ? null : tree.step(from, key)
    if (node === null) return AS_JSON
    this.#node = node
    return this.#putUtf8(TAG_JSON, at, json as string)
  }

  /** As #putObject, of any object. */
  #tryObject(at: number, key: string, object: object, from: LineNode, tree: LineTree): number {
    try {
      return isPlain(object) ? this.#putObject(at, key, object, from, tree) : AS_JSON
    } catch {
      // A getter or a proxy; what is printed of it then is for `stringify` to say, which meets the same.
      return AS_JSON
    }
  }

  /** A field whose value is none of the common ones: `node` is behind its key, `before` before it. Sets #node to what follows. */
  #putField(at: number, key: string, value: unknown, style: LineStyle, before: LineNode, node: LineNode): number {
    if (typeof value === 'object' && value !== null && style.printsAsJson) {
      const end = this.#tryObject(at, key, value, before, style.tree)
      if (end !== AS_JSON) return end
    }
    this.#node = node
    const end = this.#putValue(at, value, style)
    // What is absent is printed without its key, which would be the end of an object besides.
    if (before.edge !== 'shut' || this.#bytes[at] !== TAG_ABSENT) return end
    this.#node = before
    return at
  }

  /** Behind the fields: the text of the time, a message that the template does not hold. */
  #putRest(at: number, style: LineStyle, timeText: string, template: Template, text: unknown): number {
    const end = style.kind.timeForm === TIME_TEXT ? this.#putUtf8(TAG_JSON, at, timeText) : at
    return template.message === null ? this.#putValue(end, text, style) : end
  }

  /** Where the values begin, once there is room for the header. */
  #begin(at: number, limit: number): number {
    this.#start = at
    this.#limit = limit
    if (at + HEADER_BYTES > limit) this.#ensure(at, HEADER_BYTES)
    return at + HEADER_BYTES
  }

  /**
   * Writes a record of an object's fields to [at, limit), or to memory of its own.
   *
   * @param segment the number of the segment that it lies in
   * @returns its end, UNFINISHED or IMPOSSIBLE
   */
  ofFields(
    at: number,
    limit: number,
    segment: number,
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    text: unknown
  ): number {
    let end = this.#begin(at, limit)
    const { tree } = style
    let node: LineNode | null = tree.root
    if (fields !== null) {
      if (tree.isStrained && !tree.takes(fields)) return IMPOSSIBLE
      for (const key in fields) {
        if (!isOwn.call(fields, key)) continue
        const before: LineNode = node
        node = before.next.key === key ? before.next : tree.step(before, key)
        if (node === null) return IMPOSSIBLE
        let value: unknown = (fields as Record<string, unknown>)[key]
        if (node.convert !== null && value !== undefined) value = node.convert(value)
        const put = putCommon(this.#bytes, this.#view, end, this.#limit, this.#longestLoop, value)
        if (put === UNCOMMON) {
          end = this.#putField(end, key, value, style, before, node)
          node = this.#node as LineNode
        } else {
          end = put
        }
      }
    }
    // Nor may the end of the last object depend on a message that turns out absent.
    const message = node.edge === 'shut' ? settled(text, style) : text
    return this.#finish(at, end, segment, style, time, timeText, node, message)
  }

  /** As `ofFields`, of values whose keys are those of `node`. */
  ofValues(
    at: number,
    limit: number,
    segment: number,
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    values: readonly unknown[],
    text: unknown
  ): number {
    let end = this.#begin(at, limit)
    const { count } = node
    for (let i = 0; i < count; i++) {
      const put = putCommon(this.#bytes, this.#view, end, this.#limit, this.#longestLoop, values[i])
      end = put === UNCOMMON ? this.#putValue(end, values[i], style) : put
    }
    return this.#finish(at, end, segment, style, time, timeText, node, text)
  }

  /** Writes what follows the values, which end at `from`, and the header at `at`. Returns as `ofFields`. */
  #finish(
    at: number,
    from: number,
    segment: number,
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    text: unknown
  ): number {
    let end = from
    const { kind, bindings } = style
    const template = style.tree.template(node, kind, text)
    if (template === null) return IMPOSSIBLE
    if (template.message === null || kind.timeForm === TIME_TEXT) {
      end = this.#putRest(end, style, timeText, template, text)
    }
    const view = this.#view
    const bytes = this.#bytes
    bytes[at] = KIND_RECORD
    putId(bytes, at + HEADER_TEMPLATE, template.id)
    putId(bytes, at + HEADER_BINDINGS, bindings === null ? NO_ID : bindings.id)
    view.setFloat64(at + HEADER_TIME, time, true)
    // A store of what is there already would cost more than the question.
    if (this.#template !== template) this.#template = template
    this.#end = end
    const isKnown = template.definedIn === segment && (bindings === null || bindings.definedIn === segment)
    return isKnown && bytes !== this.#own ? end : UNFINISHED
  }
}
