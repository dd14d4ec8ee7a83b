import { type DirectRoute, LEASE, LEASE_WORDS } from '../engine/lease'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format'
import type { Definition } from './definition'
import type { LineNode } from './line-tree'
import { IMPOSSIBLE, type LineStyle, OWN_START, RecordPayload, UTF8_BYTES } from './record-payload'
import {
  DEFINE_STRING,
  DEFINITION_BODY,
  DEFINITION_ID,
  DEFINITION_LENGTH,
  DEFINITION_WHAT,
  KIND_BUNDLE,
  KIND_TEXT,
  TEXT_LINE,
  TEXT_TIME
} from './wire'

export type ToFields = (values: readonly unknown[]) => object

const NO_VALUES: readonly unknown[] = []
const NO_DEFINITIONS: readonly Definition[] = []

/** Takes the records and texts of one thread for one log. */
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
    toFields: ToFields,
    values: readonly unknown[],
    message: string
  ): boolean
  /** Records a finished line, newline included. */
  text(time: number, line: string): boolean
  /** Takes the record at [from, to) of `made`, which somebody else has written there in `style`. */
  take(made: RecordPayload, style: LineStyle, from: number, to: number): boolean
  /** From now on everything takes the call route. */
  close(): void
}

/** What of the addon's handle the encoder uses. */
export interface RecordTarget {
  readonly direct: DirectRoute | null
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
}

// Constants of this module rather than imports: an import is a property read at each use, which shows in this path.
const { WORD, BUFFER, START, LIMIT, ACCEPTED, SERIAL } = LEASE
const FIRST_OFFSET: number = BLOCK_HEADER_BYTES
const PREFIX_BYTES: number = ENTRY_PREFIX_BYTES
/** Of a bundle, before its definitions. */
const BUNDLE_HEAD = 2
/** Memory for a text that is kept for the next one. */
const KEPT_BYTES = 256 * 1024
/** Up to here a loop over bytes, or the characters of ASCII, is quicker than a call of Buffer's, which makes an object. */
const LONGEST_LOOP = 256

// Of this thread, over all its logs: a definition knows by this number alone where it is known.
let segments = 0
// Of this thread: what is being written. A getter, a conversion or a `toJSON` may log, to the same segment.
let writing: RecordPayload | null = null

/** Makes the encoder of one thread for one log. */
export function recordEncoder({ direct, logBytes }: RecordTarget): RecordEncoder {
  let open = direct !== null
  const lease: Int32Array = direct?.lease ?? new Int32Array(LEASE_WORDS)
  const words: Int32Array = direct?.words ?? new Int32Array(1)
  const buffers: ArrayBuffer[] = []
  let leased: Buffer = Buffer.alloc(0)
  let leasedView = new DataView(leased.buffer)
  let scratch = leased

  const payload = new RecordPayload()

  // The leased segment: the lease's serial number when it was noticed, and its number in this thread.
  let serial = -1
  let segment = 0

  let busy = false
  let nested: RecordEncoder | undefined

  // What was defined there, also if other logs have defined it since: a definition remembers one segment.
  const defined = new Set<number>()

  function isKnown(definition: Definition | null): boolean {
    return definition === null || definition.definedIn === segment
  }

  function isUnknown(definition: Definition | null): definition is Definition {
    return !isKnown(definition) && !defined.has(definition!.id)
  }

  /** What a record refers to and its segment has not been told. */
  function unknown(template: Definition | null, bindings: Definition | null): readonly Definition[] {
    if (!isUnknown(template)) return isUnknown(bindings) ? [bindings] : NO_DEFINITIONS
    return isUnknown(bindings) ? [template, bindings] : [template]
  }

  /** Has the next record find it by the definition itself. */
  function remember(definition: Definition | null): void {
    if (definition !== null && defined.has(definition.id)) definition.definedIn = segment
  }

  /** Looks at the leased segment and numbers it. */
  function noticeSegment(): void {
    serial = lease[SERIAL]!
    segment = ++segments
    defined.clear()
    const index = lease[BUFFER]!
    buffers[index] ??= direct!.buffer(index)
    const buffer = buffers[index]!
    leased = Buffer.from(buffer, lease[START]!, lease[LIMIT]!)
    leasedView = new DataView(buffer, leased.byteOffset, leased.length)
  }

  /** Accepts what lies at [offset + 4, end) of the leased segment, whose word `word` was `offset` before. */
  function accept(word: number, offset: number, end: number): boolean {
    leasedView.setUint32(offset, end - offset - PREFIX_BYTES, true)
    if (Atomics.compareExchange(words, word, offset, end) !== offset) return false
    // In 32 bits: a double would be a heap allocation for each record until this function is optimised.
    lease[ACCEPTED] = lease[ACCEPTED]! + 1
    return true
  }

  /** Writes a definition of `text` to the leased segment. Its end; 0 if that takes more than a loop. */
  function putString(at: number, limit: number, id: number, text: string): number {
    const { length } = text
    const body = at + DEFINITION_BODY
    if (length > LONGEST_LOOP || body + length > limit) return 0
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit > 0x7f) return 0
      leased[body + i] = unit
    }
    leasedView.setUint32(at + DEFINITION_ID, id, true)
    leased[at + DEFINITION_WHAT] = DEFINE_STRING
    leasedView.setUint32(at + DEFINITION_LENGTH, length, true)
    return body + length
  }

  /**
   * A child logger's first record in a segment: begins a bundle with its bindings at `at` of the leased segment. Where the record goes
   * then; `at` if the bindings are not so simple.
   */
  function beginBundle({ id, text }: Definition, at: number, limit: number): number {
    const end = text === null ? 0 : putString(at + BUNDLE_HEAD, limit, id, text)
    if (end === 0) return at
    leased[at] = KIND_BUNDLE
    leased[at + 1] = 1
    return end
  }

  /** Makes the leased segment, and nothing older, what `leased` and `segment` are. */
  function notice(): void {
    if (lease[SERIAL] !== serial) noticeSegment()
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
    const word = lease[WORD]!
    const offset = words[word]!
    const { bindings } = style
    let at = OWN_START
    let limit = 0
    let told = false
    let bundled = false
    // Sealed words are negative.
    if (open && offset >= FIRST_OFFSET) {
      notice()
      payload.aim(leased, leasedView)
      at = offset + PREFIX_BYTES
      limit = lease[LIMIT]!
      told = isKnown(bindings)
      if (!told && isUnknown(bindings)) {
        at = beginBundle(bindings, at, limit)
        told = bundled = at !== offset + PREFIX_BYTES
      }
    } else {
      limit = payload.aimAside()
    }
    const end =
      node === null
        ? payload.ofFields(at, limit, style, time, timeText, fields, text)
        : payload.ofValues(at, limit, style, time, timeText, node, values, text)
    if (end === IMPOSSIBLE) {
      return writeText(time, style.line(time, timeText, toFields === null ? fields : toFields(values), text))
    }
    if (told && !payload.isAside && payload.template!.definedIn === segment && accept(word, offset, end)) {
      if (bundled) bindings!.definedIn = segment
      return true
    }
    // The bundle is built where the record lies, and the segment may be sealed before it is accepted.
    payload.stepAside(end)
    const accepted = bundleIntoLease(payload, style, at, end) || bundleByCall(payload, style, at, end)
    payload.release()
    remember(payload.template)
    remember(style.bindings)
    return accepted
  }

  /** Takes the record at [from, to) of `made`, with what the segment has not been told. */
  function bundleIntoLease(made: RecordPayload, style: LineStyle, from: number, to: number): boolean {
    const word = lease[WORD]!
    const offset = words[word]!
    if (!open || offset < FIRST_OFFSET) return false
    notice()
    const definitions = unknown(made.template, style.bindings)
    const at = offset + PREFIX_BYTES
    if (at + bundleBytes(definitions, to - from) > lease[LIMIT]!) return false
    if (!accept(word, offset, putBundle(leased, at, definitions, made.bytes, from, to))) return false
    for (const definition of definitions) defined.add(definition.id)
    return true
  }

  /** As `bundleIntoLease`, with all that the record refers to: we do not see the segment it will be in. */
  function bundleByCall(made: RecordPayload, style: LineStyle, from: number, to: number): boolean {
    const { template } = made
    const { bindings } = style
    const definitions = bindings === null ? [template!] : [template!, bindings]
    const size = bundleBytes(definitions, to - from)
    const bundle = Buffer.allocUnsafe(size)
    putBundle(bundle, 0, definitions, made.bytes, from, to)
    if (!logBytes(bundle, 0, size)) return false
    // Where the call has leased a segment for it, the bundle is the first entry there, and the next records need none.
    if (open && lease[SERIAL] !== serial && words[lease[WORD]!] === FIRST_OFFSET + PREFIX_BYTES + size) {
      noticeSegment()
      for (const definition of definitions) defined.add(definition.id)
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
      notice()
      if (accept(word, offset, putText(leased, offset + PREFIX_BYTES, time, line))) return true
    }
    if (scratch.length < most) scratch = Buffer.allocUnsafeSlow(most)
    const text = scratch
    if (most > KEPT_BYTES) scratch = Buffer.alloc(0)
    return logBytes(text, 0, putText(text, 0, time, line))
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
    take(made, style, from, to) {
      writing?.stepAside()
      return bundleIntoLease(made, style, from, to) || bundleByCall(made, style, from, to)
    },
    close() {
      if (busy) payload.stepAside()
      open = false
    }
  }
}

/** The most that `putBundle` writes. */
function bundleBytes(definitions: readonly Definition[], length: number): number {
  let sum = BUNDLE_HEAD + length
  for (const definition of definitions) sum += definition.bytes.length
  return sum
}

/** Writes a bundle of the record at [from, to) of `bytes`; the record alone where there is nothing to define. Its end. */
function putBundle(
  target: Buffer,
  at: number,
  definitions: readonly Definition[],
  bytes: Buffer,
  from: number,
  to: number
): number {
  let end = at
  if (definitions.length > 0) {
    target[at] = KIND_BUNDLE
    target[at + 1] = definitions.length
    end += BUNDLE_HEAD
    for (const definition of definitions) {
      target.set(definition.bytes, end)
      end += definition.bytes.length
    }
  }
  copyBytes(target, end, bytes, from, to)
  return end + to - from
}

function copyBytes(target: Buffer, at: number, bytes: Buffer, from: number, to: number): void {
  if (to - from > LONGEST_LOOP) bytes.copy(target, at, from, to)
  else for (let i = from; i < to; i++) target[at + i - from] = bytes[i]!
}
