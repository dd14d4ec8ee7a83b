/**
 * A record as a line of JSON, and how the line gets to a stream.
 */

import seam = require('../../lib/tools.js')

import { tracingChannel } from 'node:diagnostics_channel'
import {
  type AsJson,
  type Fields,
  type Internals,
  type RecordSink,
  recordSinkSym,
  type Stream,
  type StreamWithSink,
  type Stringifier,
  type Stringify
} from './context'
import { mixIn, textOf } from './fields'
import { quote } from './json-text'
import {
  asJsonSym,
  boundSym,
  endSym,
  errorKeySym,
  formattersSym,
  hooksSym,
  jsonAtCallSym,
  lsCacheSym,
  messageKeySym,
  mixinSym,
  NO_STRINGIFIERS,
  needsMetadataGsym,
  nestedKeyStrSym,
  nestedKeySym,
  serializersSym,
  streamSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSliceIndexSym,
  timeSym,
  wildcardFirstSym
} from './symbols'
import type { TimeFn } from './types'

// The time of a line: functions that make a part of a JSON object with the comma before it.

export const nullTime: TimeFn = () => ''
/**
 * Milliseconds since 1970. `Date.now` is looked up at each call, so that a test framework's clock
 * is honoured.
 */
export const epochTime: TimeFn = () => `,"time":${Date.now()}`
/** Seconds since 1970, rounded. */
export const unixTime: TimeFn = () => `,"time":${Math.round(Date.now() / 1000)}`
/** ISO 8601 in UTC, to the millisecond. */
export const isoTime: TimeFn = () => `,"time":"${new Date(Date.now()).toISOString()}"`

const NS_PER_MS = 1_000_000n
const NS_PER_S = 1_000_000_000n

// The monotonic clock counts nanoseconds from an arbitrary start; what to add to it for the time of
// day is fixed once.
const startOfClock = BigInt(Date.now()) * NS_PER_MS - process.hrtime.bigint()

/** RFC 3339 in UTC, to the nanosecond. */
export const isoTimeNano: TimeFn = () => {
  const now = startOfClock + process.hrtime.bigint()
  const seconds = new Date(Number(now / NS_PER_S) * 1000).toISOString().slice(0, 19)
  return `,"time":"${seconds}.${(now % NS_PER_S).toString().padStart(9, '0')}Z"`
}

/** Functions for the option `timestamp`, each of which returns a part of a line. */
export const stdTimeFunctions = { nullTime, epochTime, unixTime, isoTime, isoTimeNano } as const

/** The function that the option `timestamp` asks for. */
export function timeFunction(timestamp: unknown): TimeFn {
  if (typeof timestamp === 'function') return timestamp as TimeFn
  return timestamp ? epochTime : nullTime
}

/** In place of a time: that of the engine's clock. */
const ENGINE_CLOCK = Number.NaN

const NativeDate = Date
const nativeNow = Date.now
/** A test framework may have put its clock in place before this module was loaded. */
const isNativeNow = Function.prototype.toString.call(nativeNow).includes('[native code]')

/**
 * The time of a record: that of the engine's clock, which is cheaper than Date's; but that of
 * `Date.now` if somebody has put another in its place.
 */
export function recordTime(): number {
  return Date === NativeDate && Date.now === nativeNow && isNativeNow ? ENGINE_CLOCK : Date.now()
}

// Tools follow the making of lines on the tracing channel that pino publishes on, or they change
// the function in `../tools.js` as it is loaded.

/** Text longer than this is not the function's own, which has about 120 characters. */
const MAX_OWN_TEXT = 300

/**
 * Whether an agent has rewritten or replaced the function. Code that only counts its calls, as
 * tools for coverage add, does no harm either.
 */
export const isTaken = seam.asJson !== seam.own || String(seam.asJson).length > MAX_OWN_TEXT

interface Context {
  instance: Internals
  arguments: IArguments | unknown[]
}

const channel = tracingChannel<unknown, Context>('pino_asJson')

/** Those of its channels that say that somebody follows. */
export const lineChannels = { start: channel.start, end: channel.end, error: channel.error }

/** Whether somebody follows: then lines are made at the call. */
export function hasSubscribers(): boolean {
  const { start, end, error } = lineChannels
  return isTaken || start.hasSubscribers || end.hasSubscribers || error.hasSubscribers
}

/**
 * `asJson` with events around each call while somebody subscribes, and with what an agent has put
 * around it.
 */
export function traced(asJson: AsJson): AsJson {
  const published: AsJson = function asJsonTraced(this: Internals, fields, message, level, time) {
    if (!hasSubscribers()) return asJson.call(this, fields, message, level, time)
    const context: Context = { instance: this, arguments: [fields, message, level, time] }
    return channel.traceSync(asJson as (...args: unknown[]) => string, context, this, fields, message, level, time)
  }
  seam.make = published
  return isTaken ? (seam.asJson as AsJson) : published
}

// The line.

const hasOwn = Object.prototype.hasOwnProperty

/**
 * JSON text of a value, or undefined if it is not written. `stringifier` is what redaction has for
 * its key.
 */
export function valueText(
  value: unknown,
  stringifier: Stringifier | undefined,
  stringify: Stringify,
  safe: Stringify
): string | undefined {
  switch (typeof value) {
    case 'undefined':
    case 'function':
      return undefined
    case 'number': {
      const number = Number.isFinite(value) ? value : null
      return stringifier ? stringifier(number) : `${number}`
    }
    case 'boolean':
      return stringifier ? stringifier(value) : `${value}`
    case 'string':
      return stringifier ? stringifier(value) : quote(value)
    default:
      return stringifier ? stringifier(value) : stringify(value, safe)
  }
}

/** The fields as JSON text with a comma before each. */
function fieldsText(logger: Internals, fields: Fields): string {
  // Read once: these lie on the prototype chain of a child.
  const serializers = logger[serializersSym]
  const stringifiers = logger[stringifiersSym]
  const isRedacted = stringifiers !== NO_STRINGIFIERS
  const wildcard = stringifiers[wildcardFirstSym]
  const stringify = logger[stringifySym]
  const safe = logger[stringifySafeSym]
  const errorKey = logger[errorKeySym]
  let text = ''
  for (const key in fields) {
    const value = fields[key]
    if (value === undefined || !hasOwn.call(fields, key)) continue
    // An error under another `errorKey` is serialized as one under `err` is.
    const serializer = serializers[key] || (key === errorKey ? serializers.err : undefined)
    const shaped = serializer ? serializer(value) : value
    const json = valueText(shaped, isRedacted ? (stringifiers[key] ?? wildcard) : undefined, stringify, safe)
    if (json !== undefined) text += `,${quote(key)}:${json}`
  }
  return text
}

// Nearly always the same key.
let recentKey = 'msg'
let recentStart = ',"msg":'

/** What a message begins with. */
function messageStart(key: string): string {
  if (key !== recentKey) {
    recentKey = key
    recentStart = `,${quote(String(key))}:`
  }
  return recentStart
}

function messageText(logger: Internals, message: unknown): string {
  if (message === undefined) return ''
  const key = logger[messageKeySym]
  const serializer = logger[serializersSym][key]
  const stringifiers = logger[stringifiersSym]
  const shaped = serializer ? serializer(message) : message
  const stringifier = stringifiers[key] ?? stringifiers[wildcardFirstSym]
  const json = valueText(shaped, stringifier, logger[stringifySym], logger[stringifySafeSym])
  return json === undefined ? '' : messageStart(key) + json
}

/** What fields under a key of their own begin with; an integration may have set that key alone. */
export function nestedStart(logger: Internals, key: string): string {
  return logger[nestedKeyStrSym] || `,${quote(key)}:{`
}

/** The line of a record: level, time, bindings, fields, message, in that order. */
function asJson(this: Internals, fields: Fields, message: unknown, level: number, time: string): string {
  const start = (this[lsCacheSym][level] ?? '') + time + this[boundSym].text
  const format = this[formattersSym].log
  const body = fieldsText(this, format ? format(fields) : fields)
  const end = messageText(this, message) + this[endSym]
  const nestedKey = this[nestedKeySym]
  if (nestedKey && body) return `${start + nestedStart(this, nestedKey) + body.slice(1)}}${end}`
  return start + body + end
}

/** As `asJson`, for those who follow it. */
export const tracedAsJson = traced(asJson)

/** The fields of what is logged: an error is one of them. */
export function asFields(logger: Internals, logged: object): Fields {
  return (logged instanceof Error ? { [logger[errorKeySym]]: logged } : logged) as Fields
}

/**
 * That of the error that is logged, by itself or among fields; none if the fields have a message.
 */
export function errorMessage(logger: Internals, logged: object): unknown {
  if (logged instanceof Error) return logged.message
  const fields = logged as Fields
  if (fields[logger[messageKeySym]] !== undefined) return undefined
  const errorKey = logger[errorKeySym]
  // Read twice, as in pino: a getter may log.
  return fields[errorKey] ? (fields[errorKey] as { message?: unknown }).message : undefined
}

// Lines on their way to a stream. Some destinations want to know of each line: they say so by
// `Symbol.for('pino.metadata')`.

/** What a line was made of. */
export interface Made {
  time: string
  fields: object
  message: unknown
}

/** Tells `stream` about the line that it is given next, if it wants to know. */
export function setStreamMetadata(stream: Stream, logger: Internals, level: number, made: Made): void {
  if (stream[needsMetadataGsym] !== true) return
  stream.lastLevel = level
  stream.lastObj = made.fields
  stream.lastMsg = made.message
  stream.lastTime = made.time.slice(logger[timeSliceIndexSym])
  stream.lastLogger = logger
}

/**
 * Destinations that have been complained about: once each, or a broken one would fill the terminal.
 */
const complained = new WeakSet<object>()

/** Writes a line; a destination that throws is reported by a process warning, once. */
export function writeLine(stream: Stream, line: string): void {
  try {
    stream.write(line)
  } catch (thrown) {
    if (complained.has(stream)) return
    complained.add(stream)
    process.emitWarning(`A destination refuses lines: ${textOf(thrown)}`, { code: 'SHARDLOG_DESTINATION' })
  }
}

/** As a sink's `write`, to `stream`, which need not be the logger's own. */
export function writeAsText(
  stream: Stream,
  logger: Internals,
  object: object | null | undefined,
  text: unknown,
  level: number
): void {
  const time = logger[timeSym]()
  const fields = object ? asFields(logger, object) : {}
  const message = text === undefined && object ? errorMessage(logger, object) : text
  const mixin = logger[mixinSym]
  const mixed = (mixin ? mixIn(logger, mixin, fields, level) : fields) as Fields
  const line = logger[asJsonSym](mixed, message, level, time)
  setStreamMetadata(stream, logger, level, { time, fields: mixed, message })
  const hook = logger[hooksSym].streamWrite
  writeLine(stream, hook ? hook(line) : line)
}

/**
 * The sink of every destination that takes text: one line of JSON for each record, written at once.
 */
const textSink: RecordSink = {
  write: (logger, object, text, level) => writeAsText(logger[streamSym], logger, object, text, level)
}

/**
 * What loggers without a stage do with a record: a destination with a sink is given the record
 * itself.
 */
export function write(this: Internals, fields: object | null | undefined, message: unknown, level: number): void {
  const sink = (!this[jsonAtCallSym] && (this[streamSym] as StreamWithSink)[recordSinkSym]) || textSink
  sink.write(this, fields, message, level)
}
