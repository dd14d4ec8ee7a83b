/** The sink Kafka, over the connections of the package kafkajs. */

import { promisify } from 'node:util'
import * as zlib from 'node:zlib'
import { IdBytes } from './id-bytes'
import { type Codec, clusterOf, type KafkaModule, loadClient } from './kafka-client'
import { type ClientConfig, clientConfig, configError } from './kafka-config'
import { KafkaProducer, type ProducerOptions } from './kafka-producer'
import { NameFinder } from './records'
import { type Batch, type Sink, SinkError, untilAborted } from './sink'

export interface KafkaOptions {
  /** `host:port`, several with commas between them, or a list. */
  bootstrapServers: string | readonly string[]
  topic: string
  /** Names of librdkafka's: `compression.type`, `acks`, `sasl.mechanism`, … */
  producerConfig?: Readonly<Record<string, unknown>>
}

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

type Compress = (bytes: Buffer) => Promise<Buffer>
type ZstdCall = (bytes: Buffer, options: object, done: (error: Error | null, made: Buffer) => void) => void

const gzip = promisify(zlib.gzip) as (bytes: Buffer, options: object) => Promise<Buffer>

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
function zstd(level: number | null): Compress {
  const { zstdCompress, constants } = zlib as unknown as { zstdCompress?: ZstdCall; constants: Record<string, number> }
  if (!zstdCompress) throw configError('producer_config compression.type zstd needs Node.js 22.15 or later')
  const params = level === null ? {} : { [constants.ZSTD_c_compressionLevel!]: level }
  return bytes =>
    new Promise((resolve, reject) =>
      zstdCompress(bytes, { params }, (error, made) => (error ? reject(error) : resolve(made)))
    )
}

/** A codec that others have told the client of; null: it has none. */
function registered(find: (() => Codec) | undefined): Codec | null {
  try {
    return find?.() ?? null
  } catch {
    return null // Its error names the package; so does ours.
  }
}

/**
 * What packs batches; null: nothing does.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
function compressor({ compression, compressionLevel }: ClientConfig, module: KafkaModule): Compress | null {
  if (compression === 'none') return null
  const level = compressionLevel === null ? {} : { level: compressionLevel }
  if (compression === 'gzip') return bytes => gzip(bytes, level)
  if (compression === 'zstd') return zstd(compressionLevel)
  if (compressionLevel !== null)
    throw configError(`producer_config compression.level has no use with compression.type ${compression}`)
  const codec = registered(module.CompressionCodecs[codecOf(compression, module)])
  if (codec) return bytes => codec.compress({ buffer: bytes })
  throw configError(
    `producer_config compression.type ${compression} needs a codec in kafkajs's CompressionCodecs (the package kafkajs-${compression}); gzip needs none`
  )
}

const codecOf = (compression: string, { CompressionTypes }: KafkaModule): number =>
  Object.entries(CompressionTypes).find(([name]) => name.toLowerCase() === compression)![1]

/** Batches as records of a topic, with the logger's name as key and the id in the header `id`. */
export class KafkaSink implements Sink {
  readonly target: string
  readonly batchBytes: number
  private readonly config: ClientConfig
  private readonly client: KafkaModule
  private readonly producing: ProducerOptions
  private readonly names = new NameFinder()
  private producer: KafkaProducer | null = null
  private connecting: Promise<void> | null = null

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_PACKAGE` */
  constructor(private readonly options: KafkaOptions) {
    this.config = clientConfig(options.producerConfig)
    this.client = loadClient()
    this.batchBytes = this.config.batchBytes ?? BATCH_BYTES
    const { acks, timeout, compression, producer, client } = this.config
    this.producing = {
      topic: options.topic,
      acks,
      timeout,
      batchBytes: this.batchBytes,
      idempotent: producer.idempotent === true,
      retry: client.retry as ProducerOptions['retry'],
      codec: codecOf(compression, this.client),
      compress: compressor(this.config, this.client)
    }
    this.target = `kafka://${this.brokers().join(',')}/${options.topic}`
  }

  private brokers(): string[] {
    const { bootstrapServers: given } = this.options
    const all = (typeof given === 'string' ? given.split(',') : given).map(broker => broker.trim()).filter(Boolean)
    return all.map(broker => (/:\d+$/.test(broker) ? broker : `${broker}:9092`))
  }

  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    try {
      await untilAborted(this.produce(batch), signal, this.target)
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

  private async produce(batch: Batch): Promise<void> {
    const producer = await this.connected()
    await producer.begin()
    const { names } = this
    const ids = new IdBytes(batch)
    // Records without a logger's name stay in order too.
    const nameless = Buffer.from(batch.stream)
    for (const record of batch.records) {
      const named = names.find(record)
      const [data, start, end] = named ? [names.data, names.start, names.end] : [nameless, 0, nameless.length]
      while (!producer.add(data, start, end, record, ids)) await producer.flush()
      ids.next()
    }
    await producer.flush()
  }

  private async connected(): Promise<KafkaProducer> {
    const producer = this.producer ?? this.opened()
    await this.connecting
    return producer
  }

  private opened(): KafkaProducer {
    const cluster = clusterOf(this.client, this.brokers(), this.config)
    const producer = new KafkaProducer(cluster, this.client, this.producing)
    this.producer = producer
    this.connecting = producer.connect()
    return producer
  }

  private async giveUp(): Promise<void> {
    const { producer } = this
    this.producer = null
    this.connecting = null
    // One that cannot be told is gone anyway.
    await producer?.disconnect().catch(() => undefined)
  }

  close(): Promise<void> {
    return this.giveUp()
  }
}
