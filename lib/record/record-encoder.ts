/**
 * Writes the records of one thread into the segments that it leases, or has the addon take them.
 */

import { type DirectRoute, type Lane, LEASE, LEASE_WORDS, RENEWAL } from '../engine/direct-route'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format/constants'
import { type Definition, NOBODY, SEVERAL, type StringDefinition, UNDEFINED, type Words } from './definition'
import {
  type EventShape,
  IMPOSSIBLE,
  type LeftTexts,
  type LineFormat,
  mostUtf8,
  NO_SEGMENT,
  NUL_BYTES,
  PayloadWriter,
  putAscii,
  REPLACED,
  SCRATCH_START,
  type TakeTexts,
  UNFINISHED,
  UTF8_BYTES
} from './payload-writer'
import { FilledMessage, type Template } from './shape-tree'
import * as wire from './wire'

const NO_DEFINITIONS: readonly Definition[] = []

/** A piece of text that many lines have. */
export interface Piece {
  readonly text: string
  /** Its UTF-8. */
  readonly bytes: Uint8Array
}

/** Takes records and texts. */
export interface RecordWriter {
  /** Whether it takes records of formats with a binding `inline`. Events of such nobody takes. */
  readonly takesInline?: true
  /** Whether a message may be a FilledMessage. */
  readonly takesFilled?: boolean
  /**
   * Records a line.
   *
   * @param time ms since the Unix epoch, or NaN: that of the engine's clock
   * @param timeText the text of the time if the `timeForm` of the format's prefix is TIME_TEXT
   * @param fields an object whose own enumerable properties are printed
   * @param message undefined: none
   * @returns true if accepted, false if dropped and counted. Throws what a getter, a `toJSON` or a
   *   conversion throws.
   */
  record(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean
  /** As `record`, of values whose keys are known beforehand. */
  event(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): boolean
  /** Records a finished line, newline included. */
  text(time: number, line: string): boolean
  /**
   * As `text`, of a line in three parts: to join them would make a string that is thrown away.
   * None: the writer wants them joined.
   */
  framed?(time: number, before: Piece, text: string, after: Piece): boolean
  /**
   * Appends the record that `made`, with a time, holds from `from` on, which somebody else has
   * written there in `format`.
   */
  append(made: PayloadWriter, format: LineFormat, from: number): boolean
  /** From now on everything goes by native calls. */
  close(): void
}

/** What of the addon's handle the encoder uses. */
export interface RecordTarget {
  readonly direct: DirectRoute | null
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
  /** As NativeHandle's; with `direct`. */
  readonly putText?: (text: string) => void
  readonly publish?: () => void
  /** As NativeHandle's; with `putText`. */
  readonly putTexts?: TakeTexts
  readonly publishTexts?: TakeTexts
  /** Of all but `logBytes`, where several logs share them. */
  readonly lane?: Lane
  readonly renew?: (bytes: number) => number
  /**
   * Of a recorder's ring: as `publish` of the log whose lane is chosen, and the record is copied to
   * where END of the ring's own lease says that it ends.
   */
  readonly publishBeside?: () => void
  /** The same with `publishTexts`. */
  readonly publishTextsBeside?: TakeTexts
}

/** What records have in a ring, in front of their fields, and have not in a log. */
export interface Added {
  /** The same array for the same keys. */
  readonly keys: readonly string[]
  readonly values: readonly unknown[]
}

/** Of the encoder of a recorder's ring: which fields of an object are kept. */
export interface FieldCap {
  /** So many of them, the first. */
  readonly mostFields: number
  /** Whether that is all. */
  keepsWhole(fields: object | null): boolean
  /** What is kept; counts it if that is not all. */
  kept<Fields extends object | null>(fields: Fields): Fields
}

// Constants of this module rather than imports: an import is a property read at each use, which
// shows in this path.
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
const RETAINED_BYTES = 256 * 1024
/** Words lie in slots of 64 bytes, which is this power of two in words. */
const SLOT_SHIFT = 4
/** Up to here it is quicker than TypedArray's `set`. */
const LONGEST_SHORT_LOOP = 8

/** Up to here a loop over the characters of a binding is quicker than a call of the addon's. */
const LONGEST_VALUE = 32

const WORD_BYTES = 4

/** Of what is written in whole. */
const NO_TEXTS = 0

const noop = (): void => {}

/** In place of a time: it stands in the record. */
const IN_RECORD = 0
/** In place of where a record goes: it was dropped and counted. */
const NOWHERE = -1

// Of this thread, over all its logs: a definition knows by this number alone where it is known.
let segments = 0
let encoders = 0
// Of this thread: what is being written. A getter, a conversion or a `toJSON` may log, to the same
// segment.
let writing: PayloadWriter | null = null

interface Segment {
  readonly bytes: Buffer
  readonly view: DataView
}

/** The time where nobody else is going to put it. */
const resolveTime = (time: number): number => (Number.isNaN(time) ? Date.now() : time)

/** A message as a line that is made in the call has it. */
const toldMessage = (message: unknown): unknown => (FilledMessage.is(message) ? message.text : message)

/** The records and texts of one thread for one log. */
export class RecordEncoder implements RecordWriter {
  readonly takesInline = true
  readonly takesFilled: boolean
  readonly #target: RecordTarget
  readonly #lease: Int32Array
  readonly #words: Int32Array
  readonly #publish: () => void
  readonly #lane: Lane | null
  readonly #payload: PayloadWriter
  #open: boolean
  readonly #buffers: ArrayBuffer[] = []
  // Kept, once made, by their slots: a logger in its stride makes no garbage. No map, nor another
  // call of a thing that is called as rarely as this: microseconds each, because none of its code
  // is in the caches.
  readonly #known: (Segment | undefined)[] = []
  #leased: Buffer = Buffer.alloc(0)
  #leasedView = new DataView(this.#leased.buffer)
  /** Memory for texts. */
  #scratch = this.#leased
  /** The lease's serial number when it was noticed. */
  #serial = -1
  /** The number of the leased segment in this thread. */
  #segment = NO_SEGMENT
  /** See DirectWords. */
  readonly #changes: Int32Array
  /** Its word when the lease was noticed. */
  #change = 0
  /** The record that was made last was not accepted, and may not be whole: it is made again. */
  #isTorn = false
  readonly #number = ++encoders
  /**
   * What was defined in the segment, also if others have defined it since; not what no other log
   * has, nor what no ring had before.
   */
  readonly #defined = new Set<number>()
  /** Whether a record is being made. */
  #busy = false
  /** The template that stands before the record that is being made, in a bundle; null: none. */
  #before: Template | null = null
  /** Whether the record that is being made is the last part of a bundle. */
  #isBundled = false
  #nested: RecordEncoder | null = null
  /** null: of a log. */
  readonly #cap: FieldCap | null
  readonly #publishBeside: (() => void) | null
  /** Whose ring is to have the record that is being made, too; null: nobody's, or it has it. */
  #beside: RecordEncoder | null = null
  /** What records have that are given to it beside a log. */
  #added: Added | null = null

  /** @param cap null: of a log */
  constructor(target: RecordTarget, cap: FieldCap | null = null) {
    const { direct, putText, publish, lane } = target
    this.#target = target
    this.#open = direct !== null
    this.#lease = direct?.lease ?? new Int32Array(LEASE_WORDS)
    this.#words = direct?.words ?? new Int32Array(1)
    this.#changes = direct?.changes ?? new Int32Array(1)
    this.#publish = publish ?? noop
    this.#lane = lane ?? null
    this.#cap = cap
    // Rings are read by their records' keys.
    this.takesFilled = cap === null
    this.#publishBeside = target.publishBeside ?? null
    this.#change = this.#changes[0]!
    const put = (text: string, at: number): number => this.#putText(text, at)
    const putLeft = (left: LeftTexts): boolean => this.#putTexts(left)
    this.#payload = new PayloadWriter(putText === undefined ? null : { put, putLeft })
  }

  record(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    if (this.#busy) return this.#inner().record(format, time, timeText, fields, message)
    const payload = this.#payload
    const outer = writing
    if (outer !== null) outer.spill()
    this.#busy = true
    writing = payload
    try {
      const { recent } = format.prefix
      const expected = recent?.message === message ? recent : format.prefix.find(message)
      const at = this.#place(format, expected)
      if (at === NOWHERE) return false
      let logged = fields
      // A strained tree may refuse the object before a key of it is looked at.
      const isUnchecked = expected === null || expected.keys === null || format.tree.isStrained
      if (isUnchecked && fields !== null && format.replaced !== null) logged = format.replaced(fields)
      const cap = this.#cap
      if (cap !== null && (expected === null || expected.node.fields > cap.mostFields)) logged = cap.kept(logged)
      let end = payload.fields(format, time, timeText, logged, message)
      if (end === REPLACED) {
        logged = format.replaced!(fields!)
        end = payload.fields(format, time, timeText, logged, message)
      }
      if (cap !== null && end !== IMPOSSIBLE && payload.template!.node.fields > cap.mostFields) {
        // The message was known with fewer fields.
        logged = cap.kept(logged)
        end = payload.fields(format, time, timeText, logged, message)
      }
      if (end !== IMPOSSIBLE) {
        const accepted = this.#finish(format, time, at, end)
        if (!this.#isTorn) return accepted
        this.#beginAgain()
        end = payload.fields(format, time, timeText, logged, message)
        if (end !== IMPOSSIBLE) return this.#finishInScratch(format, time, SCRATCH_START, true)
      }
      return this.#line(format, time, timeText, logged, message)
    } finally {
      this.#busy = false
      writing = outer
    }
  }

  /**
   * As `record`, of a format whose time is no text, and gives the record to a recorder's ring, too;
   * it is made once.
   *
   * @returns whether the ring has it, or has counted it; if not, it is to be recorded there by
   *   itself: it has more fields than are kept, or was dropped here before it was made
   */
  recordBeside(
    ring: RecordEncoder,
    format: LineFormat,
    time: number,
    fields: object | null,
    message: unknown
  ): boolean {
    if (this.#busy) return this.#inner().recordBeside(ring, format, time, fields, message)
    this.#beside = ring
    try {
      this.record(format, time, '', fields, message)
      return this.#beside === null
    } finally {
      this.#beside = null
    }
  }

  /** As `recordBeside`, of values whose keys are known beforehand. */
  eventBeside(
    ring: RecordEncoder,
    format: LineFormat,
    time: number,
    event: EventShape,
    values: readonly unknown[]
  ): boolean {
    if (this.#busy) return this.#inner().eventBeside(ring, format, time, event, values)
    this.#beside = ring
    try {
      this.event(format, time, '', event, values)
      return this.#beside === null
    } finally {
      this.#beside = null
    }
  }

  event(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): boolean {
    if (this.#busy) return this.#inner().event(format, time, timeText, event, values)
    if (this.#cap !== null && event.node.fields > this.#cap.mostFields) {
      return this.record(format, time, timeText, event.fields(values), event.message)
    }
    const payload = this.#payload
    const outer = writing
    if (outer !== null) outer.spill()
    this.#busy = true
    writing = payload
    try {
      const at = this.#place(format, null)
      if (at === NOWHERE) return false
      const end = payload.values(format, time, timeText, event, values)
      if (end === IMPOSSIBLE) return this.#line(format, time, timeText, event.fields(values), event.message)
      const accepted = this.#finish(format, time, at, end)
      if (!this.#isTorn) return accepted
      this.#beginAgain()
      payload.values(format, time, timeText, event, values)
      return this.#finishInScratch(format, time, SCRATCH_START, true)
    } finally {
      this.#busy = false
      writing = outer
    }
  }

  text(time: number, line: string): boolean {
    writing?.spill()
    return this.#appendText(time, line)
  }

  framed(time: number, before: Piece, text: string, after: Piece): boolean {
    writing?.spill()
    const most = TEXT_LINE + before.bytes.length + mostUtf8(text) + after.bytes.length + NUL_BYTES
    const at = this.#lineRoom(most)
    if (at === NOWHERE) return this.#appendText(time, before.text + text + after.text)
    const leased = this.#leased
    const start = putBytes(leased, this.#beginLine(at, time), before.bytes)
    const end = putBytes(leased, start + this.#putText(text, start), after.bytes)
    return this.#accept(time, at + TEXT_TIME, end, NO_TEXTS) || this.#appendText(time, before.text + text + after.text)
  }

  append(made: PayloadWriter, format: LineFormat, from: number): boolean {
    writing?.spill()
    return this.#append(made, format, IN_RECORD, from)
  }

  close(): void {
    if (this.#busy) this.#payload.spill()
    this.#open = false
  }

  /**
   * Of a ring: has records that are given to it beside a log have more than the log's, from now on.
   * What they had until now.
   */
  add(added: Added | null): Added | null {
    const before = this.#added
    this.#added = added
    return before
  }

  /** For a record that is made while another one is, by a getter or a conversion. */
  #inner(): RecordEncoder {
    this.#nested ??= new RecordEncoder({ direct: null, logBytes: this.#target.logBytes }, this.#cap)
    return this.#nested
  }

  /** What cannot be said as a record. */
  #line(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    const kept = this.#cap === null ? fields : this.#cap.kept(fields)
    const line = format.line(resolveTime(time), timeText, kept, toldMessage(message))
    const ring = this.#beside
    if (ring !== null && ring.#cap!.keepsWhole(fields)) {
      this.#beside = null
      ring.#appendText(time, line)
    }
    return this.#appendText(time, line)
  }

  /**
   * Where the next record goes: behind the last entry of the leased segment, or into the scratch.
   * What the segment has not been told of the logger and of the template that is `expected` is put
   * before it, as the first part of a bundle. NOWHERE if it was dropped.
   */
  #place(format: LineFormat, expected: Template | null): number {
    const lease = this.#lease
    const payload = this.#payload
    let offset = this.#words[lease[WORD]!]!
    let limit = lease[LIMIT]!
    // Sealed words are negative. What is left at the end is not worth the detour that a record
    // takes which does not fit.
    if (offset < FIRST_OFFSET || limit - offset < limit >> UNUSED_SHIFT) {
      const { renew } = this.#target
      const lane = this.#lane
      if (lane !== null) lane.word[0] = lane.own
      if (this.#open && renew !== undefined && renew(1) === DROPPED) return NOWHERE
      offset = this.#words[lease[WORD]!]!
      limit = lease[LIMIT]!
    }
    this.#isBundled = false
    if (!this.#open || offset < FIRST_OFFSET) {
      payload.useScratch()
      payload.place(SCRATCH_START, 0, this.#segment, expected)
      return SCRATCH_START
    }
    if (lease[SERIAL] !== this.#serial) this.#notice()
    if (payload.bytes !== this.#leased) payload.setTarget(this.#leased, this.#leasedView)
    const segment = this.#segment
    const { bindings } = format
    let at = offset + PREFIX_BYTES
    const isNew = bindings !== null && bindings.definedIn !== segment && bindings.definedInRing !== segment
    const isUntold = expected !== null && expected.definedIn !== segment && expected.definedInRing !== segment
    if (isNew || isUntold) at = this.#beginBundle(format, expected, at)
    payload.place(at, limit, segment, expected)
    return at
  }

  /**
   * Makes the leased segment's memory what is written to, and numbers it; offsets in it are those
   * of its word.
   */
  #notice(): void {
    const lease = this.#lease
    const slot = lease[WORD]! >> SLOT_SHIFT
    // Not by its look alone: there may be an element of that number in Array.prototype.
    let seen = Object.hasOwn(this.#known, slot) ? this.#known[slot] : undefined
    // A lease of several segments in a row is longer.
    if (seen === undefined || seen.bytes.length !== lease[LIMIT]!) {
      const index = lease[BUFFER]!
      if (!Object.hasOwn(this.#buffers, index)) this.#buffers[index] = this.#target.direct!.buffer(index)
      const bytes = Buffer.from(this.#buffers[index]!, lease[START]!, lease[LIMIT]!)
      seen = { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length) }
      this.#known[slot] = seen
    }
    this.#leased = seen.bytes
    this.#leasedView = seen.view
    this.#serial = lease[SERIAL]!
    this.#segment = ++segments
    this.#change = Atomics.load(this.#changes, 0)
    if (this.#defined.size > 0) this.#defined.clear()
    if (this.#payload.isCautious) this.#payload.trust()
    // Also of records that came to nothing.
    if (this.#payload.left.isInUse) this.#payload.left.releaseAll()
  }

  /**
   * Has a definition remember the leased segment, as a log's or a ring's: it remembers one of each,
   * by numbers that no other segment has.
   */
  #mark(definition: Definition): void {
    if (this.#cap === null) definition.definedIn = this.#segment
    else definition.definedInRing = this.#segment
  }

  /** Whether the leased segment has not been told of it. */
  #isUnknown(definition: Definition | null): definition is Definition {
    if (definition === null) return false
    const { definedIn, definedInRing, id } = definition
    if (definedIn === this.#segment || definedInRing === this.#segment) return false
    const isNew = definedIn === UNDEFINED && definedInRing === UNDEFINED
    return isNew || this.#defined.size === 0 || !this.#defined.has(id)
  }

  /** What a record refers to and its segment has not been told. */
  #unknown(template: Definition | null, bindings: Definition | null): readonly Definition[] {
    if (!this.#isUnknown(template)) return this.#isUnknown(bindings) ? [bindings] : NO_DEFINITIONS
    return this.#isUnknown(bindings) ? [template, bindings] : [template]
  }

  /** Has the next record find it by the definition itself. */
  #remember(definition: Definition | null): void {
    if (definition === null) return
    const { definedIn, definedInRing, id } = definition
    if (definedIn === this.#segment || definedInRing === this.#segment) return
    if (definedIn === UNDEFINED && definedInRing === UNDEFINED) return
    if (this.#defined.has(id)) this.#mark(definition)
  }

  /**
   * Begins a bundle at `at` of the leased segment, with the logger's bindings and the template that
   * the record is expected to have: what of them the segment has not been told. Where the record
   * goes then; `at` if there is nothing to tell, or no room.
   */
  #beginBundle(format: LineFormat, expected: Template | null, at: number): number {
    const { bindings } = format
    const string = this.#isUnknown(bindings) ? bindings : null
    // The next record of another child has the same template as the last one, more often than not.
    const likely = expected ?? (string === null ? null : this.#payload.template)
    const template = this.#isUnknown(likely) ? likely : null
    if (this.#defined.size > 0) {
      this.#remember(bindings)
      this.#remember(expected)
    }
    if (string === null && template === null) return at
    // A unit of UTF-16 may take three bytes.
    const text = string === null ? 0 : DEFINITION_BODY + UTF8_BYTES * string.length + NUL_BYTES
    const room = text + (template === null ? 0 : template.bytes.length)
    if (at + BUNDLE_DEFINITIONS + room > this.#lease[LIMIT]!) return at
    const leased = this.#leased
    leased[at] = KIND_BUNDLE
    leased[at + 1] = string !== null && template !== null ? 2 : 1
    let end = at + BUNDLE_DEFINITIONS
    if (template !== null) end = putBytes(leased, end, template.bytes)
    if (string !== null) end = this.#putDefinition(string, end)
    this.#before = template
    this.#isBundled = true
    return end
  }

  /** Writes the definition of bindings. Its end. */
  #putDefinition(bindings: StringDefinition, at: number): number {
    const leased = this.#leased
    // Of a logger that lives longer than a segment the bytes are made.
    if (bindings.definedIn !== UNDEFINED || bindings.definedInRing !== UNDEFINED) {
      return putBytes(leased, at, bindings.bytes)
    }
    const view = this.#leasedView
    const body = at + DEFINITION_BODY
    const { base, added } = bindings
    const keyed = base === null || added.key === '' ? null : base.sharedWith(added.key)
    let end: number
    if (keyed === null) {
      const shared = base === null ? null : base.shared
      const rest = shared === null ? body : putWords(view, body, shared)
      end = rest + this.#putText(base !== null && shared === null ? bindings.text : added.text, rest)
    } else {
      const rest = putWords(view, body, keyed)
      const { value } = added
      const isPut = value.length <= LONGEST_VALUE && putAscii(leased, rest, value)
      end = rest + (isPut ? value.length : this.#putText(value, rest))
      leased[end] = QUOTE
      end++
    }
    view.setUint32(at + DEFINITION_ID, bindings.id, true)
    leased[at + DEFINITION_WHAT] = DEFINE_STRING
    view.setUint32(at + DEFINITION_LENGTH, end - body, true)
    return end
  }

  /** Writes a text into the entry that is being written to the lease; its bytes. */
  #putText(text: string, at: number): number {
    const { putText } = this.#target
    if (putText === undefined) return this.#leased.write(text, at)
    const lane = this.#lane
    if (lane !== null) lane.word[0] = lane.own
    this.#lease[END] = at
    putText(text)
    return this.#lease[END] || this.#leased.write(text, at)
  }

  /** Whether they are written into the entry that is being written to the lease. */
  #putTexts(left: LeftTexts): boolean {
    const lane = this.#lane
    if (lane !== null) lane.word[0] = lane.own
    left.give(this.#payload.leftCount, this.#target.putTexts!, this.#lease)
    return this.#lease[END] !== 0
  }

  /**
   * Accepts the record that the payload has written from `at` on, where it lies if it can be, with
   * `end` from the payload.
   */
  #finish(format: LineFormat, time: number, at: number, end: number): boolean {
    let start = at
    let last = end
    if (end === UNFINISHED) {
      start = this.#tellBefore(format, at)
      if (start === NOWHERE) return this.#finishInScratch(format, time, at)
      last = this.#payload.end
    }
    const accepted =
      this.#beside === null
        ? this.#accept(time, start + HEADER_TIME, last, this.#payload.leftCount)
        : this.#acceptBeside(this.#beside, format, time, start)
    if (!accepted) return this.#finishInScratch(format, time, start)
    if (this.#isBundled) this.#noteBundle(format)
    return true
  }

  /**
   * Has the template of a record that lies at `at` of the lease stand before it, if the segment has
   * not been told of it. Where the record begins then; NOWHERE if it has to be copied: it does not
   * lie there, there is no room, or another template stands before it.
   */
  #tellBefore({ bindings }: LineFormat, at: number): number {
    const payload = this.#payload
    const leased = this.#leased
    const segment = this.#segment
    const isBundled = this.#isBundled
    const isTold =
      isBundled || bindings === null || bindings.definedIn === segment || bindings.definedInRing === segment
    if (!isTold || payload.bytes !== leased) return NOWHERE
    const template = payload.template!
    if (this.#defined.size > 0) this.#remember(template)
    const before = isBundled ? this.#before : null
    if (template === before || template.definedIn === segment || template.definedInRing === segment) return at
    const entry = this.#words[this.#lease[WORD]!]! + PREFIX_BYTES
    const first = isBundled ? at : at + BUNDLE_DEFINITIONS
    const start = first + template.bytes.length
    const isSealed = entry < FIRST_OFFSET
    if (before !== null || isSealed || payload.end + start - at > this.#lease[LIMIT]!) return NOWHERE
    payload.moveTo(start)
    putBytes(leased, first, template.bytes)
    leased[entry] = KIND_BUNDLE
    leased[entry + 1] = isBundled ? 2 : 1
    this.#before = template
    this.#isBundled = true
    return start
  }

  /** A bundle has been accepted in the leased segment. */
  #noteBundle({ bindings }: LineFormat): void {
    if (this.#before !== null) this.#noteTold(this.#before, true)
    if (bindings !== null) this.#noteTold(bindings, true)
  }

  /**
   * The leased segment defines it now.
   *
   * @param isUsed whether it is to remember that, rather than another log's that it remembers
   */
  #noteTold(definition: Definition, isUsed: boolean): void {
    const isOfLog = this.#cap === null
    const { teller } = definition
    let isOwn = !isOfLog && definition.definedInRing === UNDEFINED
    if (isOfLog) {
      isOwn = teller === this.#number || teller === NOBODY
      definition.teller = isOwn ? this.#number : SEVERAL
    }
    if (!isOwn) this.#defined.add(definition.id)
    if (!isOwn && !isUsed) return
    if (isOfLog) definition.definedIn = this.#segment
    else definition.definedInRing = this.#segment
  }

  /**
   * Accepts the entry that has been written up to `end` of the leased segment, whose time lies at
   * `timeAt` or is to be put there, but for so many `texts` that the payload has left. False if the
   * segment has been sealed, or they cannot be written so.
   */
  #accept(time: number, timeAt: number, end: number, texts: number): boolean {
    const lease = this.#lease
    const lane = this.#lane
    if (lane !== null) {
      if (lane.own < 0) return false
      lane.word[0] = lane.own
    }
    lease[END] = end
    lease[TIME] = Number.isNaN(time) ? timeAt : 0
    if (texts === 0) {
      this.#publish()
      return lease[END] === 0
    }
    const { left } = this.#payload
    left.give(texts, this.#target.publishTexts!, lease)
    if (lease[END] !== 0) return false
    left.release(texts)
    return true
  }

  /**
   * As `#accept`, of the record that the payload has written from `start` on, and gives it to the
   * ring: by the same native call, if it can be copied there as it is.
   */
  #acceptBeside(ring: RecordEncoder, format: LineFormat, time: number, start: number): boolean {
    const { end, template, left, leftCount } = this.#payload
    const lane = this.#lane
    const publish = ring.#publishBeside
    const isDirect = publish !== null && lane !== null && lane.own >= 0
    // What is not in the log's memory any more the ring is not to have either.
    if (this.#isChanged()) return false
    if (!isDirect || !ring.#hasPlaceFor(format.bindings, template!, end - start)) {
      if (leftCount > 0 && !this.#putTexts(left)) return false
      this.#giveTo(ring, format, time, start)
      return this.#accept(time, start + HEADER_TIME, end, NO_TEXTS)
    }
    const lease = this.#lease
    lane.word[0] = lane.own
    lease[END] = end
    lease[TIME] = Number.isNaN(time) ? start + HEADER_TIME : 0
    if (leftCount === 0) publish()
    else left.give(leftCount, ring.#target.publishTextsBeside!, lease)
    const accepted = lease[END] === 0
    // What the log does not take the ring is given when it is whole for certain.
    if (accepted) {
      this.#beside = null
      if (leftCount > 0) left.release(leftCount)
    }
    return accepted
  }

  /**
   * Whether a record of another encoder can be copied to the leased segment as it is. Says where it
   * ends then.
   */
  #hasPlaceFor(bindings: StringDefinition | null, template: Template, length: number): boolean {
    const lease = this.#lease
    const segment = this.#segment
    const offset = this.#words[lease[WORD]!]!
    const end = offset + PREFIX_BYTES + length
    if (!this.#open || offset < FIRST_OFFSET || end > lease[LIMIT]! || lease[SERIAL] !== this.#serial) return false
    if (this.#added !== null) return false
    const isKnown = template.definedInRing === segment && (bindings === null || bindings.definedInRing === segment)
    if (!isKnown || template.node.fields > this.#cap!.mostFields) return false
    lease[END] = end
    return true
  }

  /** Has the ring copy the record that the payload holds from `from` on, unless it has too much. */
  #giveTo(ring: RecordEncoder, format: LineFormat, time: number, from: number): void {
    const payload = this.#payload
    const template = payload.template!
    if (template.node.fields > ring.#cap!.mostFields) return
    if (ring.#added !== null) {
      if (ring.#appendWith(ring.#added, payload, format, time, from)) this.#beside = null
      return
    }
    this.#beside = null
    ring.#append(payload, format, time, from)
    ring.#remember(template)
    ring.#remember(format.bindings)
  }

  /**
   * Appends the record that `made` holds, and what is added to it. False if it cannot be said so.
   */
  #appendWith({ keys, values }: Added, made: PayloadWriter, format: LineFormat, time: number, from: number): boolean {
    const template = this.#busy ? null : format.tree.prefixed(made.template!, keys)
    if (template === null) return false
    const payload = this.#payload
    payload.useScratch()
    payload.place(SCRATCH_START, 0, NO_SEGMENT, null)
    payload.copy(made, from, values, format, template)
    this.#append(payload, format, time, SCRATCH_START)
    payload.release()
    this.#remember(template)
    this.#remember(format.bindings)
    return true
  }

  /** Whether the arena's memory may be another since the lease was noticed. */
  #isChanged(): boolean {
    const change = Atomics.load(this.#changes, 0)
    return change !== this.#change || change % 2 !== 0
  }

  /**
   * The record goes into the scratch now: the arena is in another file, or another program has cut
   * its file, and what had been written of the record until then is not in it. The change is noted
   * with the next lease.
   */
  #beginAgain(): void {
    this.#isTorn = false
    this.#change = Atomics.load(this.#changes, 0)
    this.#payload.useScratch()
    this.#payload.place(SCRATCH_START, 0, NO_SEGMENT, null)
  }

  /**
   * A record that could not be accepted where it was written, which begins at `from`.
   * @param isAgain it was made again, in the scratch
   */
  #finishInScratch(format: LineFormat, time: number, from: number, isAgain = false): boolean {
    const payload = this.#payload
    // The segment may be sealed before a bundle is accepted in it, and then is somebody else's.
    payload.spill(payload.end)
    payload.settle(format)
    // Asked when it has been copied. A ring does not move.
    this.#isTorn = this.#cap === null && !isAgain && this.#isChanged()
    if (this.#isTorn) return false
    if (this.#beside !== null) this.#giveTo(this.#beside, format, time, from)
    const accepted = this.#append(payload, format, time, from)
    payload.release()
    this.#remember(payload.template)
    this.#remember(format.bindings)
    return accepted
  }

  /**
   * Appends the record that `made` holds in its scratch from `from` on, wherever there is room for
   * it.
   */
  #append(made: PayloadWriter, format: LineFormat, time: number, from: number): boolean {
    if (this.#appendToLease(made, format, time, from)) return true
    const renewed = this.#anotherLease()
    if (renewed === DROPPED) return false
    if (renewed === RENEWED && this.#appendToLease(made, format, time, from)) return true
    return this.#appendByCall(made, format, time, from)
  }

  /**
   * Copies the record into the lease, with what the segment has not been told. False if it has no
   * room.
   */
  #appendToLease(made: PayloadWriter, format: LineFormat, time: number, from: number): boolean {
    const lease = this.#lease
    const offset = this.#words[lease[WORD]!]!
    if (!this.#open || offset < FIRST_OFFSET) return false
    if (lease[SERIAL] !== this.#serial) this.#notice()
    const definitions = this.#unknown(made.template, format.bindings)
    const at = offset + PREFIX_BYTES
    if (at + bundleBytes(definitions, made.end - from) > lease[LIMIT]!) return false
    const end =
      definitions.length === 0
        ? copyWords(this.#leasedView, at, made.view, from, made.end)
        : putBundle(this.#leased, at, definitions, made, from)
    if (!this.#accept(time, end - (made.end - from) + HEADER_TIME, end, NO_TEXTS)) return false
    for (const definition of definitions) this.#noteTold(definition, false)
    return true
  }

  /**
   * By a native call, with all that the record refers to: we may never see the segment it will be
   * in.
   */
  #appendByCall(made: PayloadWriter, format: LineFormat, time: number, from: number): boolean {
    const { template } = made
    const { bindings } = format
    const definitions = bindings === null ? [template!] : [template!, bindings]
    const size = bundleBytes(definitions, made.end - from)
    const bundle = Buffer.allocUnsafe(size)
    if (Number.isNaN(time)) made.view.setFloat64(from + HEADER_TIME, Date.now(), true)
    putBundle(bundle, 0, definitions, made, from)
    if (!this.#target.logBytes(bundle, 0, size)) return false
    // Where the call has leased a segment for it, the bundle is the first entry there, and the next
    // records need none.
    const lease = this.#lease
    const end = FIRST_OFFSET + PREFIX_BYTES + size
    if (this.#open && lease[SERIAL] !== this.#serial && this.#words[lease[WORD]!] === end) {
      this.#notice()
      for (const definition of definitions) this.#noteTold(definition, false)
    }
    return true
  }

  /**
   * Another lease for a record that had no room in this one, unless that is new or has much room.
   */
  #anotherLease(): number {
    const { renew } = this.#target
    if (!this.#open || renew === undefined) return TAKE_CALL
    const lane = this.#lane
    if (lane !== null) lane.word[0] = lane.own
    const offset = this.#words[this.#lease[WORD]!]!
    const isOver = offset < FIRST_OFFSET
    if (!isOver && (offset === FIRST_OFFSET || this.#lease[LIMIT]! - offset > MUCH_ROOM)) return TAKE_CALL
    return renew(1)
  }

  #appendText(time: number, line: string): boolean {
    const most = TEXT_LINE + mostUtf8(line)
    const at = this.#lineRoom(most + NUL_BYTES)
    if (at !== NOWHERE) {
      const start = this.#beginLine(at, time)
      if (this.#accept(time, at + TEXT_TIME, start + this.#putText(line, start), NO_TEXTS)) return true
    }
    if (this.#scratch.length < most) this.#scratch = Buffer.allocUnsafeSlow(most)
    const text = this.#scratch
    if (most > RETAINED_BYTES) this.#scratch = Buffer.alloc(0)
    return this.#target.logBytes(text, 0, putLine(text, 0, resolveTime(time), line))
  }

  /** Where an entry of a line goes in the lease; NOWHERE if that has no room for `most` bytes. */
  #lineRoom(most: number): number {
    const lease = this.#lease
    const at = this.#words[lease[WORD]!]! + PREFIX_BYTES
    if (!this.#open || at < FIRST_OFFSET + PREFIX_BYTES || at + most > lease[LIMIT]!) return NOWHERE
    if (lease[SERIAL] !== this.#serial) this.#notice()
    return at
  }

  /** Begins an entry of a line; where the line goes. */
  #beginLine(at: number, time: number): number {
    this.#leased[at] = KIND_TEXT
    this.#leasedView.setFloat64(at + TEXT_TIME, time, true)
    return at + TEXT_LINE
  }
}

function putLine(to: Buffer, at: number, time: number, line: string): number {
  to[at] = KIND_TEXT
  to.writeDoubleLE(time, at + TEXT_TIME)
  return at + TEXT_LINE + to.write(line, at + TEXT_LINE)
}

/** The most that `putBundle` writes. */
function bundleBytes(definitions: readonly Definition[], length: number): number {
  let sum = BUNDLE_DEFINITIONS + length
  for (const definition of definitions) sum += definition.bytes.length
  return sum
}

/**
 * Writes a bundle of definitions and of the record that `made` holds from `from` on. Its end.
 */
function putBundle(
  target: Buffer,
  at: number,
  definitions: readonly Definition[],
  made: PayloadWriter,
  from: number
): number {
  target[at] = KIND_BUNDLE
  target[at + 1] = definitions.length
  let end = at + BUNDLE_DEFINITIONS
  for (const definition of definitions) {
    target.set(definition.bytes, end)
    end += definition.bytes.length
  }
  return end + made.bytes.copy(target, end, from, made.end)
}

/** Copies four bytes at a time; destinations that share a record do this for each. */
function copyWords(target: DataView, to: number, source: DataView, from: number, end: number): number {
  const shift = to - from
  let at = from
  for (; at + WORD_BYTES <= end; at += WORD_BYTES) target.setInt32(at + shift, source.getInt32(at, true), true)
  for (; at < end; at++) target.setUint8(at + shift, source.getUint8(at))
  return end + shift
}

const QUOTE = 34

/** Writes what is kept as words, and up to three bytes more. Its end. */
function putWords(target: DataView, at: number, { words, length }: Words): number {
  for (let i = 0; i < words.length; i++) target.setInt32(at + (i << 2), words[i]!, true)
  return at + length
}

/** Copies all of `bytes` to `at`; where they end. */
function putBytes(target: Buffer, at: number, bytes: Uint8Array): number {
  const { length } = bytes
  if (length > LONGEST_SHORT_LOOP) target.set(bytes, at)
  else for (let i = 0; i < length; i++) target[at + i] = bytes[i]!
  return at + length
}

/** Makes each record once for the logs of several sinks. `close` does not close these. */
export class JointEncoder implements RecordWriter {
  readonly takesFilled: boolean
  readonly #sinks: readonly RecordWriter[]
  readonly #payload = new PayloadWriter(null)
  #busy = false
  #nested: JointEncoder | null = null

  constructor(sinks: readonly RecordWriter[]) {
    this.#sinks = sinks
    this.takesFilled = sinks.every(sink => sink.takesFilled === true)
  }

  record(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    if (this.#busy) return this.#inner().record(format, time, timeText, fields, message)
    this.#busy = true
    try {
      const { recent } = format.prefix
      const payload = this.#begin(recent?.message === message ? recent : format.prefix.find(message))
      const now = resolveTime(time)
      const logged = fields === null || format.replaced === null ? fields : format.replaced(fields)
      const end = payload.fields(format, now, timeText, logged, message)
      if (end !== IMPOSSIBLE) return this.#appendTo(format)
      return this.text(now, format.line(now, timeText, logged, toldMessage(message)))
    } finally {
      this.#busy = false
    }
  }

  event(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): boolean {
    if (this.#busy) return this.#inner().event(format, time, timeText, event, values)
    this.#busy = true
    try {
      const payload = this.#begin(null)
      const now = resolveTime(time)
      const end = payload.values(format, now, timeText, event, values)
      if (end !== IMPOSSIBLE) return this.#appendTo(format)
      return this.text(now, format.line(now, timeText, event.fields(values), event.message))
    } finally {
      this.#busy = false
    }
  }

  text(time: number, line: string): boolean {
    const now = resolveTime(time)
    for (const sink of this.#sinks) sink.text(now, line)
    return true
  }

  append(made: PayloadWriter, format: LineFormat, from: number): boolean {
    for (const sink of this.#sinks) sink.append(made, format, from)
    return true
  }

  close(): void {}

  #begin(expected: Template | null): PayloadWriter {
    this.#payload.useScratch()
    this.#payload.place(SCRATCH_START, 0, NO_SEGMENT, expected)
    return this.#payload
  }

  #appendTo(format: LineFormat): true {
    this.append(this.#payload, format, SCRATCH_START)
    this.#payload.release()
    return true
  }

  /** For a record that is made while another one is, by a getter or a conversion. */
  #inner(): JointEncoder {
    this.#nested ??= new JointEncoder(this.#sinks)
    return this.#nested
  }
}
