/**
 * The sink Syslog: RFC 5424 over TCP with octet counts (RFC 6587), TLS (RFC 5425), or UDP (RFC
 * 5426).
 */

import dgram from 'node:dgram'
import net from 'node:net'
import os from 'node:os'
import tls from 'node:tls'
import { type TlsOptions, tlsOf } from './http'
import { FieldFinder, fieldsOf, isAt, severityOf, timeOfFields } from './records'
import { type Batch, type ShipRecord, type Sink, SinkError, textOf } from './sink'

export interface SyslogOptions {
  host?: string
  port?: number
  /** Default 'tcp'. */
  protocol?: 'tcp' | 'tls' | 'udp'
  /** 0 to 23. Default 16, local0. */
  facility?: number
  /** Default: the record's `name`, or 'shardlog'. */
  appName?: string
  /** What the message is: the record's JSON, or its text alone. Default 'json'. */
  message?: 'json' | 'text'
  tls?: TlsOptions
}

const LOCAL0 = 16
const FACILITIES = 8
const PORTS = { tcp: 601, tls: 6514, udp: 514 } as const
const NONE = '-'
/** Most bytes of a UDP datagram over IPv4. */
const DATAGRAM_BYTES = 65_507

/** A header's field: printable ASCII without spaces, so long at the most. */
function field(value: unknown, most: number): string {
  const text = typeof value === 'string' || typeof value === 'number' ? String(value) : ''
  return text.replace(/[^!-~]/g, '').slice(0, most) || NONE
}

/** A record as RFC 5424 has it, its id in the structured data. */
export function syslogMessage(
  record: ShipRecord,
  id: { stream: string; sequence: number; time: number },
  options: SyslogOptions
): Buffer {
  const fields = fieldsOf(record) ?? {}
  const severity = severityOf(fields.level).syslog
  const priority = (options.facility ?? LOCAL0) * FACILITIES + severity
  const time = new Date(timeOfFields(fields.time) ?? id.time).toISOString()
  const host = field(fields.hostname ?? os.hostname(), 255)
  const app = field(options.appName ?? fields.name ?? 'shardlog', 48)
  const message = options.message === 'text' && typeof fields.msg === 'string' ? fields.msg : textOf(record)
  const data = `[shardlog@32473 stream="${id.stream}" sequence="${id.sequence}"]`
  return Buffer.from(`<${priority}>1 ${time} ${host} ${app} ${field(fields.pid, 128)} ${NONE} ${data} ${message}`)
}

/** Of a frame, usually, beside the record. */
const FRAME_BYTES = 192
/** Of a frame's count and the space behind it, at the most. */
const COUNT_BYTES = 12
const QUOTE = 0x22
const BACKSLASH = 0x5c
const ZERO = 0x30
const NINE = 0x39
/** So many digits are an integer that is exact. */
const DIGITS = 15
const MS_PER_S = 1000
/** Up to the year 9999. */
const MAX_PLAIN_MS = 253_402_300_799_999

/** What a value at some place is made to: most records have the one of the record before. */
class Recent {
  private bytes: Buffer = Buffer.alloc(0)
  private made = ''

  constructor(private readonly make: (text: string) => string) {}

  of(data: Buffer, start: number, end: number): string {
    if (isAt(data, start, end, this.bytes)) return this.made
    this.bytes = Buffer.from(data.subarray(start, end))
    this.made = this.make(this.bytes.toString())
    return this.made
  }
}

const unquoted = (text: string): string => (text.startsWith('"') ? text.slice(1, -1) : text)

/** Messages with octet counts, of a batch at a time; what is as usual is not parsed for them. */
export class SyslogFrames {
  private readonly fields = new FieldFinder(['level', 'time', 'pid', 'hostname', 'name'])
  private readonly priority: Recent
  private readonly pid = new Recent(text => field(unquoted(text), 128))
  private readonly host = new Recent(text => field(unquoted(text), 255))
  private readonly app: Recent
  private second = Number.NaN
  private secondText = ''
  private target = Buffer.alloc(0)

  constructor(private readonly options: SyslogOptions) {
    const base = (options.facility ?? LOCAL0) * FACILITIES
    this.priority = new Recent(text => `<${base + severityOf(Number(text)).syslog}>1 `)
    this.app = new Recent(text => field(options.appName ?? unquoted(text), 48))
  }

  of({ stream, first, time, records, bytes }: Batch): Buffer {
    this.target = Buffer.allocUnsafe(bytes + records.length * FRAME_BYTES)
    let at = 0
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!
      const { data, start, end } = record
      const head = this.head(record, stream, first + i)
      if (head !== null) {
        this.room(at, head.length + COUNT_BYTES + end - start)
        at += this.target.write(`${head.length + end - start} ${head}`, at, 'latin1')
        at += data.copy(this.target, at, start, end)
        continue
      }
      const message = syslogMessage(record, { stream, sequence: first + i, time }, this.options)
      this.room(at, message.length + COUNT_BYTES)
      at += this.target.write(`${message.length} `, at, 'latin1')
      at += message.copy(this.target, at)
    }
    return this.target.subarray(0, at)
  }

  private room(at: number, bytes: number): void {
    if (at + bytes <= this.target.length) return
    const larger = Buffer.allocUnsafe(2 * (at + bytes))
    this.target.copy(larger, 0, 0, at)
    this.target = larger
  }

  /** What stands before the record in its message; null: it has to be parsed for that. */
  private head(record: ShipRecord, stream: string, sequence: number): string | null {
    const { fields, options } = this
    if (options.message === 'text' || !fields.find(record)) return null
    const { data } = record
    const { starts, ends } = fields
    for (let i = 0; i < starts.length; i++) if (!isPlain(data, starts[i]!, ends[i]!)) return null
    const [level, ms, pid, host, app] = starts as [number, number, number, number, number]
    if (data[level] === QUOTE || data[ms] === QUOTE) return null
    const time = this.time(Number(data.toString('latin1', ms, ends[1])))
    if (time === null) return null
    const priority = this.priority.of(data, level, ends[0]!)
    const place = `${this.host.of(data, host, ends[3]!)} ${this.app.of(data, app, ends[4]!)}`
    return `${priority}${time} ${place} ${this.pid.of(data, pid, ends[2]!)} ${NONE} [shardlog@32473 stream="${stream}" sequence="${sequence}"] `
  }

  /** As ISO 8601; null for what has another form. */
  private time(ms: number): string | null {
    if (ms > MAX_PLAIN_MS) return null
    const second = Math.floor(ms / MS_PER_S)
    if (second !== this.second) {
      this.second = second
      this.secondText = new Date(second * MS_PER_S).toISOString().slice(0, -'000Z'.length)
    }
    return `${this.secondText}${String(ms % MS_PER_S).padStart(3, '0')}Z`
  }
}

/** Whether a value is there and is an exact integer, or a string without escapes. */
function isPlain(data: Buffer, start: number, end: number): boolean {
  if (start < 0) return false
  if (data[start] === QUOTE) {
    for (let i = start; i < end; i++) if (data[i] === BACKSLASH) return false
    return true
  }
  if (end - start > DIGITS || (data[start] === ZERO && end - start > 1)) return false
  for (let i = start; i < end; i++) if (data[i]! < ZERO || data[i]! > NINE) return false
  return true
}

/**
 * Over TCP and TLS each batch has a connection of its own, which the other side closes when it has
 * read all of it: syslog has no other answer. Over UDP nothing answers.
 */
export class SyslogSink implements Sink {
  readonly target: string
  private readonly protocol: 'tcp' | 'tls' | 'udp'
  private readonly host: string
  private readonly port: number
  private readonly tls: Record<string, unknown>
  private socket: dgram.Socket | null = null
  private readonly frames: SyslogFrames

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
  constructor(private readonly options: SyslogOptions) {
    this.protocol = options.protocol ?? 'tcp'
    this.host = options.host ?? '127.0.0.1'
    this.port = options.port ?? PORTS[this.protocol]
    this.tls = tlsOf(options.tls)
    this.frames = new SyslogFrames(options)
    this.target = `syslog+${this.protocol}://${this.host}:${this.port}`
  }

  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    if (this.protocol !== 'udp') return this.sendFrames(this.frames.of(batch), signal)
    const { stream, first, time } = batch
    const messages = batch.records.map((record, index) =>
      syslogMessage(record, { stream, sequence: first + index, time }, this.options)
    )
    await this.sendDatagrams(messages)
  }

  private sendFrames(frames: Buffer, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const { host, port } = this
      // The other side's end is waited for; ours is sent first.
      const place = { host, port, allowHalfOpen: true }
      const named = net.isIP(host) === 0 ? { servername: host } : {}
      const socket = this.protocol === 'tls' ? tls.connect({ ...named, ...this.tls, ...place }) : net.connect(place)
      let ended = false
      const settle = (error?: Error): void => {
        signal.removeEventListener('abort', late)
        socket.destroy()
        if (error) reject(new SinkError(`${this.target}: ${error.message}`, { cause: error }))
        else resolve()
      }
      const late = (): void => settle(new Error('no answer in time'))
      signal.addEventListener('abort', late, { once: true })
      socket.on('error', settle)
      socket.on('close', () => settle(ended ? undefined : new Error('the connection was closed before all was read')))
      socket.on('end', () => {
        ended = socket.writableFinished
        settle(ended ? undefined : new Error('the connection was closed before all was sent'))
      })
      socket.on(this.protocol === 'tls' ? 'secureConnect' : 'connect', () => socket.end(frames))
      socket.resume()
    })
  }

  private async sendDatagrams(messages: readonly Buffer[]): Promise<void> {
    const socket = this.opened()
    for (const message of messages) {
      if (message.length > DATAGRAM_BYTES)
        throw new SinkError(`${this.target}: ${message.length} bytes are too many for a datagram`, { refused: true })
      await new Promise<void>((resolve, reject) => {
        socket.send(message, this.port, this.host, error =>
          error ? reject(new SinkError(`${this.target}: ${error.message}`, { cause: error })) : resolve()
        )
      })
    }
  }

  private opened(): dgram.Socket {
    if (this.socket) return this.socket
    this.socket = dgram.createSocket(net.isIPv6(this.host) ? 'udp6' : 'udp4')
    // Errors are told to the calls.
    this.socket.on('error', () => this.close())
    this.socket.unref()
    return this.socket
  }

  async close(): Promise<void> {
    this.socket?.close()
    this.socket = null
  }
}
