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
/** Bytes of UTF-8 that a UTF-16 code unit may take. */
export const UTF8_BYTES = 3
/** The most that a tag with a fixed size takes. */
const FIXED_BYTES = 9

/** A value does not fit into the room. */
const NO_ROOM = 0
/** It cannot be said as a record: too many keys, or too long a key. */
export const IMPOSSIBLE = -1

/** Where a record begins in memory of the payload's own; not 0, which is NO_ROOM. */
export const OWN_START = 1
/** Room that is made behind what is written, at the least. */
const ROOM_BYTES = 16 * 1024
/** Memory that is kept for the next record. */
const KEPT_BYTES = 256 * 1024

const isOwn = Object.prototype.hasOwnProperty

interface WellFormed {
  isWellFormed(): boolean
}

/**
 * Writes the payloads of records (docs/record-format.md, section 3) into memory. Offsets are never 0, which is NO_ROOM. A record that
 * does not fit is gone on with in memory of the payload's own, so that each value is read and converted once.
 */
export class RecordPayload {
  #bytes: Buffer = Buffer.alloc(0)
  #view = new DataView(this.#bytes.buffer)
  #own = this.#bytes
  #ownView = this.#view
  #start = OWN_START
  /** Of the value that found no room. */
  #json: string | null = null
  #template: Template | null = null

  /** The memory that is written to from now on; `view` is of the same. */
  aim(bytes: Buffer, view: DataView): void {
    this.#bytes = bytes
    this.#view = view
  }

  /** From now on memory of the payload's own is written to, from OWN_START. Returns the end of its room. */
  aimAside(): number {
    if (this.#own.length < ROOM_BYTES) this.#grow(ROOM_BYTES)
    this.aim(this.#own, this.#ownView)
    return this.#own.length
  }

  /** Where the record lies: what `aim` was given, or memory of the payload's own. */
  get bytes(): Buffer {
    return this.#bytes
  }

  get isAside(): boolean {
    return this.#bytes === this.#own
  }

  /**
   * Leaves what `aim` has given to somebody else, also in the middle of a record.
   *
   * @param end where the record ends, if it does
   */
  stepAside(end: number = this.#bytes.length): void {
    if (!this.isAside) this.#moveAside(end)
  }

  /** The record has been used: memory of an uncommonly long one is given back. */
  release(): void {
    if (this.#own.length <= KEPT_BYTES) return
    this.#own = Buffer.alloc(0)
    this.#ownView = new DataView(this.#own.buffer)
    this.aim(this.#own, this.#ownView)
  }

  #grow(size: number): void {
    this.#own = Buffer.allocUnsafeSlow(size)
    this.#ownView = new DataView(this.#own.buffer)
  }

  /** Goes on in memory of its own, at the same offsets, with more room; what has been written ends at `end`. */
  #moveAside(end: number): void {
    const written = this.#bytes
    const least = this.isAside ? 2 * written.length : end + ROOM_BYTES
    if (this.#own.length < least) this.#grow(least)
    if (this.#start < end) written.copy(this.#own, this.#start, this.#start, end)
    this.aim(this.#own, this.#ownView)
  }

  /** Puts at `at` what found no room. Where it ends; the room then is that of `bytes`. */
  #putAside(at: number, value: unknown, style: LineStyle): number {
    for (;;) {
      const json = this.#json
      this.#json = null
      this.#moveAside(at)
      const { length } = this.#bytes
      const end = json === null ? this.#putValue(at, length, value, style) : this.#putJson(at, length, json)
      if (end !== NO_ROOM) return end
    }
  }

  /** What the record written last refers to, beside its bindings. */
  get template(): Template | null {
    return this.#template
  }

  #putUtf8(tag: number, at: number, limit: number, text: string): number {
    const start = at + 5
    if (start + UTF8_BYTES * text.length > limit) return NO_ROOM
    const length = this.#bytes.write(text, start)
    this.#bytes[at] = tag
    this.#view.setUint32(at + 1, length, true)
    return start + length
  }

  #putLongString(at: number, limit: number, text: string, style: LineStyle): number {
    const end = this.#putUtf8(TAG_STRING, at, limit, text)
    // As many bytes as code units: ASCII, which is well-formed.
    if (end === at + 5 + text.length || end === NO_ROOM || (text as unknown as WellFormed).isWellFormed()) return end
    return this.#putUtf8(TAG_JSON, at, limit, style.quote(text))
  }

  #putString(at: number, limit: number, text: string, style: LineStyle): number {
    const { length } = text
    if (length > LONGEST_LOOP) return this.#putLongString(at, limit, text, style)
    const start = at + 2
    if (start + length > limit) return NO_ROOM
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) return this.#putLongString(at, limit, text, style)
      this.#bytes[start + i] = unit
    }
    this.#bytes[at] = TAG_SHORT_STRING
    this.#bytes[at + 1] = length
    return start + length
  }

  #putTag(at: number, tag: number): number {
    this.#bytes[at] = tag
    return at + 1
  }

  #putNumber(at: number, value: number): number {
    if ((value | 0) === value) {
      this.#bytes[at] = TAG_INT
      this.#view.setInt32(at + 1, value, true)
      return at + 5
    }
    this.#bytes[at] = TAG_NUMBER
    this.#view.setFloat64(at + 1, value, true)
    return at + 9
  }

  #putJson(at: number, limit: number, json: string): number {
    const end = this.#putUtf8(TAG_JSON, at, limit, json)
    if (end === NO_ROOM) this.#json = json
    return end
  }

  #putOther(at: number, limit: number, value: unknown, style: LineStyle): number {
    const json = style.stringify(value)
    return json === undefined ? this.#putTag(at, TAG_ABSENT) : this.#putJson(at, limit, json)
  }

  /** NO_ROOM, or where the value ends. */
  #putValue(at: number, limit: number, value: unknown, style: LineStyle): number {
    if (at + FIXED_BYTES > limit) return NO_ROOM
    if (typeof value === 'string') return this.#putString(at, limit, value, style)
    if (typeof value === 'number') return this.#putNumber(at, value)
    if (typeof value === 'boolean') return this.#putTag(at, value ? TAG_TRUE : TAG_FALSE)
    if (value === undefined || typeof value === 'function') return this.#putTag(at, TAG_ABSENT)
    if (value === null) return this.#putTag(at, TAG_NULL)
    return this.#putOther(at, limit, value, style)
  }

  /** Behind the fields: the text of the time, a message that the template does not hold. */
  #putRest(at: number, limit: number, style: LineStyle, timeText: string, text: unknown): number {
    let end = at
    let room = limit
    if (style.kind.timeForm === TIME_TEXT) {
      end = this.#putJson(at, room, timeText)
      if (end === NO_ROOM) {
        end = this.#putAside(at, timeText, style)
        room = this.#bytes.length
      }
    }
    if (this.#template!.message !== null) return end
    return this.#putValue(end, room, text, style) || this.#putAside(end, text, style)
  }

  /** Where the values begin, once there is room for the header. */
  #begin(at: number, limit: number): number {
    this.#start = at
    const end = at + HEADER_BYTES
    if (end > limit) this.#moveAside(at)
    return end
  }

  /** Writes a record of an object's fields to [at, limit), or to memory of its own. Its end, or IMPOSSIBLE. */
  ofFields(
    at: number,
    limit: number,
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    text: unknown
  ): number {
    let end = this.#begin(at, limit)
    let room = end > limit ? this.#bytes.length : limit
    let node: LineNode | null = style.tree.root
    if (fields !== null) {
      for (const key in fields) {
        if (!isOwn.call(fields, key)) continue
        node = node.next.key === key ? node.next : style.tree.step(node, key)
        if (node === null) return IMPOSSIBLE
        let value: unknown = (fields as Record<string, unknown>)[key]
        if (node.convert !== null && value !== undefined) value = node.convert(value)
        const from = end
        end = this.#putValue(from, room, value, style)
        if (end === NO_ROOM) {
          end = this.#putAside(from, value, style)
          room = this.#bytes.length
        }
      }
    }
    return this.#finish(at, end, room, style, time, timeText, node, text)
  }

  /** As `ofFields`, of values whose keys are those of `node`. */
  ofValues(
    at: number,
    limit: number,
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    values: readonly unknown[],
    text: unknown
  ): number {
    let end = this.#begin(at, limit)
    let room = end > limit ? this.#bytes.length : limit
    const { count } = node
    for (let i = 0; i < count; i++) {
      const from = end
      end = this.#putValue(from, room, values[i], style)
      if (end === NO_ROOM) {
        end = this.#putAside(from, values[i], style)
        room = this.#bytes.length
      }
    }
    return this.#finish(at, end, room, style, time, timeText, node, text)
  }

  /** Writes what follows the values, which end at `from`, and the header at `at`. Returns as `ofFields`. */
  #finish(
    at: number,
    from: number,
    limit: number,
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    text: unknown
  ): number {
    let end = from
    const template = style.tree.template(node, style.kind, text)
    this.#template = template
    if (template === null) return IMPOSSIBLE
    if (template.message === null || style.kind.timeForm === TIME_TEXT) {
      end = this.#putRest(end, limit, style, timeText, text)
    }
    const view = this.#view
    this.#bytes[at] = KIND_RECORD
    view.setUint32(at + HEADER_TEMPLATE, template.id, true)
    view.setUint32(at + HEADER_BINDINGS, style.bindings === null ? NO_ID : style.bindings.id, true)
    view.setFloat64(at + HEADER_TIME, time, true)
    return end
  }
}
