/**
 * The sink Otlp: OpenTelemetry's logs over HTTP, as protobuf or JSON
 * (opentelemetry/proto/logs/v1/logs.proto, of version 1).
 */

import { version } from '../own-place'
import { Bodies, type RequestOptions, Requests } from './http'
import { fieldsOf, severityOf, timeOfFields } from './records'
import { type Batch, idOf, type ShipRecord, type Sink, SinkError, textOf } from './sink'

export interface OtlpOptions extends RequestOptions {
  /** Default 'protobuf'. */
  encoding?: 'protobuf' | 'json'
  /** Attributes of the resource: `service.name`, … */
  resource?: Readonly<Record<string, unknown>>
}

/** What a record is in OpenTelemetry's model. */
interface LogRecord {
  time: bigint
  observed: bigint
  severity: { otel: number; name: string }
  body: unknown
  attributes: [key: string, value: unknown][]
  trace: Buffer | null
  span: Buffer | null
  flags: number
}

const NS_PER_MS = 1_000_000n
/** Fields that have a place of their own. */
const OWN = new Set(['level', 'time', 'msg', 'name', 'trace_id', 'span_id', 'trace_flags'])
/** Names that OpenTelemetry has for pino's fields. */
const RENAMED: Readonly<Record<string, string>> = { pid: 'process.pid', hostname: 'host.name' }
const TRACE_BYTES = 16
const SPAN_BYTES = 8

const asNs = (ms: number): bigint => BigInt(Math.trunc(ms)) * NS_PER_MS

function bytesOfHex(value: unknown, bytes: number): Buffer | null {
  const isHex = typeof value === 'string' && value.length === 2 * bytes && /^[0-9a-fA-F]+$/.test(value)
  return isHex ? Buffer.from(value, 'hex') : null
}

/** An error as the conventions for exceptions have it. */
function* attributesOf(key: string, value: unknown): Generator<[string, unknown]> {
  const error = value as { type?: unknown; message?: unknown; stack?: unknown } | null
  if (key === 'err' && typeof error === 'object' && error !== null && typeof error.message === 'string') {
    const { type, message, stack, ...rest } = error
    if (typeof type === 'string') yield ['exception.type', type]
    yield ['exception.message', message]
    if (typeof stack === 'string') yield ['exception.stacktrace', stack]
    for (const [name, more] of Object.entries(rest)) yield [`exception.${name}`, more]
    return
  }
  yield [RENAMED[key] ?? key, value]
}

/** The record, and the name of its logger. */
function recordOf(record: ShipRecord, batch: Batch, index: number, observed: bigint): { name: string; log: LogRecord } {
  const fields = fieldsOf(record)
  const id: [string, unknown] = ['log.record.uid', idOf(batch, index)]
  if (fields === null) {
    const severity = severityOf('info')
    const log = {
      time: 0n,
      observed,
      severity,
      body: textOf(record),
      attributes: [id],
      trace: null,
      span: null,
      flags: 0
    }
    return { name: '', log }
  }
  const { level, time, msg, name, trace_id, span_id, trace_flags } = fields
  const attributes = [id]
  for (const [key, value] of Object.entries(fields)) {
    if (!OWN.has(key)) attributes.push(...attributesOf(key, value))
  }
  const ms = timeOfFields(time)
  const log: LogRecord = {
    time: ms === null ? 0n : asNs(ms),
    observed,
    severity: severityOf(level),
    body: msg,
    attributes,
    trace: bytesOfHex(trace_id, TRACE_BYTES),
    span: bytesOfHex(span_id, SPAN_BYTES),
    flags: Number.parseInt(String(trace_flags), 16) & 0xff
  }
  return { name: typeof name === 'string' ? name : '', log }
}

/** Runs of records of one logger, in order. */
function scopesOf(batch: Batch): { name: string; logs: LogRecord[] }[] {
  const observed = asNs(Date.now())
  const scopes: { name: string; logs: LogRecord[] }[] = []
  batch.records.forEach((record, index) => {
    const { name, log } = recordOf(record, batch, index, observed)
    const last = scopes.at(-1)
    if (last?.name === name) last.logs.push(log)
    else scopes.push({ name, logs: [log] })
  })
  return scopes
}

// Protobuf.

const VARINT = 0
const FIXED64 = 1
const BYTES = 2
const FIXED32 = 5
/** A length that is not known yet takes so many bytes: decoders read longer ones than need be. */
const LENGTH_BYTES = 4

/** Writes protobuf's wire format. */
export class ProtoWriter {
  private buffer = Buffer.allocUnsafe(64 * 1024)
  private at = 0

  private room(bytes: number): void {
    if (this.at + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, this.at + bytes))
    this.buffer.copy(larger, 0, 0, this.at)
    this.buffer = larger
  }

  private varint(value: bigint | number): void {
    this.room(10)
    let rest = BigInt.asUintN(64, BigInt(value))
    for (; rest > 0x7fn; rest >>= 7n) this.buffer[this.at++] = Number(rest & 0x7fn) | 0x80
    this.buffer[this.at++] = Number(rest)
  }

  /** Of values below 2^31. */
  private small(value: number): void {
    this.room(5)
    let rest = value
    for (; rest > 0x7f; rest >>>= 7) this.buffer[this.at++] = (rest & 0x7f) | 0x80
    this.buffer[this.at++] = rest
  }

  private tag(field: number, type: number): void {
    this.small((field << 3) | type)
  }

  integer(field: number, value: bigint | number): void {
    this.tag(field, VARINT)
    if (typeof value === 'number' && value >= 0 && value < 2 ** 31) this.small(value)
    else this.varint(value)
  }

  fixed64(field: number, value: bigint): void {
    this.tag(field, FIXED64)
    this.room(8)
    this.at = this.buffer.writeBigUInt64LE(value, this.at)
  }

  fixed32(field: number, value: number): void {
    this.tag(field, FIXED32)
    this.room(4)
    this.at = this.buffer.writeUInt32LE(value, this.at)
  }

  double(field: number, value: number): void {
    this.tag(field, FIXED64)
    this.room(8)
    this.at = this.buffer.writeDoubleLE(value, this.at)
  }

  string(field: number, value: string): void {
    const length = Buffer.byteLength(value)
    this.tag(field, BYTES)
    this.small(length)
    this.room(length)
    this.at += this.buffer.write(value, this.at, 'utf8')
  }

  bytes(field: number, value: Buffer): void {
    this.tag(field, BYTES)
    this.small(value.length)
    this.room(value.length)
    this.at += value.copy(this.buffer, this.at)
  }

  message(field: number, fill: () => void): void {
    this.tag(field, BYTES)
    this.room(LENGTH_BYTES)
    const start = this.at
    this.at += LENGTH_BYTES
    fill()
    const length = this.at - start - LENGTH_BYTES
    for (let i = 0; i < LENGTH_BYTES; i++) {
      const more = i < LENGTH_BYTES - 1 ? 0x80 : 0
      this.buffer[start + i] = ((length >>> (7 * i)) & 0x7f) | more
    }
  }

  done(): Buffer {
    return this.buffer.subarray(0, this.at)
  }
}

/** AnyValue: of null and undefined, an empty one. */
function writeValue(to: ProtoWriter, value: unknown): void {
  if (typeof value === 'string') to.string(1, value)
  else if (typeof value === 'boolean') to.integer(2, Number(value))
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) to.integer(3, value)
    else to.double(4, value)
  } else if (Array.isArray(value)) {
    to.message(5, () => {
      for (const item of value) to.message(1, () => writeValue(to, item))
    })
  } else if (typeof value === 'object' && value !== null) {
    to.message(6, () => {
      for (const [key, item] of Object.entries(value)) writePair(to, 1, key, item)
    })
  }
}

function writePair(to: ProtoWriter, field: number, key: string, value: unknown): void {
  to.message(field, () => {
    to.string(1, key)
    to.message(2, () => writeValue(to, value))
  })
}

function writeLog(to: ProtoWriter, log: LogRecord): void {
  if (log.time > 0n) to.fixed64(1, log.time)
  to.integer(2, log.severity.otel)
  to.string(3, log.severity.name)
  if (log.body !== undefined) to.message(5, () => writeValue(to, log.body))
  for (const [key, value] of log.attributes) writePair(to, 6, key, value)
  if (log.flags > 0) to.fixed32(8, log.flags)
  if (log.trace) to.bytes(9, log.trace)
  if (log.span) to.bytes(10, log.span)
  to.fixed64(11, log.observed)
}

/** ExportLogsServiceRequest. */
export function encodeProtobuf(batch: Batch, resource: Readonly<Record<string, unknown>>): Buffer {
  const to = new ProtoWriter()
  to.message(1, () => {
    to.message(1, () => {
      for (const [key, value] of Object.entries(resource)) writePair(to, 1, key, value)
    })
    for (const { name, logs } of scopesOf(batch)) {
      to.message(2, () => {
        to.message(1, () => {
          if (name !== '') to.string(1, name)
        })
        for (const log of logs) to.message(2, () => writeLog(to, log))
      })
    }
  })
  return to.done()
}

// JSON.

function jsonValue(value: unknown): object {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(jsonValue) } }
  if (typeof value === 'object' && value !== null) return { kvlistValue: { values: jsonPairs(Object.entries(value)) } }
  return {}
}

const jsonPairs = (pairs: readonly [string, unknown][]): object[] =>
  pairs.map(([key, value]) => ({ key, value: jsonValue(value) }))

function jsonLog({ time, observed, severity, body, attributes, trace, span, flags }: LogRecord): object {
  return {
    ...(time > 0n ? { timeUnixNano: String(time) } : {}),
    observedTimeUnixNano: String(observed),
    severityNumber: severity.otel,
    severityText: severity.name,
    ...(body === undefined ? {} : { body: jsonValue(body) }),
    attributes: jsonPairs(attributes),
    ...(flags > 0 ? { flags } : {}),
    ...(trace ? { traceId: trace.toString('hex') } : {}),
    ...(span ? { spanId: span.toString('hex') } : {})
  }
}

/** ExportLogsServiceRequest, as its JSON. */
export function encodeJson(batch: Batch, resource: Readonly<Record<string, unknown>>): Buffer {
  const scopeLogs = scopesOf(batch).map(({ name, logs }) => ({
    scope: name === '' ? {} : { name },
    logRecords: logs.map(jsonLog)
  }))
  const resourceLogs = [{ resource: { attributes: jsonPairs(Object.entries(resource)) }, scopeLogs }]
  return Buffer.from(JSON.stringify({ resourceLogs }))
}

// Answers.

/** A varint at `at`, and where it ends. */
function readVarint(bytes: Buffer, at: number): [value: number, next: number] {
  let value = 0
  let next = at
  for (let factor = 1; next < bytes.length; factor *= 0x80) {
    const byte = bytes[next++]!
    value += (byte & 0x7f) * factor
    if (byte < 0x80) break
  }
  return [value, next]
}

/** The fields of a message: numbers, or bytes. */
function readFields(bytes: Buffer): Map<number, number | Buffer> {
  const fields = new Map<number, number | Buffer>()
  for (let at = 0; at < bytes.length; ) {
    const [tag, start] = readVarint(bytes, at)
    const type = tag & 7
    if (type === VARINT || type === BYTES) {
      const [value, next] = readVarint(bytes, start)
      fields.set(tag >> 3, type === VARINT ? value : bytes.subarray(next, next + value))
      at = type === VARINT ? next : next + value
    } else at = start + (type === FIXED64 ? 8 : 4)
  }
  return fields
}

/** How many records an answer says were rejected, and why. */
export function rejectedOf(body: Buffer, encoding: 'protobuf' | 'json'): { count: number; reason: string } {
  if (encoding === 'protobuf') {
    const partial = readFields(body).get(1)
    const fields = partial instanceof Buffer ? readFields(partial) : new Map<number, number | Buffer>()
    return { count: Number(fields.get(1) ?? 0), reason: String(fields.get(2) ?? '') }
  }
  try {
    const { partialSuccess = {} } = JSON.parse(body.toString()) as { partialSuccess?: Record<string, unknown> }
    return { count: Number(partialSuccess.rejectedLogRecords ?? 0), reason: String(partialSuccess.errorMessage ?? '') }
  } catch {
    return { count: 0, reason: '' } // An answer without a body, or of something in between: all were taken.
  }
}

/** Batches as requests of the OpenTelemetry protocol. */
export class OtlpSink implements Sink {
  readonly target: string
  private readonly requests: Requests
  private readonly resource: Readonly<Record<string, unknown>>
  private readonly bodies: Bodies

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
  constructor(private readonly options: OtlpOptions) {
    const url = /^https?:\/\/[^/]+\/?$/.test(options.url) ? `${options.url.replace(/\/$/, '')}/v1/logs` : options.url
    this.requests = new Requests({ ...options, url })
    this.target = this.requests.target
    const encode = options.encoding === 'json' ? encodeJson : encodeProtobuf
    this.bodies = new Bodies(async batch => this.requests.pack(encode(batch, this.resource)))
    this.resource = { 'telemetry.sdk.name': 'shardlog', 'telemetry.sdk.version': version, ...options.resource }
  }

  async prepare(batch: Batch): Promise<void> {
    await this.bodies.of(batch)
  }

  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const { encoding = 'protobuf' } = this.options
    const body = await this.bodies.of(batch)
    const type = encoding === 'protobuf' ? 'application/x-protobuf' : 'application/json'
    const answer = await this.requests.post(body, { 'content-type': type }, signal)
    const { count, reason } = rejectedOf(answer.body, encoding)
    // It does not say which; what it has taken must not be sent again.
    if (count > 0)
      throw new SinkError(`${this.target} rejected ${count} of these ${batch.records.length} records: ${reason}`, {
        refused: true,
        whole: true
      })
  }

  async close(): Promise<void> {
    this.requests.close()
  }
}
