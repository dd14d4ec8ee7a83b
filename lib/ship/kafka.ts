/** The sink Kafka, by the package kafkajs, which is loaded when it is first used. */

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import * as zlib from 'node:zlib'
import { fromSystemError, nearestName, ShardlogError } from '../errors'
import { ownFile } from '../own-place'
import { loggerName } from './records'
import { type Batch, idOf, type Sink, SinkError, untilAborted } from './sink'

export interface KafkaOptions {
  /** `host:port`, several with commas between them, or a list. */
  bootstrapServers: string | readonly string[]
  topic: string
  /** Names of librdkafka's: `compression.type`, `acks`, `sasl.mechanism`, … */
  producerConfig?: Readonly<Record<string, unknown>>
}

interface Message {
  key: string
  value: Buffer
  headers: Record<string, string>
}

interface Producer {
  connect(): Promise<void>
  disconnect(): Promise<void>
  send(record: {
    topic: string
    acks: number
    timeout: number
    compression: number
    messages: Message[]
  }): Promise<unknown>
}

interface KafkaModule {
  Kafka: new (config: object) => { producer(config: object): Producer }
  Partitioners: { DefaultPartitioner: unknown; LegacyPartitioner: unknown }
  CompressionTypes: Record<string, number>
  CompressionCodecs: Record<number, unknown>
  logLevel: { NOTHING: number }
}

// Bundlers, which would look for the package when they bundle, do not follow it.
const requireInstalled = createRequire(ownFile)

/** @throws ShardlogError `ERR_SHARDLOG_PACKAGE` */
const loadClient = (): KafkaModule => installed(() => requireInstalled('kafkajs') as KafkaModule)

/**
 * Whether the client is there, without loading it.
 *
 * @throws ShardlogError `ERR_SHARDLOG_PACKAGE` if it is not
 */
export function assertClient(): void {
  installed(() => requireInstalled.resolve('kafkajs'))
}

function installed<Found>(find: () => Found): Found {
  try {
    return find()
  } catch (error) {
    const reason = (error as Error).message.split('\n')[0]
    const message = `shipping to Kafka needs the package kafkajs, which cannot be loaded: ${reason}. To install it: npm install kafkajs`
    throw new ShardlogError('ERR_SHARDLOG_PACKAGE', message, { cause: error })
  }
}

// librdkafka's names.

/** What the client is told. */
interface ClientConfig {
  client: Record<string, unknown>
  ssl: Record<string, unknown> | null
  sasl: { mechanism?: string; username?: string; password?: string }
  producer: Record<string, unknown>
  acks: number
  timeout: number
  compression: string
  batchBytes: number | null
  /** Of the shipper, in ms and records; undefined: as it is told otherwise. */
  batching: { flushInterval?: number; batchSize?: number }
}

type Setter = (config: ClientConfig, value: unknown, name: string) => void

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

function numberOf(value: unknown, name: string): number {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  if (typeof number === 'number' && Number.isFinite(number)) return number
  throw configError(`producer_config ${name} must be a number, got ${String(value)}`)
}

function flagOf(value: unknown, name: string): boolean {
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw configError(`producer_config ${name} must be true or false, got ${String(value)}`)
}

function oneOf(value: unknown, name: string, allowed: readonly string[]): string {
  const text = String(value).toLowerCase()
  if (allowed.includes(text)) return text
  throw configError(`producer_config ${name} must be one of ${allowed.join(', ')}, got ${String(value)}`)
}

function fileOf(value: unknown, name: string): Buffer {
  try {
    return readFileSync(String(value))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_CONFIG', `producer_config ${name}: cannot read ${String(value)}`, error)
  }
}

const setClient =
  (key: string): Setter =>
  ({ client }, value, name) => {
    client[key] = numberOf(value, name)
  }
const setSsl =
  (key: string, read: (value: unknown, name: string) => unknown): Setter =>
  (config, value, name) => {
    config.ssl = { ...config.ssl, [key]: read(value, name) }
  }
const setSasl =
  (key: 'username' | 'password'): Setter =>
  ({ sasl }, value) => {
    sasl[key] = String(value)
  }
const text = (value: unknown): string => String(value)

const compression: Setter = (config, value, name) => {
  config.compression = oneOf(value, name, ['none', 'gzip', 'snappy', 'lz4', 'zstd'])
}
const acks: Setter = (config, value, name) => {
  config.acks = String(value).toLowerCase() === 'all' ? -1 : numberOf(value, name)
  if (![-1, 0, 1].includes(config.acks))
    throw configError(`producer_config ${name} must be all, -1, 0 or 1, got ${String(value)}`)
}
const mechanism: Setter = ({ sasl }, value, name) => {
  sasl.mechanism = oneOf(value, name, ['plain', 'scram-sha-256', 'scram-sha-512'])
}
const requestTimeout: Setter = (config, value, name) => {
  config.timeout = numberOf(value, name)
}
const batchBytes: Setter = (config, value, name) => {
  config.batchBytes = numberOf(value, name)
}
const linger: Setter = ({ batching }, value, name) => {
  batching.flushInterval = numberOf(value, name)
}
const retries: Setter = ({ client }, value, name) => {
  client.retry = { ...(client.retry as object), retries: numberOf(value, name) }
}
const pauses =
  (key: 'initialRetryTime' | 'maxRetryTime'): Setter =>
  ({ client }, value, name) => {
    client.retry = { ...(client.retry as object), [key]: numberOf(value, name) }
  }

const SETTERS: Readonly<Record<string, Setter>> = {
  'client.id': ({ client }, value) => {
    client.clientId = String(value)
  },
  acks,
  'request.required.acks': acks,
  'compression.type': compression,
  'compression.codec': compression,
  'enable.idempotence': ({ producer }, value, name) => {
    producer.idempotent = flagOf(value, name)
  },
  'request.timeout.ms': requestTimeout,
  'socket.timeout.ms': setClient('requestTimeout'),
  'socket.connection.setup.timeout.ms': setClient('connectionTimeout'),
  'metadata.max.age.ms': ({ producer }, value, name) => {
    producer.metadataMaxAge = numberOf(value, name)
  },
  'topic.metadata.refresh.interval.ms': ({ producer }, value, name) => {
    producer.metadataMaxAge = numberOf(value, name)
  },
  'allow.auto.create.topics': ({ producer }, value, name) => {
    producer.allowAutoTopicCreation = flagOf(value, name)
  },
  'message.max.bytes': batchBytes,
  'batch.size': batchBytes,
  'batch.num.messages': ({ batching }, value, name) => {
    batching.batchSize = numberOf(value, name)
  },
  'linger.ms': linger,
  'queue.buffering.max.ms': linger,
  retries,
  'message.send.max.retries': retries,
  'retry.backoff.ms': pauses('initialRetryTime'),
  'retry.backoff.max.ms': pauses('maxRetryTime'),
  partitioner: ({ producer }, value, name) => {
    // The client's own.
    producer.partitioner = oneOf(value, name, ['murmur2', 'murmur2_random'])
  },
  'security.protocol': (config, value, name) => {
    const protocol = oneOf(value, name, ['plaintext', 'ssl', 'sasl_plaintext', 'sasl_ssl'])
    if (protocol.endsWith('ssl')) config.ssl ??= {}
    config.client.protocol = protocol
  },
  'sasl.mechanism': mechanism,
  'sasl.mechanisms': mechanism,
  'sasl.username': setSasl('username'),
  'sasl.password': setSasl('password'),
  'ssl.ca.location': setSsl('ca', fileOf),
  'ssl.ca.pem': setSsl('ca', text),
  'ssl.certificate.location': setSsl('cert', fileOf),
  'ssl.certificate.pem': setSsl('cert', text),
  'ssl.key.location': setSsl('key', fileOf),
  'ssl.key.pem': setSsl('key', text),
  'ssl.key.password': setSsl('passphrase', text),
  'enable.ssl.certificate.verification': setSsl('rejectUnauthorized', flagOf),
  'ssl.endpoint.identification.algorithm': (config, value, name) => {
    if (oneOf(value, name, ['https', 'none']) === 'none')
      config.ssl = { ...config.ssl, checkServerIdentity: () => undefined }
  }
}

/** What the client or the shipper does by itself, and how. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'bootstrap.servers': 'is the option bootstrap_servers',
  'metadata.broker.list': 'is the option bootstrap_servers',
  'message.timeout.ms': 'has no place here: a record is kept until it is delivered (retry.attempts bounds it)',
  'delivery.timeout.ms': 'has no place here: a record is kept until it is delivered (retry.attempts bounds it)',
  'queue.buffering.max.messages': 'has no place here: what waits lies in the local log',
  'queue.buffering.max.kbytes': 'has no place here: what waits lies in the local log',
  'max.in.flight.requests.per.connection': 'is 1: that keeps the order',
  'max.in.flight': 'is 1: that keeps the order',
  'transactional.id': 'is not supported: repeats are told by the id of each record',
  debug: 'is not supported by the client'
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` for what the client has not */
export function clientConfig(given: Readonly<Record<string, unknown>> = {}): ClientConfig {
  const config: ClientConfig = {
    // The shipper's own waits are longer.
    client: { retry: { retries: 2, initialRetryTime: 100, maxRetryTime: 1_000 } },
    ssl: null,
    sasl: {},
    producer: { idempotent: true, allowAutoTopicCreation: true },
    acks: -1,
    timeout: 30_000,
    compression: 'none',
    batchBytes: null,
    batching: {}
  }
  for (const [name, value] of Object.entries(given)) {
    const set = Object.hasOwn(SETTERS, name) ? SETTERS[name] : undefined
    if (set) {
      set(config, value, name)
      continue
    }
    if (Object.hasOwn(ELSEWHERE, name)) throw configError(`producer_config ${name} ${ELSEWHERE[name]}`)
    const near = nearestName(name, Object.keys(SETTERS))
    throw configError(
      `producer_config ${name} is not supported by the client${near ? `; did you mean ${near}?` : ''}: it has ${Object.keys(SETTERS).join(', ')}`
    )
  }
  return checkedTogether(config)
}

function checkedTogether(config: ClientConfig): ClientConfig {
  const { protocol, ...client } = config.client
  const { sasl } = config
  config.client = client
  const wantsSasl = String(protocol ?? '').startsWith('sasl') || sasl.mechanism !== undefined
  if (protocol === 'plaintext' || protocol === 'sasl_plaintext') {
    if (config.ssl) throw configError(`producer_config security.protocol ${protocol} has no use for ssl.*`)
  }
  if (wantsSasl && (sasl.username === undefined || sasl.password === undefined))
    throw configError('producer_config sasl.username and sasl.password are missing')
  if (wantsSasl) sasl.mechanism ??= 'plain'
  else if (sasl.username !== undefined)
    throw configError('producer_config sasl.username needs security.protocol sasl_ssl')
  if (config.producer.idempotent === true && config.acks !== -1) {
    throw configError('producer_config acks must be all with enable.idempotence, which is the default')
  }
  const { retries } = client.retry as { retries: number }
  if (config.producer.idempotent === true && retries < 1)
    throw configError('producer_config retries must be at least 1 with enable.idempotence, which is the default')
  return config
}

// The sink.

/** Of a record in a batch on the wire: key, header, lengths, times. */
const RECORD_OVERHEAD = 90
/** A broker takes about a MiB at once, unless it is told otherwise. */
const BATCH_BYTES = 900_000
/** A broker says by these that it will never take the batch. */
const REFUSED = ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD', 'CORRUPT_MESSAGE']

/** The type of a broker's error, which may be the cause of the client's. */
function brokerError(error: unknown): string | undefined {
  for (let at = error as { type?: string; cause?: unknown } | undefined, depth = 0; at && depth < 5; depth++) {
    if (typeof at.type === 'string') return at.type
    at = at.cause as { type?: string; cause?: unknown } | undefined
  }
  return undefined
}

function useZstd(client: KafkaModule): void {
  const { zstdCompress, zstdDecompress } = zlib as unknown as Record<string, ZstdCall | undefined>
  if (!zstdCompress || !zstdDecompress)
    throw configError('producer_config compression.type zstd needs Node.js 22.15 or later')
  const run = (call: ZstdCall, bytes: Buffer): Promise<Buffer> =>
    new Promise((resolve, reject) => call(bytes, (error, made) => (error ? reject(error) : resolve(made))))
  client.CompressionCodecs[client.CompressionTypes.ZSTD!] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => run(zstdCompress, buffer),
    decompress: (buffer: Buffer) => run(zstdDecompress, buffer)
  })
}

type ZstdCall = (bytes: Buffer, done: (error: Error | null, made: Buffer) => void) => void

/** Batches as records of a topic, with the logger's name as key and the id in the header `id`. */
export class KafkaSink implements Sink {
  readonly target: string
  readonly batchBytes: number
  private readonly config: ClientConfig
  private readonly client: KafkaModule
  private readonly compression: number
  private producer: Producer | null = null

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_PACKAGE` */
  constructor(private readonly options: KafkaOptions) {
    this.config = clientConfig(options.producerConfig)
    this.client = loadClient()
    this.compression = this.compressionType()
    this.batchBytes = this.config.batchBytes ?? BATCH_BYTES
    this.target = `kafka://${this.brokers().join(',')}/${options.topic}`
  }

  private brokers(): string[] {
    const { bootstrapServers: given } = this.options
    const all = (typeof given === 'string' ? given.split(',') : given).map(broker => broker.trim()).filter(Boolean)
    return all.map(broker => (/:\d+$/.test(broker) ? broker : `${broker}:9092`))
  }

  private compressionType(): number {
    const { CompressionTypes, CompressionCodecs } = this.client
    const { compression } = this.config
    const type = CompressionTypes[compression === 'none' ? 'None' : compression.toUpperCase()]!
    if (compression === 'zstd') useZstd(this.client)
    else if ((compression === 'snappy' || compression === 'lz4') && !registered(CompressionCodecs[type]))
      throw configError(
        `producer_config compression.type ${compression} needs a codec in kafkajs's CompressionCodecs (the package kafkajs-${compression}); gzip needs none`
      )
    return type
  }

  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const { topic } = this.options
    const { acks, timeout } = this.config
    const bytes = batch.bytes + batch.records.length * RECORD_OVERHEAD
    if (bytes > this.batchBytes && batch.records.length > 1) {
      // By halves, in order: of what is small the client's own bytes are most.
      const half = batch.records.length >> 1
      const [first, second] = [batch.records.slice(0, half), batch.records.slice(half)]
      const sizeOf = (records: Batch['records']): number =>
        records.reduce((sum, { start, end }) => sum + end - start, 0)
      await this.send({ ...batch, records: first, bytes: sizeOf(first) }, signal)
      await this.send({ ...batch, first: batch.first + half, records: second, bytes: sizeOf(second) }, signal)
      return
    }
    const messages = batch.records.map((record, index) => ({
      // Records without a logger's name stay in order too.
      key: loggerName(record) ?? batch.stream,
      value: record.data.subarray(record.start, record.end),
      headers: { id: idOf(batch, index) }
    }))
    try {
      const producer = await untilAborted(this.connected(), signal, this.target)
      const sent = producer.send({ topic, acks, timeout, compression: this.compression, messages })
      await untilAborted(sent, signal, this.target)
    } catch (error) {
      // A producer that failed may have numbered what never arrived: a new one has numbers of its
      // own.
      await this.giveUp()
      if (error instanceof SinkError) throw error
      const type = brokerError(error)
      throw new SinkError(`${this.target}: ${(error as Error).message}`, {
        cause: error,
        refused: type !== undefined && REFUSED.includes(type)
      })
    }
  }

  private async connected(): Promise<Producer> {
    if (this.producer) return this.producer
    const { client, ssl, sasl, producer } = this.config
    const { Kafka, Partitioners, logLevel } = this.client
    const kafka = new Kafka({
      clientId: 'shardlog',
      brokers: this.brokers(),
      logLevel: logLevel.NOTHING,
      ...client,
      ...(ssl ? { ssl } : {}),
      ...(sasl.mechanism ? { sasl } : {})
    })
    const { partitioner: _, ...rest } = producer
    const createPartitioner = Partitioners.DefaultPartitioner
    const made = kafka.producer({ ...rest, maxInFlightRequests: 1, createPartitioner })
    await made.connect()
    this.producer = made
    return made
  }

  private async giveUp(): Promise<void> {
    const { producer } = this
    this.producer = null
    // One that cannot be told is gone anyway.
    await producer?.disconnect().catch(() => undefined)
  }

  close(): Promise<void> {
    return this.giveUp()
  }
}

/** kafkajs has a codec that only says that there is none. */
function registered(codec: unknown): boolean {
  if (typeof codec !== 'function') return false
  try {
    codec()
    return true
  } catch {
    return false // Its error names the package; so does ours.
  }
}
