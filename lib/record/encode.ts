import { type DirectRoute, LEASE, LEASE_WORDS } from '../engine/lease'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format'
import type { Definition } from './definition'
import type { LineNode } from './line-tree'
import { IMPOSSIBLE, type LineStyle, NO_ROOM, RecordPayload, UTF8_BYTES } from './record-payload'
import { KIND_BUNDLE, KIND_TEXT, TEXT_LINE, TEXT_TIME } from './wire'

type ToFields = (values: readonly unknown[]) => object

const NO_VALUES: readonly unknown[] = []

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
  /** Takes bytes [start, end) as they are: a payload that refers to nothing outside of itself, as an encoder without a `direct` makes them. */
  payload(bytes: Uint8Array, start: number, end: number): boolean
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
const FIRST_SCRATCH_BYTES = 16 * 1024
/** Not 0, which is NO_ROOM. */
const SCRATCH_BODY = 1

// Of this thread, over all its logs: a definition knows by this number alone where it is known.
let segments = 0

/** Makes the encoder of one thread for one log. */
export function recordEncoder({ direct, logBytes }: RecordTarget): RecordEncoder {
  let open = direct !== null
  const lease: Int32Array = direct?.lease ?? new Int32Array(LEASE_WORDS)
  const words: Int32Array = direct?.words ?? new Int32Array(1)
  let current = -1
  const targets: Buffer[] = []
  const views: DataView[] = []
  let leased: Buffer = Buffer.alloc(0)
  let leasedView = new DataView(leased.buffer)
  let scratch = Buffer.allocUnsafeSlow(FIRST_SCRATCH_BYTES)
  let scratchView = new DataView(scratch.buffer)

  const payload = new RecordPayload()

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

  function isKnown(definition: Definition | null): boolean {
    return definition === null || definition.definedIn === segment
  }

  /** What the record just written refers to and its segment has not been told; all of it if that is a segment we do not see. */
  function unknown(style: LineStyle, all: boolean): Definition[] {
    return [payload.template, style.bindings].filter(
      (definition): definition is Definition => definition !== null && (all || !isKnown(definition))
    )
  }

  /** Numbers the leased segment. */
  function noticeSegment(): void {
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
    return payload.template!.definedIn === segment && isKnown(style.bindings)
  }

  /** Makes the leased segment, and nothing older, what `leased` and `segment` are. */
  function notice(): void {
    if (lease[BUFFER] !== current) look(lease[BUFFER]!)
    if (lease[SERIAL] !== serial) noticeSegment()
  }

  /** Of an object's `fields`, or of `values` with the keys of `node`. */
  function recordNow(
    style: LineStyle,
    time: number,
    timeText: string,
    fields: object | null,
    node: LineNode | null,
    values: readonly unknown[],
    text: unknown
  ): boolean {
    const word = lease[WORD]!
    const offset = words[word]!
    // Sealed words are negative.
    if (!open || offset < FIRST_OFFSET) return false
    notice()
    payload.aim(leased, leasedView)
    const base = lease[START]! + offset
    const at = base + PREFIX_BYTES
    const limit = lease[START]! + lease[LIMIT]!
    const end =
      node === null
        ? payload.ofFields(at, limit, style, time, timeText, fields, text)
        : payload.ofValues(at, limit, style, time, timeText, node, values, text)
    return end > 0 && allKnown(style) && accept(word, offset, base, end)
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
      payload.aim(scratch, scratchView)
      const end = payload.ofFields(SCRATCH_BODY, scratch.length, style, time, timeText, fields, text)
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
    notice()
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
    busy = true
    try {
      if (recordNow(style, time, timeText, fields, node, values, text)) return true
      return recordBundle(style, time, timeText, toFields === null ? fields : toFields(values), text)
    } finally {
      busy = false
      if (waiting.length > 0) sendWaiting()
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
    text: (time, line) => (busy ? inner().text(time, line) : writeText(time, line)),
    payload: (bytes, start, end) => (busy ? inner().payload(bytes, start, end) : logBytes(bytes, start, end)),
    close: () => {
      open = false
    }
  }
}

function bundleBytes(definitions: readonly Definition[], length: number): number {
  return definitions.reduce((sum, definition) => sum + definition.bytes.length, 2 + length)
}
