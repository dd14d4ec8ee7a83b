import { type DirectRoute, LEASE, LEASE_WORDS, RENEWAL } from '../engine/lease'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format/constants'
import type { Definition } from './definition'
import type { LineNode } from './line-tree'
import {
  IMPOSSIBLE,
  type LineStyle,
  mostUtf8,
  NO_SEGMENT,
  NUL_BYTES,
  OWN_START,
  RecordPayload,
  UNFINISHED,
  UTF8_BYTES
} from './record-payload'
import * as wire from './wire'

type ToFields = (values: readonly unknown[]) => object

const NO_VALUES: readonly unknown[] = []
const NO_DEFINITIONS: readonly Definition[] = []

/** Takes the records and texts of one thread for one log. */
export interface RecordEncoder {
  /**
   * Records a line.
   *
   * @param time ms since the Unix epoch, or NaN: that of the engine's clock
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
    toFields: ToFields,
    values: readonly unknown[],
    message: string
  ): boolean
  /** Records a finished line, newline included. */
  text(time: number, line: string): boolean
  /** Takes the record that `made`, with a time, holds from `from` on, which somebody else has written there in `style`. */
  take(made: RecordPayload, style: LineStyle, from: number): boolean
  /** From now on everything takes the call route. */
  close(): void
}

/** What of the addon's handle the encoder uses. */
export interface RecordTarget {
  readonly direct: DirectRoute | null
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
  /** As NativeHandle's; with `direct`. */
  readonly putText?: (text: string) => void
  readonly publish?: () => void
  readonly renew?: (bytes: number) => number
}

// Constants of this module rather than imports: an import is a property read at each use, which shows in this path.
const { WORD, BUFFER, START, LIMIT, SERIAL, END, TIME } = LEASE
const {
  KIND_BUNDLE,
  BUNDLE_DEFINITIONS,
  DEFINE_STRING,
  DEFINITION_BODY,
  DEFINITION_ID,
  DEFINITION_LENGTH,
  DEFINITION_WHAT,
  HEADER_TIME,
  KIND_TEXT,
  TEXT_LINE,
  TEXT_TIME
} = wire
const { TAKE_CALL, RENEWED, DROPPED } = RENEWAL
const FIRST_OFFSET: number = BLOCK_HEADER_BYTES
const PREFIX_BYTES: number = ENTRY_PREFIX_BYTES
/** With more room left it is the record that is large, and the segment stays. */
const MUCH_ROOM = 16 * 1024
/** A segment is left when less than this part of it, a power of two, is unused. */
const UNUSED_SHIFT = 7
/** Memory for a text that is kept for the next one. */
const KEPT_BYTES = 256 * 1024
/** Words lie in slots of 64 bytes, which is this power of two in words. */
const SLOT_SHIFT = 4
/** Up to here a loop over bytes is quicker than a call of Buffer's. */
const LONGEST_LOOP = 256

const noop = (): void => {}

/** In place of a time: it stands in the record. */
const TOLD = 0

// Of this thread, over all its logs: a definition knows by this number alone where it is known.
let segments = 0
// Of this thread: what is being written. A getter, a conversion or a `toJSON` may log, to the same segment.
let writing: RecordPayload | null = null

interface Segment {
  readonly bytes: Buffer
  readonly view: DataView
}

/** Makes the encoder of one thread for one log. */
export function recordEncoder({ direct, logBytes, putText, publish = noop, renew }: RecordTarget): RecordEncoder {
  let open = direct !== null
  const lease: Int32Array = direct?.lease ?? new Int32Array(LEASE_WORDS)
  const words: Int32Array = direct?.words ?? new Int32Array(1)
  const buffers: ArrayBuffer[] = []
  // Kept, once made, by their slots: a logger in its stride makes no garbage. No map, nor another call of a thing that is called as rarely as this:
  // microseconds each, because none of its code is in the caches.
  const known: (Segment | undefined)[] = []
  let leased: Buffer = Buffer.alloc(0)
  let leasedView = new DataView(leased.buffer)
  let scratch = leased

  const payload = new RecordPayload(putText === undefined ? null : intoEntry)

  // The leased segment: the lease's serial number when it was noticed, and its number in this thread.
  let serial = -1
  let segment = NO_SEGMENT

  let busy = false
  let nested: RecordEncoder | undefined

  // What was defined in the segment, also if other logs have defined it since: a definition remembers one segment.
  const defined = new Set<number>()

  /** The leased segment's memory; offsets in it are those of its word. */
  function look(): Segment {
    const slot = lease[WORD]! >> SLOT_SHIFT
    const seen = known[slot]
    // A lease of several segments in a row is longer.
    if (seen !== undefined && seen.bytes.length === lease[LIMIT]!) return seen
    const index = lease[BUFFER]!
    buffers[index] ??= direct!.buffer(index)
    const bytes = Buffer.from(buffers[index], lease[START]!, lease[LIMIT]!)
    const made = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
    known[slot] = made
    return made
  }

  /** Makes the leased segment what is written to, and numbers it. */
  function notice(): void {
    const { bytes, view } = look()
    leased = bytes
    leasedView = view
    serial = lease[SERIAL]!
    segment = ++segments
    if (defined.size > 0) defined.clear()
  }

  /**
   * Accepts the entry that has been written up to `end` of the leased segment, whose time lies at `timeAt` or is to be put there. False
   * if the segment has been sealed.
   */
  function accept(time: number, timeAt: number, end: number): boolean {
    lease[END] = end
    lease[TIME] = Number.isNaN(time) ? timeAt : 0
    publish()
    return lease[END] === 0
  }

  /** Writes a text into the entry that is being written to the lease; its bytes. */
  function intoEntry(text: string, at: number): number {
    if (putText === undefined) return leased.write(text, at)
    lease[END] = at
    putText(text)
    return lease[END] || leased.write(text, at)
  }

  /** Whether the leased segment has not been told of it. */
  function isUnknown(definition: Definition | null): definition is Definition {
    if (definition === null || definition.definedIn === segment) return false
    return defined.size === 0 || !defined.has(definition.id)
  }

  /** What a record refers to and its segment has not been told. */
  function unknown(template: Definition | null, bindings: Definition | null): readonly Definition[] {
    if (!isUnknown(template)) return isUnknown(bindings) ? [bindings] : NO_DEFINITIONS
    return isUnknown(bindings) ? [template, bindings] : [template]
  }

  function noteDefined(definitions: readonly Definition[]): void {
    for (const definition of definitions) defined.add(definition.id)
  }

  /** Has the next record find it by the definition itself. */
  function remember(definition: Definition | null): void {
    if (definition !== null && defined.has(definition.id)) definition.definedIn = segment
  }

  /** Takes the record that `made` holds from `from` on into the lease, with what the segment has not been told. False if it has no room. */
  function intoLease(made: RecordPayload, style: LineStyle, time: number, from: number): boolean {
    const offset = words[lease[WORD]!]!
    if (!open || offset < FIRST_OFFSET) return false
    if (lease[SERIAL] !== serial) notice()
    const definitions = unknown(made.template, style.bindings)
    const at = offset + PREFIX_BYTES
    if (at + bundleBytes(definitions, made.end - from) > lease[LIMIT]!) return false
    const end = putBundle(leased, at, definitions, made, from)
    if (!accept(time, end - (made.end - from) + HEADER_TIME, end)) return false
    noteDefined(definitions)
    return true
  }

  /** As `intoLease`, by a native call, with all that the record refers to: we may never see the segment it will be in. */
  function byCall(made: RecordPayload, style: LineStyle, time: number, from: number): boolean {
    const { template } = made
    const { bindings } = style
    const definitions = bindings === null ? [template!] : [template!, bindings]
    const size = bundleBytes(definitions, made.end - from)
    const bundle = Buffer.allocUnsafe(size)
    if (Number.isNaN(time)) made.view.setFloat64(from + HEADER_TIME, Date.now(), true)
    putBundle(bundle, 0, definitions, made, from)
    if (!logBytes(bundle, 0, size)) return false
    // Where the call has leased a segment for it, the bundle is the first entry there, and the next records need none.
    if (open && lease[SERIAL] !== serial && words[lease[WORD]!] === FIRST_OFFSET + PREFIX_BYTES + size) {
      notice()
      noteDefined(definitions)
    }
    return true
  }

  /** Another lease for a record that had no room in this one, unless that is new or has much room. */
  function anotherLease(): number {
    if (!open || renew === undefined) return TAKE_CALL
    const offset = words[lease[WORD]!]!
    const isOver = offset < FIRST_OFFSET
    if (!isOver && (offset === FIRST_OFFSET || lease[LIMIT]! - offset > MUCH_ROOM)) return TAKE_CALL
    return renew(1)
  }

  /** Takes the record that `made` holds aside from `from` on, wherever there is room for it. */
  function takeNow(made: RecordPayload, style: LineStyle, time: number, from: number): boolean {
    if (intoLease(made, style, time, from)) return true
    const renewed = anotherLease()
    if (renewed === DROPPED) return false
    return (renewed === RENEWED && intoLease(made, style, time, from)) || byCall(made, style, time, from)
  }

  /** A record that could not be accepted where it was written, which begins at `from`. */
  function finishAside(style: LineStyle, time: number, from: number): boolean {
    // The segment may be sealed before a bundle is accepted in it, and then is somebody else's.
    payload.stepAside(payload.end)
    const accepted = takeNow(payload, style, time, from)
    payload.release()
    remember(payload.template)
    remember(style.bindings)
    return accepted
  }

  /**
   * The first record of a logger in a segment: begins a bundle at `at` of the leased segment, with the logger's bindings and, if there is one,
   * the template that the record is expected to have. Where the record goes then; `at` if there is no room, or the bindings are no text.
   */
  function beginBundle(bindings: Definition, expected: Definition | null, at: number, limit: number): number {
    const { id, text } = bindings
    if (text === null) return at
    const size = UTF8_BYTES * text.length + NUL_BYTES + (expected === null ? 0 : expected.bytes.length)
    if (at + BUNDLE_DEFINITIONS + DEFINITION_BODY + size > limit) return at
    leased[at] = KIND_BUNDLE
    leased[at + 1] = expected === null ? 1 : 2
    let end = at + BUNDLE_DEFINITIONS
    if (expected !== null) end = copyBytes(leased, end, expected.bytes, 0, expected.bytes.length)
    // Of a logger that lives longer than a segment the bytes are made.
    if (bindings.definedIn !== 0) return copyBytes(leased, end, bindings.bytes, 0, bindings.bytes.length)
    const length = intoEntry(text, end + DEFINITION_BODY)
    leasedView.setUint32(end + DEFINITION_ID, id, true)
    leased[end + DEFINITION_WHAT] = DEFINE_STRING
    leasedView.setUint32(end + DEFINITION_LENGTH, length, true)
    return end + DEFINITION_BODY + length
  }

  /** Whether the record lies in the lease, and its template is known there or the one that stands before it. */
  function isDefinedBefore(expected: Definition | null): boolean {
    const { template, bytes } = payload
    return bytes === leased && (template === expected || template!.definedIn === segment)
  }

  /** Writes a record of an object's `fields`, or of `values` with the keys of `node`, and accepts it. */
  function recordNow(
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    node: LineNode | null,
    toFields: ToFields | null,
    values: readonly unknown[],
    text: unknown
  ): boolean {
    const { bindings } = style
    let offset = words[lease[WORD]!]!
    let at = OWN_START
    let limit = 0
    let bundled = false
    let expected: Definition | null = null
    // Sealed words are negative. What is left at the end is not worth the detour that a record takes which does not fit.
    if (offset < FIRST_OFFSET || lease[LIMIT]! - offset < lease[LIMIT]! >> UNUSED_SHIFT) {
      if (open && renew !== undefined && renew(1) === DROPPED) return false
      offset = words[lease[WORD]!]!
    }
    if (open && offset >= FIRST_OFFSET) {
      if (lease[SERIAL] !== serial) notice()
      if (payload.bytes !== leased) payload.aim(leased, leasedView)
      at = offset + PREFIX_BYTES
      limit = lease[LIMIT]!
      if (bindings !== null && bindings.definedIn !== segment && isUnknown(bindings)) {
        expected = isUnknown(payload.template) ? payload.template : null
        at = beginBundle(bindings, expected, at, limit)
        bundled = at !== offset + PREFIX_BYTES
      }
    } else {
      payload.aimAside()
    }
    let end =
      node === null
        ? payload.ofFields(at, limit, segment, style, time, timeText, fields, text)
        : payload.ofValues(at, limit, segment, style, time, timeText, node, values, text)
    if (bundled && end === UNFINISHED && isDefinedBefore(expected)) end = payload.end
    if (end > 0 && accept(time, at + HEADER_TIME, end)) {
      if (bundled) {
        bindings!.definedIn = segment
        if (expected !== null) expected.definedIn = segment
      }
      return true
    }
    if (end !== IMPOSSIBLE) return finishAside(style, time, at)
    return writeText(time, style.line(told(time), timeText, toFields === null ? fields : toFields(values), text))
  }

  function putLine(to: Buffer, at: number, time: number, line: string): number {
    to[at] = KIND_TEXT
    to.writeDoubleLE(time, at + TEXT_TIME)
    return at + TEXT_LINE + to.write(line, at + TEXT_LINE)
  }

  function writeText(time: number, line: string): boolean {
    const most = TEXT_LINE + mostUtf8(line)
    const offset = words[lease[WORD]!]!
    if (open && offset >= FIRST_OFFSET && offset + PREFIX_BYTES + most <= lease[LIMIT]!) {
      if (lease[SERIAL] !== serial) notice()
      const at = offset + PREFIX_BYTES
      if (accept(time, at + TEXT_TIME, putLine(leased, at, time, line))) return true
    }
    if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most)
    const text = scratch
    if (most > KEPT_BYTES) scratch = Buffer.alloc(0)
    return logBytes(text, 0, putLine(text, 0, told(time), line))
  }

  /** For a record that is made while another one is, by a getter or a conversion. */
  function inner(): RecordEncoder {
    nested ??= recordEncoder({ direct: null, logBytes })
    return nested
  }

  function record(
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    node: LineNode | null,
    toFields: ToFields | null,
    values: readonly unknown[],
    text: unknown
  ): boolean {
    const outer = writing
    if (outer !== null) outer.stepAside()
    busy = true
    writing = payload
    try {
      return recordNow(style, time, timeText, fields, node, toFields, values, text)
    } finally {
      busy = false
      writing = outer
    }
  }

  return {
    record: (style, time, timeText, fields, text) =>
      busy
        ? inner().record(style, time, timeText, fields, text)
        : record(style, time, timeText, fields, null, null, NO_VALUES, text),
    event: (style, time, timeText, node, toFields, values, text) =>
      busy
        ? inner().event(style, time, timeText, node, toFields, values, text)
        : record(style, time, timeText, null, node, toFields, values, text),
    text(time, line) {
      writing?.stepAside()
      return writeText(time, line)
    },
    take(made, style, from) {
      writing?.stepAside()
      return takeNow(made, style, TOLD, from)
    },
    close() {
      if (busy) payload.stepAside()
      open = false
    }
  }
}

/** The time where nobody else is going to put it. */
export const told = (time: number): number => (Number.isNaN(time) ? Date.now() : time)

/** The most that `putBundle` writes. */
function bundleBytes(definitions: readonly Definition[], length: number): number {
  let sum = BUNDLE_DEFINITIONS + length
  for (const definition of definitions) sum += definition.bytes.length
  return sum
}

/** Writes a bundle of the record that `made` holds from `from` on; the record alone where there is nothing to define. Its end. */
function putBundle(
  target: Buffer,
  at: number,
  definitions: readonly Definition[],
  made: RecordPayload,
  from: number
): number {
  if (definitions.length === 0) return copyRecord(target, at, made, from)
  target[at] = KIND_BUNDLE
  target[at + 1] = definitions.length
  let end = at + BUNDLE_DEFINITIONS
  for (const definition of definitions) {
    target.set(definition.bytes, end)
    end += definition.bytes.length
  }
  return end + made.bytes.copy(target, end, from, made.end)
}

/** Destinations that share a record do this for each. */
const copyRecord = (target: Buffer, at: number, { bytes, end }: RecordPayload, from: number): number =>
  copyBytes(target, at, bytes, from, end)

/** Where the bytes [from, end) end in `target`, having been copied to `at`. */
function copyBytes(target: Buffer, at: number, bytes: Buffer, from: number, end: number): number {
  if (end - from > LONGEST_LOOP) return at + bytes.copy(target, at, from, end)
  for (let i = from; i < end; i++) target[at + i - from] = bytes[i]!
  return at + end - from
}
