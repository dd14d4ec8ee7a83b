/** Events made by hand: what `Recorder.record` and `EventBuilder` put into the ring. */

import type { Top } from '../call-origin'
import { isError, ShardlogError } from '../errors'
import { Addition, StringDefinition } from '../record/definition'
import type { EventShape, LineFormat, PayloadWriter } from '../record/payload-writer'
import { type Added, type FieldCap, JointEncoder, RecordEncoder, type RecordWriter } from '../record/record-encoder'
import { type LinePrefix, ShapeTree } from '../record/shape-tree'
import { TIME_MS } from '../record/wire'

/** A value of a field: what JSON can say, and a bigint. Anything else is kept as JSON prints it. */
export type FieldValue = unknown
export type EventFields = Record<string, FieldValue>

export const MESSAGE_KEY = 'msg'
/** Targets that are remembered; with more they start over. */
const MOST_TARGETS = 1000

/** The level of events after which there is a snapshot. */
export const FATAL = 60

const isOwn = Object.prototype.hasOwnProperty

const bits = new BigUint64Array(1)
const double = new Float64Array(bits.buffer)
/** Times from here on would be read as ms: docs/reference/recorder-arena.md. */
const END_OF_NS = 0x3f00000000000000n

/** The time for an encoder whose bytes are those of the ns. */
export function timeOfNs(ns: bigint): number {
  bits[0] = ns
  return double[0] as number
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
export function checkedTime(ns: unknown): bigint {
  if (typeof ns === 'bigint' && ns >= 0n && ns < END_OF_NS) return ns
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `the time of an event is a bigint of ns since 1970, not ${String(ns)}`)
}

function toJson(value: unknown): string | undefined {
  if (typeof value === 'bigint') return String(value)
  try {
    return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner))
  } catch (error) {
    return JSON.stringify(`[not recorded: ${(error as Error).message}]`)
  }
}

const quote = (text: string): string => JSON.stringify(text)

class EventFormat implements LineFormat {
  readonly prefix: LinePrefix
  readonly bindings: StringDefinition
  readonly inline = null
  readonly tree: ShapeTree
  readonly printsAsJson = false
  readonly replaced = null
  readonly stringify = toJson
  readonly quote = quote
  readonly level: number
  readonly target: string

  constructor(tree: ShapeTree, level: number, target: string, bindings: StringDefinition) {
    this.prefix = tree.prefix(`{"level":${level}`, TIME_MS)
    this.bindings = bindings
    this.tree = tree
    this.level = level
    this.target = target
  }

  /** What has more keys than a record can have. */
  line(_time: number, _timeText: string, fields: object | null, message: unknown): string {
    const line = { ...fields, level: this.level, name: this.target, [MESSAGE_KEY]: message }
    return `${toJson(line) ?? '{}'}\n`
  }
}

/** Writes events into a ring; levels, targets, keys and messages are told once in each run. */
export class EventWriter {
  readonly #encoder: RecordEncoder
  readonly #tree = new ShapeTree({ conversionOf: () => null, quote, messageKey: MESSAGE_KEY })
  readonly #formats = new Map<string, EventFormat[]>()
  #recent: EventFormat | null = null

  constructor(encoder: RecordEncoder) {
    this.#encoder = encoder
  }

  /**
   * @param time as `timeOfNs` makes it, or NaN: now
   * @returns false: dropped and counted
   */
  write(level: number, target: string, message: string, fields: EventFields | null, time: number): boolean {
    return this.#encoder.record(this.#format(level, target), time, '', fields, message)
  }

  #format(level: number, target: string): EventFormat {
    const recent = this.#recent
    if (recent !== null && recent.level === level && recent.target === target) return recent
    const ofTarget = this.#formats.get(target) ?? this.#addTarget(target)
    // There are a few levels.
    for (let i = 0; i < ofTarget.length; i++) {
      const known = ofTarget[i]!
      if (known.level !== level) continue
      this.#recent = known
      return known
    }
    const bindings = ofTarget[0]?.bindings ?? new StringDefinition(new Addition(`,"name":${quote(target)}`))
    const format = new EventFormat(this.#tree, level, target, bindings)
    ofTarget.push(format)
    return format
  }

  #addTarget(target: string): EventFormat[] {
    if (this.#formats.size === MOST_TARGETS) this.#formats.clear()
    const formats: EventFormat[] = []
    this.#formats.set(target, formats)
    return formats
  }
}

/** Whether an object has more than `most` fields. */
function hasMore(fields: EventFields, most: number): boolean {
  let left = most
  for (const key in fields) if (isOwn.call(fields, key) && left-- === 0) return true
  return false
}

/** The first `most` fields of an object. */
function firstOf(fields: EventFields, most: number): EventFields {
  const some: [string, FieldValue][] = []
  for (const key in fields) {
    if (some.length === most) break
    if (Object.hasOwn(fields, key)) some.push([key, fields[key]])
  }
  return Object.fromEntries(some)
}

/**
 * More fields than an object has. Not Infinity, which V8 keeps in another way than small numbers.
 */
export const ALL_FIELDS = 0x3fffffff

/** Which fields of events are kept: the first so many. */
export class KeptFields implements FieldCap {
  readonly mostFields: number
  readonly #countTruncated: () => void

  /** @param countTruncated called for each event that had more */
  constructor(mostFields: number, countTruncated: () => void) {
    this.mostFields = mostFields
    this.#countTruncated = countTruncated
  }

  /** Of an error all are: what it says is made of it later. */
  keepsWhole(fields: object | null | undefined): boolean {
    if (fields === null || fields === undefined || isError(fields)) return true
    return !hasMore(fields as EventFields, this.mostFields)
  }

  kept<Fields extends object | null | undefined>(fields: Fields): Fields {
    if (this.keepsWhole(fields)) return fields
    this.#countTruncated()
    return firstOf(fields as EventFields, this.mostFields) as Fields
  }
}

/** What was said for a text. */
export const asText = (value: unknown): string => (typeof value === 'string' ? value : String(value))

/** An event before it is recorded. */
export interface EventDraft {
  /** ns since the Unix epoch; undefined: when it is recorded. */
  timestampNanos?: bigint
  level: string
  target: string
  message: string
  fields: EventFields | null
}

/** Makes an event piece by piece. */
export class EventBuilder {
  readonly #put: (event: EventDraft) => boolean
  readonly #event: EventDraft & { fields: EventFields } = { level: 'info', target: '', message: '', fields: {} }

  /** @param put what `record` does with the event */
  constructor(put: (event: EventDraft) => boolean) {
    this.#put = put
  }

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` unless it is a bigint of ns since 1970 */
  timestampNanos(ns: bigint): this {
    this.#event.timestampNanos = checkedTime(ns)
    return this
  }

  /** Name of the level. Default 'info'. */
  level(name: string): this {
    this.#event.level = name
    return this
  }

  /** Name of the logger. Default ''. */
  target(name: string): this {
    this.#event.target = name
    return this
  }

  /** Default ''. */
  message(text: string): this {
    this.#event.message = text
    return this
  }

  field(name: string, value: FieldValue): this {
    Object.defineProperty(this.#event.fields, name, { value, enumerable: true, configurable: true, writable: true })
    return this
  }

  /** The event as it is now. */
  build(): EventDraft {
    return { ...this.#event, fields: { ...this.#event.fields } }
  }

  /**
   * Puts it into the ring.
   *
   * @returns false: dropped and counted, or below the recorder's level
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown level
   */
  record(): boolean {
    return this.#put(this.#event)
  }
}

/** What a writer beside a ring asks of the recorder. */
export interface RingKeeper {
  readonly encoder: RecordEncoder
  /** Keeps as many fields as the recorder does. */
  readonly capped: RecordEncoder
  /** Whether events get fields here that the log does not have. */
  readonly adds: boolean
  /** Those of an event now; `top`: the function that the program has called. */
  added(top: Top): Added | null
  /** With the fields of an event, of which so many are kept. */
  completed<Fields extends object | null>(fields: Fields, top: Top): Fields
  keepsWhole(fields: object | null): boolean
  noteUnrecorded(level: number, message: unknown, thrown: unknown): void
  noteFatal(): void
}

/** What it asks of the logger whose format a record has. */
export interface Levels {
  of(format: LineFormat): number
  /** Whether the ring keeps records of a level. */
  areKept(level: number): boolean
  /** The method that the program calls for records of a format. */
  methodOf(format: LineFormat): Top
  /** Whether the log has the records of a format. */
  areLogged(format: LineFormat, level: number): boolean
}

/** Takes the records of loggers that have a recorder: into the log, the ring or both. */
export class WriterBesideRing implements RecordWriter {
  readonly #recorder: RingKeeper
  readonly #log: RecordWriter
  /** The log's, if it can make a record for itself and the ring. */
  readonly #own: RecordEncoder | null
  readonly #ring: RecordEncoder
  readonly #both: RecordWriter
  readonly #levels: Levels

  constructor(recorder: RingKeeper, log: RecordWriter, levels: Levels) {
    this.#recorder = recorder
    this.#log = log
    this.#own = log instanceof RecordEncoder ? log : null
    this.#ring = recorder.capped
    this.#both = new JointEncoder([log, recorder.encoder])
    this.#levels = levels
  }

  record(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    const level = this.#levels.of(format)
    const isLogged = this.#levels.areLogged(format, level)
    if (!this.#levels.areKept(level)) return isLogged && this.#log.record(format, time, timeText, fields, message)
    if (isLogged) {
      try {
        if (this.#logged(format, time, timeText, fields, message)) return this.#noted(level, true)
      } catch (thrown) {
        throw this.#unlogged(level, message, thrown)
      }
    }
    try {
      return this.#noted(level, this.#alone(format, time, timeText, fields, message))
    } catch (thrown) {
      return this.#unrecorded(level, message, thrown)
    }
  }

  /** What was thrown: the log gets a line of what can be had of it from the logger. */
  #unlogged(level: number, message: unknown, thrown: unknown): unknown {
    this.#recorder.noteUnrecorded(level, message, thrown)
    return thrown
  }

  /** A failure is the recorder's alone: the log has the record, or does not want it. */
  #unrecorded(level: number, message: unknown, thrown: unknown): true {
    this.#recorder.noteUnrecorded(level, message, thrown)
    return true
  }

  /** Into the log. Whether it is in the ring, too. */
  #logged(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    const { adds } = this.#recorder
    const own = timeText === '' ? this.#own : null
    if (own !== null && !adds) return own.recordBeside(this.#ring, format, time, fields, message)
    if (own !== null) return this.#adding(format, () => own.recordBeside(this.#ring, format, time, fields, message))
    if (!adds && this.#recorder.keepsWhole(fields)) return this.#both.record(format, time, timeText, fields, message)
    this.#log.record(format, time, timeText, fields, message)
    return false
  }

  /** Calls `give` while events have more than the log's records. */
  #adding(format: LineFormat, give: () => boolean): boolean {
    const before = this.#ring.add(this.#recorder.added(this.#levels.methodOf(format)))
    try {
      return give()
    } finally {
      this.#ring.add(before)
    }
  }

  /** Into the ring. */
  #alone(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    const recorder = this.#recorder
    if (!recorder.adds) return this.#ring.record(format, time, timeText, fields, message)
    const logged = fields === null || format.replaced === null ? fields : format.replaced(fields)
    const all = recorder.completed(logged, this.#levels.methodOf(format))
    return recorder.encoder.record(format, time, timeText, all, message)
  }

  #noted(level: number, accepted: boolean): boolean {
    if (level >= FATAL) this.#recorder.noteFatal()
    return accepted
  }

  event(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): boolean {
    const own = this.#own
    if (own === null || timeText !== '' || this.#recorder.adds) {
      return this.record(format, time, timeText, event.fields(values), event.message)
    }
    const level = this.#levels.of(format)
    const isLogged = this.#levels.areLogged(format, level)
    if (!this.#levels.areKept(level)) return isLogged && own.event(format, time, timeText, event, values)
    if (isLogged) {
      try {
        if (own.eventBeside(this.#ring, format, time, event, values)) return this.#noted(level, true)
      } catch (thrown) {
        throw this.#unlogged(level, event.message, thrown)
      }
    }
    try {
      return this.#noted(level, this.#ring.event(format, time, timeText, event, values))
    } catch (thrown) {
      return this.#unrecorded(level, event.message, thrown)
    }
  }

  text(time: number, line: string): boolean {
    return this.#log.text(time, line)
  }

  append(made: PayloadWriter, format: LineFormat, from: number): boolean {
    return this.#log.append(made, format, from)
  }

  close(): void {
    this.#log.close()
  }
}
