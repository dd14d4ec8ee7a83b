/**
 * Produces batches to the partitions of a topic, one request to each broker at a time. A batch that
 * is sent again has the numbers that it had, so that the broker knows it again.
 */

import type { IdBytes } from './id-bytes'
import { PartitionBatch, type ProduceAnswer, type ProducerId, produceAnswer, produceRequest } from './kafka-batch'
import type { Broker, Cluster, KafkaModule, ProtocolRequest } from './kafka-client'
import { isAt } from './records'
import { pause } from './shipper'
import type { ShipRecord } from './sink'

const PRODUCE = 0
const OLDEST_PRODUCE = 3
/** Versions from 8 on tell more of errors. */
const NEWEST_PRODUCE = 7
/** Only transactions have one that matters. */
const TRANSACTION_MS = 60_000
const SEQUENCES = 2 ** 31
const NOBODY: ProducerId = { id: -1n, epoch: -1 }
/** Keys are remembered for so many: who makes up keys does not fill the memory. */
const KNOWN_KEYS = 10_000

const DUPLICATE = 46
/** What a broker may answer: its name, and whether the same batch may be taken later. */
const ERRORS: Readonly<Record<number, readonly [name: string, passes: boolean]>> = {
  2: ['CORRUPT_MESSAGE', true],
  3: ['UNKNOWN_TOPIC_OR_PARTITION', true],
  5: ['LEADER_NOT_AVAILABLE', true],
  6: ['NOT_LEADER_FOR_PARTITION', true],
  7: ['REQUEST_TIMED_OUT', true],
  10: ['MESSAGE_TOO_LARGE', false],
  13: ['NETWORK_EXCEPTION', true],
  17: ['INVALID_TOPIC_EXCEPTION', false],
  18: ['RECORD_LIST_TOO_LARGE', false],
  19: ['NOT_ENOUGH_REPLICAS', true],
  20: ['NOT_ENOUGH_REPLICAS_AFTER_APPEND', true],
  21: ['INVALID_REQUIRED_ACKS', false],
  29: ['TOPIC_AUTHORIZATION_FAILED', false],
  31: ['CLUSTER_AUTHORIZATION_FAILED', false],
  32: ['INVALID_TIMESTAMP', false],
  35: ['UNSUPPORTED_VERSION', false],
  43: ['UNSUPPORTED_FOR_MESSAGE_FORMAT', false],
  44: ['POLICY_VIOLATION', false],
  45: ['OUT_OF_ORDER_SEQUENCE_NUMBER', false],
  47: ['INVALID_PRODUCER_EPOCH', false],
  56: ['KAFKA_STORAGE_ERROR', true],
  59: ['UNKNOWN_PRODUCER_ID', false],
  74: ['FENCED_LEADER_EPOCH', true],
  76: ['UNSUPPORTED_COMPRESSION_TYPE', false],
  87: ['INVALID_RECORD', false]
}

/** What a broker answered; `type` is the protocol's name of it. */
export class ProduceError extends Error {
  readonly type: string
  readonly retriable: boolean

  constructor(code: number, topic: string, partition: number) {
    const [type, passes] = ERRORS[code] ?? [`error ${code}`, false]
    super(`${type} (partition ${partition} of ${topic})`)
    this.type = type
    this.retriable = passes
  }
}

export interface ProducerOptions {
  topic: string
  acks: number
  /** Of the broker, in ms. */
  timeout: number
  /** Most bytes of a batch, before it is packed. */
  batchBytes: number
  idempotent: boolean
  retry: { retries: number; initialRetryTime: number; maxRetryTime: number }
  codec: number
  /** Null: as they are. */
  compress: ((bytes: Buffer) => Promise<Buffer>) | null
}

/** A partition's batch on its way. */
interface Outgoing {
  partition: number
  count: number
  batch: Buffer
}

/** Where the records of a key go. */
interface Route {
  key: Buffer
  to: PartitionBatch
}

/** A producer fails once: what it has numbered then may have arrived, or not. */
export class KafkaProducer {
  private producer = NOBODY
  /** Of each partition, of its next record. */
  private readonly sequences = new Map<number, number>()
  private readonly batches = new Map<number, PartitionBatch>()
  private readonly routes = new Map<string, Route>()
  private last: Route | null = null
  private partitions = 0
  private readonly ended = new AbortController()
  private readonly partitionOf: ReturnType<KafkaModule['Partitioners']['DefaultPartitioner']>

  constructor(
    private readonly cluster: Cluster,
    module: KafkaModule,
    private readonly options: ProducerOptions
  ) {
    this.partitionOf = module.Partitioners.DefaultPartitioner()
  }

  connect(): Promise<void> {
    return this.cluster.connect()
  }

  async disconnect(): Promise<void> {
    this.ended.abort()
    await this.cluster.disconnect()
  }

  /** To be called before records are added: finds out which partitions there are. */
  async begin(): Promise<void> {
    const { topic } = this.options
    // A topic that the broker has just made has none for a moment.
    await this.repeated(() => this.prepare())
    const { length } = this.cluster.findTopicPartitionMetadata(topic)
    if (length === this.partitions) return
    this.partitions = length
    this.routes.clear()
    this.last = null
  }

  private async prepare(): Promise<void> {
    const { cluster } = this
    const { topic, idempotent } = this.options
    await cluster.addMultipleTargetTopics([topic])
    await cluster.refreshMetadataIfNecessary()
    if (cluster.findTopicPartitionMetadata(topic).length === 0) throw new Error(`topic ${topic} has no partitions`)
    if (!idempotent || this.producer !== NOBODY) return
    const broker = await cluster.findControllerBroker()
    const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: TRANSACTION_MS })
    this.producer = { id: BigInt(producerId), epoch: producerEpoch }
  }

  /** Takes a record with the key `data[start, end)`; false: there is no room, flush first. */
  add(data: Buffer, start: number, end: number, record: ShipRecord, ids: IdBytes): boolean {
    const { last } = this
    const route = last && isAt(data, start, end, last.key) ? last : this.routeOf(data.subarray(start, end))
    this.last = route
    const { key, to } = route
    if (to.count > 0 && to.size + PartitionBatch.bytesOf(key, record, ids) > this.options.batchBytes) return false
    to.add(key, record, ids)
    return true
  }

  private routeOf(bytes: Buffer): Route {
    const name = bytes.toString('latin1')
    const known = this.routes.get(name)
    if (known) return known
    if (this.routes.size >= KNOWN_KEYS) this.routes.clear()
    const { topic } = this.options
    const key = Buffer.from(bytes)
    const partitionMetadata = this.cluster.findTopicPartitionMetadata(topic)
    const partition = this.partitionOf({ topic, partitionMetadata, message: { key } })
    const to = this.batches.get(partition) ?? new PartitionBatch()
    this.batches.set(partition, to)
    const route = { key, to }
    this.routes.set(name, route)
    return route
  }

  /** Sends what was added; resolves when the brokers have taken all of it. */
  async flush(): Promise<void> {
    const { codec, compress } = this.options
    let left: Outgoing[] = []
    for (const [partition, to] of this.batches) {
      if (to.count === 0) continue
      const packed = compress && (await compress(to.records))
      const batch = to.finish(this.producer, this.sequences.get(partition) ?? 0, codec, packed)
      left.push({ partition, count: to.count, batch })
    }
    await this.repeated(async () => {
      const { failed, error } = await this.sendOnce(left)
      left = failed
      if (error) throw error
    })
    for (const to of this.batches.values()) to.clear()
  }

  /** Does it again after failures that may pass, so often at the most. */
  private async repeated(work: () => Promise<void>): Promise<void> {
    const { retries, initialRetryTime, maxRetryTime } = this.options.retry
    const { signal } = this.ended
    let last: Failure | null = null
    for (let tries = 0; ; tries++) {
      try {
        // Who gave up waiting has another producer by now.
        if (signal.aborted) throw new Error('the producer was given up')
        if (last) await this.reconnect(last)
        return await work()
      } catch (thrown) {
        last = thrown as Failure
        if (signal.aborted || tries >= retries || last.retriable === false) throw last
      }
      await pause(Math.min(maxRetryTime, initialRetryTime * 2 ** tries), signal)
    }
  }

  private async reconnect({ name, host, port }: Failure): Promise<void> {
    const { cluster } = this
    if (name === 'KafkaJSConnectionClosedError' && host !== undefined && port !== undefined)
      cluster.removeBroker({ host, port })
    if (!cluster.isConnected()) await cluster.connect()
    await cluster.refreshMetadata()
  }

  /** Sends each partition's batch to its leader; what was not taken, and the first error. */
  private async sendOnce(batches: readonly Outgoing[]): Promise<{ failed: Outgoing[]; error: Failure | null }> {
    const leaders = new Map<number, Outgoing[]>()
    const metadata = this.cluster.findTopicPartitionMetadata(this.options.topic)
    for (const one of batches) {
      const leader = metadata.find(({ partitionId }) => partitionId === one.partition)?.leader ?? -1
      leaders.set(leader, [...(leaders.get(leader) ?? []), one])
    }
    const failed: Outgoing[] = []
    let error: Failure | null = null
    const results = [...leaders].map(async ([nodeId, all]) => {
      try {
        const broker = await this.cluster.findBroker({ nodeId })
        const answer = await this.request(broker, all)
        for (const one of all) {
          const code = answer?.errors.get(one.partition) ?? 0
          if (code === 0 || code === DUPLICATE) this.taken(one)
          else {
            failed.push(one)
            error = worse(error, new ProduceError(code, this.options.topic, one.partition))
          }
        }
      } catch (thrown) {
        failed.push(...all)
        error = worse(error, thrown as Failure)
      }
    })
    await Promise.all(results)
    return { failed, error }
  }

  private taken({ partition, count }: Outgoing): void {
    this.sequences.set(partition, ((this.sequences.get(partition) ?? 0) + count) % SEQUENCES)
  }

  private request(broker: Broker, batches: readonly Outgoing[]): Promise<ProduceAnswer | undefined> {
    const { acks } = this.options
    const version = Math.min(NEWEST_PRODUCE, broker.versions[PRODUCE]?.maxVersion ?? OLDEST_PRODUCE)
    const body = produceRequest(this.options, batches)
    const request: ProtocolRequest<ProduceAnswer> = {
      request: {
        apiKey: PRODUCE,
        apiVersion: version,
        apiName: 'Produce',
        expectResponse: () => acks !== 0,
        encode: async () => ({ buf: body, buffer: body })
      },
      response: { decode: async answer => produceAnswer(answer, version), parse: async answer => answer }
    }
    return broker.connectionPool.send(request)
  }
}

/** An error of the client's, or a broker's answer. */
interface Failure extends Error {
  retriable?: boolean
  host?: string
  port?: number
}

/** Of two errors the one that does not pass. */
const worse = (one: Failure | null, other: Failure): Failure => (one?.retriable === false ? one : other)
