import { expect, test } from 'vitest'
import { IdBytes } from '../../lib/ship/id-bytes'
import type { Broker, Cluster, KafkaModule, PartitionMetadata, ProtocolRequest } from '../../lib/ship/kafka-client'
import { KafkaProducer, type ProducerOptions } from '../../lib/ship/kafka-producer'

// What becomes of answers, with brokers that are none.

/** Behind acks, times and the topic `t`. */
const BATCHES_AT = 19
const SEQUENCE_AT = 53
const COUNT_AT = 57

/** What a request holds: partition, first sequence and count of each batch. */
function batchesOf(body: Buffer): [partition: number, sequence: number, count: number][] {
  const found: [number, number, number][] = []
  let at = BATCHES_AT
  const many = body.readInt32BE(at - 4)
  for (let i = 0; i < many; i++) {
    const length = body.readInt32BE(at + 4)
    const batch = body.subarray(at + 8, at + 8 + length)
    found.push([body.readInt32BE(at), batch.readInt32BE(SEQUENCE_AT), batch.readInt32BE(COUNT_AT)])
    at += 8 + length
  }
  return found
}

type Answer = (batches: [number, number, number][]) => Map<number, number> | Error

/** A cluster of two brokers: partition 0 has the first, partition 1 the other. */
class TwoBrokers implements Cluster {
  readonly seen: [number, number, number][][] = []
  refreshed = 0
  removed = 0
  constructor(private readonly answer: Answer) {}
  connect = async (): Promise<void> => undefined
  disconnect = async (): Promise<void> => undefined
  isConnected = (): boolean => true
  addMultipleTargetTopics = async (): Promise<void> => undefined
  refreshMetadataIfNecessary = async (): Promise<void> => undefined
  removeBroker = (): void => void this.removed++
  refreshMetadata = async (): Promise<void> => void this.refreshed++
  findTopicPartitionMetadata = (): PartitionMetadata[] => [
    { partitionId: 0, leader: 1 },
    { partitionId: 1, leader: 2 }
  ]
  findControllerBroker = (): Promise<Broker> => this.findBroker()
  findBroker = async (): Promise<Broker> => ({
    versions: { 0: { minVersion: 3, maxVersion: 11 } },
    initProducerId: async () => ({ producerId: '5', producerEpoch: 0 }),
    connectionPool: { send: request => this.send(request) }
  })
  private async send<Found>({ request }: ProtocolRequest<Found>): Promise<Found> {
    expect(request.apiVersion).toBe(7)
    const batches = batchesOf((await request.encode()).buffer)
    this.seen.push(batches)
    const answer = this.answer(batches)
    if (answer instanceof Error) throw answer
    return { errors: answer, clientSideThrottleTime: 0 } as Found
  }
}

/** Keys `0` and `1` have the partitions of their names. */
const client = {
  Partitioners: {
    DefaultPartitioner:
      () =>
      ({ message }: { message: { key: Buffer } }) =>
        Number(message.key)
  }
} as unknown as KafkaModule

const options: ProducerOptions = {
  topic: 't',
  acks: -1,
  timeout: 1_000,
  batchBytes: 1_000,
  idempotent: true,
  retry: { retries: 2, initialRetryTime: 1, maxRetryTime: 2 },
  codec: 0,
  compress: null
}

const all =
  (code: number): Answer =>
  batches =>
    new Map(batches.map(([partition]) => [partition, code]))

async function produced(cluster: TwoBrokers, keys: string): Promise<KafkaProducer> {
  const producer = new KafkaProducer(cluster, client, options)
  await producer.connect()
  await produce(producer, keys)
  return producer
}

async function produce(producer: KafkaProducer, keys: string): Promise<void> {
  await producer.begin()
  const ids = new IdBytes({ stream: '3fa084a712e0ac35', first: 0 })
  const data = Buffer.from(keys)
  for (let i = 0; i < data.length; i++) {
    const record = { data, start: i, end: i + 1 }
    while (!producer.add(data, i, i + 1, record, ids)) await producer.flush()
    ids.next()
  }
  await producer.flush()
}

test('each partition counts on from what its broker has taken', async () => {
  const cluster = new TwoBrokers(all(0))
  const producer = await produced(cluster, '0010')
  await produce(producer, '11')
  expect(cluster.seen).toEqual([[[0, 0, 3]], [[1, 0, 1]], [[1, 1, 2]]])
})

test('what was not taken is sent again with the numbers that it had, and nothing else', async () => {
  let failures = 1
  const cluster = new TwoBrokers(batches => all(batches[0]![0] === 1 && failures-- > 0 ? 6 : 0)(batches))
  await produced(cluster, '0011')
  expect(cluster.seen).toEqual([[[0, 0, 2]], [[1, 0, 2]], [[1, 0, 2]]])
  expect(cluster.refreshed).toBe(1)
})

test('a batch that the broker has already counts as taken', async () => {
  const cluster = new TwoBrokers(all(46))
  const producer = await produced(cluster, '0')
  await produce(producer, '0')
  expect(cluster.seen).toEqual([[[0, 0, 1]], [[0, 1, 1]]])
})

test('a connection that was closed is made anew', async () => {
  const closed = Object.assign(new Error('closed'), { name: 'KafkaJSConnectionClosedError', host: 'h', port: 1 })
  let failures = 1
  const cluster = new TwoBrokers(batches => (failures-- > 0 ? closed : all(0)(batches)))
  await produced(cluster, '0')
  expect(cluster.removed).toBe(1)
  expect(cluster.seen).toHaveLength(2)
})

test('what may pass is tried so often and no more; what cannot is told at once', async () => {
  const busy = new TwoBrokers(all(7))
  await expect(produced(busy, '0')).rejects.toMatchObject({ type: 'REQUEST_TIMED_OUT' })
  expect(busy.seen).toHaveLength(3)
  const large = new TwoBrokers(all(10))
  await expect(produced(large, '0')).rejects.toMatchObject({ type: 'MESSAGE_TOO_LARGE', retriable: false })
  expect(large.seen).toHaveLength(1)
  const unknown = new TwoBrokers(all(999))
  await expect(produced(unknown, '0')).rejects.toThrow('error 999 (partition 0 of t)')
})

test('of two errors the one that does not pass is told', async () => {
  const cluster = new TwoBrokers(batches => all(batches[0]![0] === 0 ? 29 : 7)(batches))
  await expect(produced(cluster, '01')).rejects.toMatchObject({ type: 'TOPIC_AUTHORIZATION_FAILED' })
})

test('what is more than a batch takes goes in several, in order', async () => {
  const cluster = new TwoBrokers(all(0))
  await produced(cluster, '0'.repeat(50))
  expect(cluster.seen.length).toBeGreaterThan(1)
  let next = 0
  for (const [[, sequence, count]] of cluster.seen as [[number, number, number]][]) {
    expect(sequence).toBe(next)
    next += count
  }
  expect(next).toBe(50)
})

test('a producer that was given up sends no more', async () => {
  const cluster = new TwoBrokers(all(0))
  const producer = await produced(cluster, '0')
  await producer.disconnect()
  await expect(produce(producer, '0')).rejects.toThrow('given up')
})
