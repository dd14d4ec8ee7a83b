/**
 * The sink Syslog: RFC 5424 over TCP with octet counts (RFC 6587), TLS (RFC 5425), or UDP (RFC
 * 5426).
 */

import dgram from 'node:dgram'
import net from 'node:net'
import os from 'node:os'
import tls from 'node:tls'
import { type TlsOptions, tlsOf } from './http'
import { fieldsOf, severityOf, timeOfFields } from './records'
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

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
  constructor(private readonly options: SyslogOptions) {
    this.protocol = options.protocol ?? 'tcp'
    this.host = options.host ?? '127.0.0.1'
    this.port = options.port ?? PORTS[this.protocol]
    this.tls = tlsOf(options.tls)
    this.target = `syslog+${this.protocol}://${this.host}:${this.port}`
  }

  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const { stream, first, time } = batch
    const messages = batch.records.map((record, index) =>
      syslogMessage(record, { stream, sequence: first + index, time }, this.options)
    )
    if (this.protocol === 'udp') return this.sendDatagrams(messages)
    const frames = messages.flatMap(message => [Buffer.from(`${message.length} `), message])
    await this.sendFrames(Buffer.concat(frames), signal)
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
