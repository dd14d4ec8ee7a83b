/**
 * From what the ring holds to events: values by their keys, strings in place of ids, times in ns.
 */

import { ENTRY_PREFIX_BYTES } from '../format/constants'
import * as wire from '../record/wire'
import type { About, Arena, Run } from './arena'

/** One thing that happened. */
export interface RecordedEvent {
  /** ns since the Unix epoch. */
  time: bigint
  /** Name of the level, or its number if that has none; empty if it has no level. */
  level: string
  /** Name of the logger. */
  target: string
  message: string
  /** Id of the thread in Node; 0 is the main thread. */
  thread: number
  fields: Record<string, unknown>
}

/** A payload that is not one. */
class Damaged extends Error {}

/** Times below it are ns, in a u64; others ms, in an f64. */
const LEAST_F64 = 0x3f000000
const NS_PER_MS = 1e6
/** The latest time of a Date. */
const MAX_DATE_MS = 8.64e15
/** A bigint is printed as JSON prints numbers. */
const LARGE_INTEGER = /^-?\d{16,}$/

/** A u64 or f64 as it lies in a payload, as ns. */
function timeAt(bytes: Buffer, at: number): bigint {
  if (bytes.readUInt32LE(at + 4) < LEAST_F64) return bytes.readBigUInt64LE(at)
  return nanoseconds(bytes.readDoubleLE(at))
}

/** ms since the Unix epoch as ns; 0 for what is none that a date can have. */
export function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms)
  return ms > 0 && ms <= MAX_DATE_MS ? BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * NS_PER_MS)) : 0n
}

/** Parses JSON, or throws a SyntaxError. */
export type Parse = (json: string) => unknown

const parsePlain: Parse = json => JSON.parse(json) as unknown

function parseJson(text: string, parse: Parse): unknown {
  if (LARGE_INTEGER.test(text)) return BigInt(text)
  try {
    return parse(text)
  } catch {
    return text
  }
}

/** `,"a":1,"b":2` as an object. */
function parseFields(text: string, parse: Parse): Record<string, unknown> {
  return text === '' ? {} : (parse(`{${text.slice(1)}}`) as Record<string, unknown>)
}

/** Where a value of a template belongs: its key, or those of the objects around it and its own. */
type Place = string | readonly string[] | null

/** A template, taken apart. */
interface Shape {
  timeForm: number
  level: unknown
  places: readonly Place[]
  /** Fields that have no values of the record's in them: objects without any. */
  fixed: Record<string, unknown> | null
  message: string | undefined
  hasInlineMessage: boolean
  /** What of the head is no level. */
  others: Record<string, unknown> | null
}

/**
 * What follows the last value: the ends of objects, perhaps objects without values, and the message
 * with its key.
 */
function splitTail(
  tail: string,
  messageKey: string,
  isInline: boolean,
  parse: Parse
): { fields: string; message: string | undefined } {
  const key = `,${JSON.stringify(messageKey)}:`
  if (isInline && tail.endsWith(key)) return { fields: tail.slice(0, -key.length), message: undefined }
  for (let at = tail.indexOf(key); at >= 0; at = tail.indexOf(key, at + 1)) {
    try {
      const message = parse(tail.slice(at + key.length))
      if (typeof message === 'string') return { fields: tail.slice(0, at), message }
    } catch {
      // The same text within a string, or as the key of an object.
    }
  }
  return { fields: tail, message: undefined }
}

/** Finds the numbers that stand in place of values. */
function findPlaces(object: Record<string, unknown>, path: readonly string[], places: Place[]): void {
  for (const [key, value] of Object.entries(object)) {
    if (typeof value === 'number') places[value] = path.length === 0 ? key : [...path, key]
    else findPlaces(value as Record<string, unknown>, [...path, key], places)
  }
}

function without(object: Record<string, unknown>, ...keys: string[]): Record<string, unknown> | null {
  const left = Object.entries(object).filter(([key]) => !keys.includes(key))
  return left.length === 0 ? null : Object.fromEntries(left)
}

function readShape(body: Buffer, messageKey: string, parse: Parse): Shape {
  const texts: string[] = []
  for (let at = wire.TEMPLATE_HEAD; at < body.length; ) {
    const start = at + wire.TEXT_PREFIX_BYTES
    at = start + body.readUInt16LE(at)
    if (at > body.length) throw new Damaged('a text of a template is cut off')
    texts.push(body.toString('utf8', start, at))
  }
  const [head = '{', tail = '', ...keys] = texts
  const isInline = body[wire.TEMPLATE_MESSAGE_FORM] === wire.MESSAGE_INLINE
  const start = parse(`${head}}`) as Record<string, unknown>
  const { fields, message } = splitTail(tail, messageKey, isInline, parse)
  const frame = parseFields(keys.map((key, i) => key + i).join('') + fields, parse)
  // Of two keys that are the same the later counts, as in JSON.
  const places: Place[] = new Array<Place>(keys.length).fill(null)
  findPlaces(frame, [], places)
  const isFlat = places.every(place => place === null || typeof place === 'string') && fields === ''
  return {
    timeForm: body[wire.TEMPLATE_TIME_FORM]!,
    level: start.level ?? start.severity,
    places,
    fixed: isFlat ? null : frame,
    message,
    hasInlineMessage: isInline,
    others: without(start, 'level', 'severity')
  }
}

/** The same objects, without values. */
function emptied(frame: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(frame).flatMap(([key, value]) =>
    typeof value === 'number' ? [] : [[key, emptied(value as Record<string, unknown>)] as const]
  )
  return Object.fromEntries(entries)
}

function put(fields: Record<string, unknown>, place: readonly string[], value: unknown): void {
  let object = fields
  for (const key of place.slice(0, -1)) object = object[key] as Record<string, unknown>
  assign(object, place.at(-1) as string, value)
}

/** Gives an object a property of its own, whatever its name. */
function assign(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
  else object[key] = value
}

/** Adds bindings, but for those whose key an object of the record's own has, which comes last. */
function bind(
  fields: Record<string, unknown>,
  bound: Record<string, unknown>,
  frame: Record<string, unknown> | null
): void {
  for (const [key, value] of Object.entries(bound)) {
    const isReplaced = frame !== null && Object.hasOwn(frame, key) && typeof frame[key] === 'object'
    if (!isReplaced) assign(fields, key, value)
  }
}

interface Binding {
  target: string
  fields: Record<string, unknown> | null
}

/** Reads the runs of an arena. Templates and bindings are taken apart once for all runs. */
export class EventDecoder {
  /** Payloads that were events, and that were none. */
  read = 0
  damaged = 0
  readonly #about: About
  readonly #pid: number
  readonly #image: Buffer
  readonly #labels: Map<number, string>
  readonly #parse: Parse
  readonly #shapes = new Map<string, Shape>()
  readonly #bindings = new Map<string, Binding>()
  /** Of the present run, by their ids. */
  #templates = new Map<number, Shape>()
  #strings = new Map<number, Binding>()
  #at = 0
  #end = 0

  /** @param parse what JSON in it is parsed by */
  constructor({ image, about, pid }: Arena, parse: Parse = parsePlain) {
    this.#parse = parse
    this.#image = image
    this.#about = about
    this.#pid = pid
    this.#labels = new Map(Object.entries(about.levels).map(([label, number]) => [number, label]))
  }

  /**
   * The events of a run.
   *
   * @param from where in the image the first one that is wanted begins; those before it only define
   */
  *eventsOf(run: Run, from: number = run.start): Generator<RecordedEvent, void> {
    const image = this.#image
    this.#templates = new Map()
    this.#strings = new Map()
    let at = run.start
    while (at + ENTRY_PREFIX_BYTES <= run.end) {
      const start = at + ENTRY_PREFIX_BYTES
      const length = image.readUInt32LE(at)
      if (length === 0 || length > run.end - start) {
        this.damaged++
        return
      }
      const event = this.#read(start, start + length, run.thread)
      if (event === null) this.damaged++
      else this.read++
      if (event !== null && at >= from) yield event
      at = start + length
    }
  }

  #read(start: number, end: number, thread: number): RecordedEvent | null {
    this.#at = start
    this.#end = end
    try {
      return this.#payload(thread)
    } catch (error) {
      // Of ranges and of JSON: what lies there is not what a recorder has written.
      if (error instanceof Damaged || error instanceof RangeError || error instanceof SyntaxError) return null
      throw error
    }
  }

  #payload(thread: number): RecordedEvent {
    const kind = this.#image[this.#take(1)]
    if (kind === wire.KIND_TEXT) return this.#text(thread)
    if (kind === wire.KIND_BUNDLE) {
      for (let left = this.#image[this.#take(1)]!; left > 0; left--) this.#define()
      this.#take(1)
    } else if (kind !== wire.KIND_RECORD) throw new Damaged(`kind ${kind}`)
    return this.#record(thread)
  }

  /** Where the next `length` bytes begin. */
  #take(length: number): number {
    const at = this.#at
    if (length > this.#end - at) throw new Damaged('cut off')
    this.#at = at + length
    return at
  }

  #define(): void {
    const at = this.#take(wire.DEFINITION_BODY)
    const id = this.#image.readUInt32LE(at)
    const what = this.#image[at + wire.DEFINITION_WHAT]
    const start = this.#take(this.#image.readUInt32LE(at + wire.DEFINITION_LENGTH))
    const body = this.#image.subarray(start, this.#at)
    if (what === wire.DEFINE_STRING) this.#strings.set(id, this.#binding(body.toString()))
    else this.#templates.set(id, this.#shape(body))
  }

  #shape(body: Buffer): Shape {
    const key = body.toString('latin1')
    const known = this.#shapes.get(key)
    if (known !== undefined) return known
    const shape = readShape(body, this.#about.messageKey, this.#parse)
    this.#shapes.set(key, shape)
    return shape
  }

  #binding(text: string): Binding {
    const known = this.#bindings.get(text)
    if (known !== undefined) return known
    const { name, ...fields } = parseFields(text, this.#parse)
    // What the snapshot says once it need not say with each event.
    if (fields.pid === this.#pid) delete fields.pid
    if (fields.hostname === this.#about.hostname) delete fields.hostname
    const binding = {
      target: typeof name === 'string' ? name : '',
      fields: Object.keys(fields).length === 0 ? null : fields
    }
    this.#bindings.set(text, binding)
    return binding
  }

  #level(level: unknown): string {
    if (typeof level === 'string') return level
    if (level === undefined) return ''
    return this.#labels.get(level as number) ?? String(level)
  }

  #text(thread: number): RecordedEvent {
    const time = timeAt(this.#image, this.#take(8))
    const line = this.#image.toString('utf8', this.#at, this.#end).trimEnd()
    const parsed = parseJson(line, this.#parse)
    if (typeof parsed !== 'object' || parsed === null) {
      return { time, level: '', target: '', message: line, thread, fields: {} }
    }
    return { ...this.eventOf(parsed as Record<string, unknown>), time, thread }
  }

  /** What a line of JSON says, but for its time. */
  eventOf(line: Record<string, unknown>): Omit<RecordedEvent, 'time' | 'thread'> {
    const { messageKey, hostname } = this.#about
    const { level, time: _, name, [messageKey]: message, ...fields } = line
    if (fields.pid === this.#pid) delete fields.pid
    if (fields.hostname === hostname) delete fields.hostname
    return {
      level: this.#level(level),
      target: typeof name === 'string' ? name : '',
      message: messageText(message),
      fields
    }
  }

  #record(thread: number): RecordedEvent {
    const image = this.#image
    const at = this.#take(wire.HEADER_BYTES - 1) - 1
    const shape = this.#templates.get(image.readUInt32LE(at + wire.HEADER_TEMPLATE))
    if (shape === undefined) throw new Damaged('an unknown template')
    const id = image.readUInt32LE(at + wire.HEADER_BINDINGS)
    const binding = id === wire.NO_ID ? null : this.#strings.get(id)
    if (binding === undefined) throw new Damaged('unknown bindings')
    const fields: Record<string, unknown> = shape.fixed === null ? {} : emptied(shape.fixed)
    if (shape.others !== null) Object.assign(fields, shape.others)
    if (binding !== null && binding.fields !== null) bind(fields, binding.fields, shape.fixed)
    for (const place of shape.places) {
      const value = this.#value()
      if (value === undefined || place === null) continue
      if (typeof place === 'string') assign(fields, place, value)
      else put(fields, place, value)
    }
    if (shape.timeForm === wire.TIME_TEXT) this.#value()
    const message = shape.hasInlineMessage ? messageText(this.#value()) : (shape.message ?? '')
    return {
      time: timeAt(image, at + wire.HEADER_TIME),
      level: this.#level(shape.level),
      target: binding === null ? '' : binding.target,
      message,
      thread,
      fields
    }
  }

  /** The next value; undefined if it is absent. */
  #value(): unknown {
    const image = this.#image
    switch (image[this.#take(1)]) {
      case wire.TAG_ABSENT:
        return undefined
      case wire.TAG_NULL:
        return null
      case wire.TAG_FALSE:
        return false
      case wire.TAG_TRUE:
        return true
      case wire.TAG_INT:
        return image.readInt32LE(this.#take(4))
      case wire.TAG_NUMBER:
        return image.readDoubleLE(this.#take(8))
      case wire.TAG_SHORT_STRING:
        return this.#string(image[this.#take(1)]!)
      case wire.TAG_STRING:
        return this.#string(image.readUInt32LE(this.#take(4)))
      case wire.TAG_JSON:
        return parseJson(this.#string(image.readUInt32LE(this.#take(4))), this.#parse)
      default:
        throw new Damaged('an unknown value')
    }
  }

  #string(length: number): string {
    const at = this.#take(length)
    return this.#image.toString('utf8', at, at + length)
  }
}

function messageText(message: unknown): string {
  if (typeof message === 'string') return message
  return message === undefined ? '' : JSON.stringify(message)
}
