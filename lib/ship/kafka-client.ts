/**
 * The package kafkajs, which is loaded when it is first used: its connections, TLS, SASL and
 * metadata. Its producer is left out: that makes several objects of each record, which take ten
 * times as long as all the rest.
 */

import { createRequire } from 'node:module'
import { ShardlogError } from '../errors'
import { ownFile } from '../own-place'
import type { ClientConfig } from './kafka-config'

/** A request as the client's connections take it. */
export interface ProtocolRequest<Answer> {
  request: {
    apiKey: number
    apiVersion: number
    apiName: string
    expectResponse: () => boolean
    /** The client only looks at the two properties. */
    encode: () => Promise<{ buf: Buffer; buffer: Buffer }>
  }
  response: { decode: (body: Buffer) => Promise<Answer>; parse: (answer: Answer) => Promise<Answer> }
}

export interface Broker {
  versions: Readonly<Record<number, { minVersion: number; maxVersion: number }>>
  connectionPool: { send<Answer>(request: ProtocolRequest<Answer>): Promise<Answer | undefined> }
  initProducerId(options: { transactionTimeout: number }): Promise<{ producerId: string; producerEpoch: number }>
}

export interface PartitionMetadata {
  partitionId: number
  leader: number
}

/** The client's view of the brokers. */
export interface Cluster {
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  findTopicPartitionMetadata(topic: string): readonly PartitionMetadata[]
  findControllerBroker(): Promise<Broker>
  findBroker(of: { nodeId: number }): Promise<Broker>
  removeBroker(of: { host: string; port: number }): void
}

type Partitioner = (of: {
  topic: string
  partitionMetadata: readonly PartitionMetadata[]
  message: { key: Buffer }
}) => number

export interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>
}

export interface KafkaModule {
  Kafka: new (config: object) => object
  Partitioners: { DefaultPartitioner: () => Partitioner }
  CompressionTypes: Record<string, number>
  CompressionCodecs: Record<number, () => Codec>
  logLevel: { NOTHING: number }
}

// Bundlers, which would look for the package when they bundle, do not follow it.
const requireInstalled = createRequire(ownFile)

/** @throws ShardlogError `ERR_SHARDLOG_PACKAGE` */
export const loadClient = (): KafkaModule => installed(() => requireInstalled('kafkajs') as KafkaModule)

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

/** What the client's own producers get their brokers by. */
const CLUSTER = 'private:Kafka:createCluster'

/**
 * The brokers, not connected yet.
 *
 * @throws ShardlogError `ERR_SHARDLOG_PACKAGE` if the client is of a version that has none
 */
export function clusterOf(module: KafkaModule, brokers: readonly string[], config: ClientConfig): Cluster {
  const { client, ssl, sasl, producer } = config
  const kafka = new module.Kafka({
    clientId: 'shardlog',
    brokers,
    logLevel: module.logLevel.NOTHING,
    ...client,
    ...(ssl ? { ssl } : {}),
    ...(sasl.mechanism ? { sasl } : {})
  }) as Record<symbol, unknown>
  const symbol = Object.getOwnPropertySymbols(kafka).find(({ description }) => description === CLUSTER)
  const create = symbol && (kafka[symbol] as (options: object) => Cluster)
  if (!create) {
    const message = 'shipping to Kafka needs kafkajs 2.2; the installed version has other connections'
    throw new ShardlogError('ERR_SHARDLOG_PACKAGE', message)
  }
  const { metadataMaxAge = 300_000, allowAutoTopicCreation } = producer
  return create({ metadataMaxAge, allowAutoTopicCreation, maxInFlightRequests: 1 })
}
