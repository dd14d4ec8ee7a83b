import type { DirectRoute } from '../engine/native-binding'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format'
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

/** One record's variable parts. */
export interface RecordEncoder {
  /**
   * Records a line.
   *
   * @param time ms since the Unix epoch
   * @param timeText the text of the time if the `timeForm` of the style's kind is TIME_TEXT
   * @param fields an object whose own enumerable properties are printed
   * @param message undefined: none
   * @returns true if accepted, false if dropped and counted. Throws what a getter, a `toJSON` or a conversion throws.
   */
  record(style: LineStyle, time: number, timeText: string, fields: object | null, message: unknown): boolean
  /**
   * As `record`, of values whose keys are known beforehand.
   *
   * @param node the keys' place in the style's tree; none of them has a conversion
   * @param toFields makes the object that values stand for
   */
  event(
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    toFields: (values: readonly unknown[]) => object,
    values: readonly unknown[],
    message: string
  ): boolean
  /** Records a finished line, newline included. */
  text(time: number, line: string): boolean
  /** From now on everything takes the call route. */
  close(): void
}

/** What of the addon's handle the encoder uses. */
export interface RecordTarget {
  readonly direct: DirectRoute | null
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
}

// Constants of this module rather than imports: an import is a property read at each use, which shows in this path.
const {
  HEADER_BYTES,
  HEADER_TEMPLATE,
  HEADER_BINDINGS,
  HEADER_TIME,
  NO_ID,
  KIND_BUNDLE,
  KIND_RECORD,
  KIND_TEXT,
  TAG_ABSENT,
  TAG_NULL,
  TAG_FALSE,
  TAG_TRUE,
  TAG_INT,
  TAG_NUMBER,
  TAG_SHORT_STRING,
  TAG_STRING,
  TAG_JSON,
  TEXT_LINE,
  TEXT_TIME,
  TIME_TEXT
} = wire
const FIRST_OFFSET: number = BLOCK_HEADER_BYTES
const PREFIX_BYTES: number = ENTRY_PREFIX_BYTES

/** Places in `DirectRoute.lease`. */
const WORD = 0
const BUFFER = 1
const START = 2
const LIMIT = 3
const ACCEPTED = 4
const SERIAL = 5

/** Up to here a loop over the characters is quicker than a call of Buffer's. */
const LONGEST_LOOP = 40
/** Bytes of UTF-8 that a UTF-16 code unit may take. */
const UTF8_BYTES = 3
/** The most that a tag with a fixed size takes. */
const FIXED_BYTES = 9
const FIRST_SCRATCH_BYTES = 16 * 1024
/** Not 0, which is NO_ROOM. */
const SCRATCH_BODY = 1

/** What the body does not fit into its room. */
const NO_ROOM = 0
/** What cannot be said as a record: too many keys, or too long a key. */
const IMPOSSIBLE = -1

const isOwn = Object.prototype.hasOwnProperty

interface WellFormed {
  isWellFormed(): boolean
}

// Of this thread, over all its logs: a definition knows by this number alone where it is known.
let segments = 0

/** Makes the encoder of one thread for one log. */
export function recordEncoder({ direct, logBytes }: RecordTarget): RecordEncoder {
  let open = direct !== null
  const lease: Int32Array = direct?.lease ?? new Int32Array(6)
  const words: Int32Array = direct?.words ?? new Int32Array(1)
  let current = -1
  const targets: Buffer[] = []
  const views: DataView[] = []
  let leased: Buffer = Buffer.alloc(0)
  let leasedView = new DataView(leased.buffer)
  let scratch = Buffer.allocUnsafeSlow(FIRST_SCRATCH_BYTES)
  let scratchView = new DataView(scratch.buffer)

  // Where `body` writes, and what it used.
  let bytes: Buffer = scratch
  let view: DataView = scratchView
  let template: Template | null = null

  // The leased segment: the lease's serial number when it was noticed, and its number in this thread.
  let serial = -1
  let segment = 0

  let busy = false
  let nested: RecordEncoder | undefined
  const waiting: Buffer[] = []

  function look(buffer: number): void {
    leased = targets[buffer] ??= Buffer.from(direct!.buffer(buffer))
    leasedView = views[buffer] ??= new DataView(leased.buffer)
    current = buffer
  }

  function putUtf8(tag: number, at: number, limit: number, text: string): number {
    const start = at + 5
    if (start + UTF8_BYTES * text.length > limit) return NO_ROOM
    const length = bytes.write(text, start)
    bytes[at] = tag
    view.setUint32(at + 1, length, true)
    return start + length
  }

  function putLongString(at: number, limit: number, text: string, style: LineStyle): number {
    const end = putUtf8(TAG_STRING, at, limit, text)
    // As many bytes as code units: ASCII, which is well-formed.
    if (end === at + 5 + text.length || end === NO_ROOM || (text as unknown as WellFormed).isWellFormed()) return end
    return putUtf8(TAG_JSON, at, limit, style.quote(text))
  }

  function putString(at: number, limit: number, text: string, style: LineStyle): number {
    const { length } = text
    if (length > LONGEST_LOOP) return putLongString(at, limit, text, style)
    const start = at + 2
    if (start + length > limit) return NO_ROOM
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) return putLongString(at, limit, text, style)
      bytes[start + i] = unit
    }
    bytes[at] = TAG_SHORT_STRING
    bytes[at + 1] = length
    return start + length
  }

  function putTag(at: number, tag: number): number {
    bytes[at] = tag
    return at + 1
  }

  function putNumber(at: number, value: number): number {
    if ((value | 0) === value) {
      bytes[at] = TAG_INT
      view.setInt32(at + 1, value, true)
      return at + 5
    }
    bytes[at] = TAG_NUMBER
    view.setFloat64(at + 1, value, true)
    return at + 9
  }

  function putOther(at: number, limit: number, value: unknown, style: LineStyle): number {
    const json = style.stringify(value)
    return json === undefined ? putTag(at, TAG_ABSENT) : putUtf8(TAG_JSON, at, limit, json)
  }

  /** NO_ROOM, or where the value ends. */
  function putValue(at: number, limit: number, value: unknown, style: LineStyle): number {
    if (at + FIXED_BYTES > limit) return NO_ROOM
    if (typeof value === 'string') return putString(at, limit, value, style)
    if (typeof value === 'number') return putNumber(at, value)
    if (typeof value === 'boolean') return putTag(at, value ? TAG_TRUE : TAG_FALSE)
    if (value === undefined || typeof value === 'function') return putTag(at, TAG_ABSENT)
    if (value === null) return putTag(at, TAG_NULL)
    return putOther(at, limit, value, style)
  }

  /** Behind the fields: the text of the time, a message that the template does not hold. */
  function putRest(at: number, limit: number, style: LineStyle, timeText: string, text: unknown): number {
    let end = at
    if (style.kind.timeForm === TIME_TEXT) end = putUtf8(TAG_JSON, end, limit, timeText)
    return end === NO_ROOM || template!.message !== null ? end : putValue(end, limit, text, style)
  }

  /** Writes a RECORD to [at, limit). Its end, NO_ROOM or IMPOSSIBLE; `template` is then what it refers to. */
  function body(
    at: number,
    limit: number,
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    text: unknown
  ): number {
    let end = at + HEADER_BYTES
    if (end > limit) return NO_ROOM
    let node: LineNode | null = style.tree.root
    if (fields !== null) {
      for (const key in fields) {
        if (!isOwn.call(fields, key)) continue
        node = node.next.key === key ? node.next : style.tree.step(node, key)
        if (node === null) return IMPOSSIBLE
        let value: unknown = (fields as Record<string, unknown>)[key]
        if (node.convert !== null && value !== undefined) value = node.convert(value)
        end = putValue(end, limit, value, style)
        if (end === NO_ROOM) return NO_ROOM
      }
    }
    return putHeader(at, end, limit, style, time, timeText, node, text)
  }

  /** As `body`, of an event's values instead of an object's. */
  function bodyOfValues(
    at: number,
    limit: number,
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    values: readonly unknown[],
    text: string
  ): number {
    let end = at + HEADER_BYTES
    if (end > limit) return NO_ROOM
    const { count } = node
    for (let i = 0; i < count; i++) {
      end = putValue(end, limit, values[i], style)
      if (end === NO_ROOM) return NO_ROOM
    }
    return putHeader(at, end, limit, style, time, timeText, node, text)
  }

  /** Writes what follows the values, which end at `from`, and the header at `at`. As `body`. */
  function putHeader(
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
    template = style.tree.template(node, style.kind, text)
    if (template === null) return IMPOSSIBLE
    if (template.message === null || style.kind.timeForm === TIME_TEXT) {
      end = putRest(end, limit, style, timeText, text)
      if (end === NO_ROOM) return NO_ROOM
    }
    bytes[at] = KIND_RECORD
    view.setUint32(at + HEADER_TEMPLATE, template.id, true)
    view.setUint32(at + HEADER_BINDINGS, style.bindings === null ? NO_ID : style.bindings.id, true)
    view.setFloat64(at + HEADER_TIME, time, true)
    return end
  }

  function isKnown(definition: Definition | null): boolean {
    return definition === null || definition.definedIn === segment
  }

  /** What the record just written refers to and its segment has not been told; all of it if that is a segment we do not see. */
  function unknown(style: LineStyle, all: boolean): Definition[] {
    return [template, style.bindings].filter(
      (definition): definition is Definition => definition !== null && (all || !isKnown(definition))
    )
  }

  /** Numbers the leased segment, anew when the lease has changed. */
  function noticeSegment(): void {
    if (lease[SERIAL] === serial) return
    serial = lease[SERIAL]!
    segment = ++segments
  }

  /** Accepts what lies at [base + 4, end) of the leased segment, whose word `word` was `offset` before. */
  function accept(word: number, offset: number, base: number, end: number): boolean {
    leasedView.setUint32(base, end - base - PREFIX_BYTES, true)
    if (Atomics.compareExchange(words, word, offset, offset + end - base) !== offset) return false
    // In 32 bits: a double would be a heap allocation for each record until this function is optimised.
    lease[ACCEPTED] = lease[ACCEPTED]! + 1
    return true
  }

  /** Whether everything that the record just written refers to is known in its segment. */
  function allKnown(style: LineStyle): boolean {
    return template!.definedIn === segment && isKnown(style.bindings)
  }

  /** Makes the leased segment the place that `body` writes to. */
  function aim(): void {
    if (lease[BUFFER] !== current) look(lease[BUFFER]!)
    if (lease[SERIAL] !== serial) noticeSegment()
    bytes = leased
    view = leasedView
  }

  function recordNow(style: LineStyle, time: number, timeText: string, fields: object | null, text: unknown): boolean {
    const word = lease[WORD]!
    const offset = words[word]!
    // Sealed words are negative.
    if (open && offset >= FIRST_OFFSET) {
      aim()
      const base = lease[START]! + offset
      const end = body(base + PREFIX_BYTES, lease[START]! + lease[LIMIT]!, style, time, timeText, fields, text)
      if (end > 0 && allKnown(style) && accept(word, offset, base, end)) return true
    }
    return recordBundle(style, time, timeText, fields, text)
  }

  function eventNow(
    style: LineStyle,
    time: number,
    timeText: string,
    node: LineNode,
    toFields: (values: readonly unknown[]) => object,
    values: readonly unknown[],
    text: string
  ): boolean {
    const word = lease[WORD]!
    const offset = words[word]!
    if (open && offset >= FIRST_OFFSET) {
      aim()
      const base = lease[START]! + offset
      const limit = lease[START]! + lease[LIMIT]!
      const end = bodyOfValues(base + PREFIX_BYTES, limit, style, time, timeText, node, values, text)
      if (end > 0 && allKnown(style) && accept(word, offset, base, end)) return true
    }
    return recordBundle(style, time, timeText, toFields(values), text)
  }

  /** A record with the definitions that its segment lacks. */
  function recordBundle(
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    text: unknown
  ): boolean {
    const length = bodyInScratch(style, time, timeText, fields, text)
    if (length === IMPOSSIBLE) return writeText(time, style.line(time, timeText, fields, text))
    return bundleIntoLease(style, length) || bundleByCall(style, length)
  }

  function bodyInScratch(
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    text: unknown
  ): number {
    for (;;) {
      bytes = scratch
      view = scratchView
      const end = body(SCRATCH_BODY, scratch.length, style, time, timeText, fields, text)
      if (end !== NO_ROOM) return end === IMPOSSIBLE ? IMPOSSIBLE : end - SCRATCH_BODY
      growScratch(2 * scratch.length)
    }
  }

  function growScratch(size: number): void {
    scratch = Buffer.allocUnsafeSlow(size)
    scratchView = new DataView(scratch.buffer)
  }

  /** Writes the bundle of the record in the scratch. Its end. */
  function putBundle(to: Buffer, at: number, definitions: readonly Definition[], length: number): number {
    to[at] = KIND_BUNDLE
    to[at + 1] = definitions.length
    let end = at + 2
    for (const definition of definitions) {
      to.set(definition.bytes, end)
      end += definition.bytes.length
    }
    to.set(scratch.subarray(SCRATCH_BODY, SCRATCH_BODY + length), end)
    return end + length
  }

  function bundleIntoLease(style: LineStyle, length: number): boolean {
    const word = lease[WORD]!
    const offset = words[word]!
    if (!open || offset < FIRST_OFFSET) return false
    if (lease[BUFFER] !== current) look(lease[BUFFER]!)
    noticeSegment()
    const definitions = unknown(style, false)
    const size = bundleBytes(definitions, length)
    if (offset + PREFIX_BYTES + size > lease[LIMIT]!) return false
    const base = lease[START]! + offset
    if (!accept(word, offset, base, putBundle(leased, base + PREFIX_BYTES, definitions, length))) return false
    for (const definition of definitions) definition.definedIn = segment
    return true
  }

  function bundleByCall(style: LineStyle, length: number): boolean {
    const definitions = unknown(style, true)
    const size = bundleBytes(definitions, length)
    const bundle = Buffer.allocUnsafe(size)
    putBundle(bundle, 0, definitions, length)
    if (!logBytes(bundle, 0, size)) return false
    // Where the call has leased a segment for it, the bundle is the first entry there, and the next records need none.
    if (open && lease[SERIAL] !== serial && words[lease[WORD]!] === FIRST_OFFSET + PREFIX_BYTES + size) {
      noticeSegment()
      for (const definition of definitions) definition.definedIn = segment
    }
    return true
  }

  function putText(to: Buffer, at: number, time: number, line: string): number {
    to[at] = KIND_TEXT
    to.writeDoubleLE(time, at + TEXT_TIME)
    return at + TEXT_LINE + to.write(line, at + TEXT_LINE)
  }

  function writeText(time: number, line: string): boolean {
    const most = TEXT_LINE + UTF8_BYTES * line.length
    const word = lease[WORD]!
    const offset = words[word]!
    if (open && offset >= FIRST_OFFSET && offset + PREFIX_BYTES + most <= lease[LIMIT]!) {
      if (lease[BUFFER] !== current) look(lease[BUFFER]!)
      const base = lease[START]! + offset
      if (accept(word, offset, base, putText(leased, base + PREFIX_BYTES, time, line))) return true
    }
    if (scratch.length < most) growScratch(most)
    return logBytes(scratch, 0, putText(scratch, 0, time, line))
  }

  /** A record that is made while another one is, by a getter or a serializer, waits for that one's end. */
  function inner(): RecordEncoder {
    nested ??= recordEncoder({
      direct: null,
      logBytes: (from, start, end) => waiting.push(Buffer.from(from.subarray(start, end))) > 0
    })
    return nested
  }

  function sendWaiting(): void {
    for (const entry of waiting.splice(0)) logBytes(entry, 0, entry.length)
  }

  return {
    record: (style, time, timeText, fields, text) => {
      if (busy) return inner().record(style, time, timeText, fields, text)
      busy = true
      try {
        return recordNow(style, time, timeText, fields, text)
      } finally {
        busy = false
        if (waiting.length > 0) sendWaiting()
      }
    },
    event: (style, time, timeText, node, toFields, values, text) => {
      if (busy) return inner().event(style, time, timeText, node, toFields, values, text)
      busy = true
      try {
        return eventNow(style, time, timeText, node, toFields, values, text)
      } finally {
        busy = false
        if (waiting.length > 0) sendWaiting()
      }
    },
    text: (time, line) => (busy ? inner().text(time, line) : writeText(time, line)),
    close: () => {
      open = false
    }
  }
}

function bundleBytes(definitions: readonly Definition[], length: number): number {
  return definitions.reduce((sum, definition) => sum + definition.bytes.length, 2 + length)
}
