import fs from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { shippingCampaign } from '../../crash-test/shipping'
import { KafkaSink } from '../../lib/ship/kafka'
import { clientConfig } from '../../lib/ship/kafka-config'
import { Shipper } from '../../lib/ship/shipper'
import { KafkaBroker, missing } from '../../scripts/kafka-broker'
import { optionsFor, shipAll, temporaryFolder, upTo } from './support'

// The client's options.

test("librdkafka's names become the client's options", () => {
  const config = clientConfig({
    'client.id': 'orders',
    'compression.type': 'gzip',
    'compression.level': '4',
    'linger.ms': 50,
    'batch.num.messages': '500',
    'security.protocol': 'SASL_SSL',
    'sasl.mechanisms': 'SCRAM-SHA-512',
    'sasl.username': 'me',
    'sasl.password': 'secret',
    'ssl.ca.pem': 'pem',
    'enable.ssl.certificate.verification': 'false',
    'socket.connection.setup.timeout.ms': 700
  })
  expect(config).toMatchObject({
    client: { clientId: 'orders', connectionTimeout: 700 },
    compression: 'gzip',
    compressionLevel: 4,
    batching: { flushInterval: 50, batchSize: 500 },
    ssl: { ca: 'pem', rejectUnauthorized: false },
    sasl: { mechanism: 'scram-sha-512', username: 'me', password: 'secret' },
    acks: -1,
    producer: { idempotent: true }
  })
})

test.each([
  [{ 'compresion.type': 'gzip' }, 'did you mean compression.type?'],
  [{ 'queue.buffering.max.messages': 1 }, 'what waits lies in the local log'],
  [{ 'bootstrap.servers': 'a' }, 'is the option bootstrap_servers'],
  [{ 'compression.type': 'brotli' }, 'must be one of none, gzip, snappy, lz4, zstd, got brotli'],
  [{ acks: 1 }, 'acks must be all with enable.idempotence'],
  [{ retries: 0 }, 'retries must be at least 1'],
  [{ 'sasl.username': 'me' }, 'sasl.username needs security.protocol sasl_ssl'],
  [{ 'sasl.mechanism': 'PLAIN' }, 'sasl.username and sasl.password are missing'],
  [{ 'linger.ms': 'soon' }, 'must be a number, got soon'],
  [{ 'ssl.ca.location': '/no/such/file' }, 'cannot read /no/such/file']
])('%j is refused', (given, message) => {
  expect(() => clientConfig(given)).toThrow(
    expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG', message: expect.stringContaining(message) as string })
  )
})

test('a missing package is named, with what installs it', async () => {
  vi.resetModules()
  vi.doMock('node:module', () => ({
    createRequire: () => () => {
      throw new Error("Cannot find module 'kafkajs'\nRequire stack")
    }
  }))
  const { KafkaSink: Alone } = await import('../../lib/ship/kafka')
  expect(() => new Alone({ bootstrapServers: 'a', topic: 't' })).toThrow(
    expect.objectContaining({
      code: 'ERR_SHARDLOG_PACKAGE',
      message:
        "shipping to Kafka needs the package kafkajs, which cannot be loaded: Cannot find module 'kafkajs'. To install it: npm install kafkajs"
    })
  )
  vi.doUnmock('node:module')
})

test('a codec that the client has not is named', () => {
  const options = { bootstrapServers: 'a', topic: 't', producerConfig: { 'compression.type': 'snappy' } }
  expect(() => new KafkaSink(options)).toThrow('the package kafkajs-snappy')
})

// A broker.

const lack = missing()
const START_MS = 300_000
let broker: KafkaBroker
let folder: string

beforeAll(async () => {
  if (lack === null) broker = await KafkaBroker.start()
}, START_MS)
afterAll(() => broker?.remove())
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const withBroker = test.runIf(lack === null)
const named = (name: string): string => (lack === null ? name : `${name}: left out, ${lack}`)
const log = (): string => path.join(folder, 'app.log')

const record = (n: number): string => `${JSON.stringify({ level: 30, time: 1, name: n % 3 === 0 ? 'a' : 'b', n })}\n`
const numbersOf = (values: readonly { value: string }[]): number[] =>
  values.map(({ value }) => (JSON.parse(value) as { n: number }).n)

withBroker(
  named('records have the key of their logger, their id, and their order'),
  async () => {
    broker.createTopic('ordered', 3)
    fs.writeFileSync(log(), upTo(4_000).map(record).join(''))
    const options = {
      bootstrapServers: broker.address,
      topic: 'ordered',
      producerConfig: { 'compression.type': 'gzip' }
    }
    await shipAll(optionsFor(folder, { batchSize: 500 }), new KafkaSink(options))
    const got = broker.consume('ordered')
    expect(got).toHaveLength(4_000)
    for (const key of ['a', 'b']) {
      const own = got.filter(one => one.key === key)
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1)
      expect(numbersOf(own)).toEqual(upTo(4_000).filter(n => (n % 3 === 0 ? 'a' : 'b') === key))
      for (const { id, value } of own) expect(Number(id.split('-')[1])).toBe((JSON.parse(value) as { n: number }).n)
    }
  },
  START_MS
)

withBroker(
  named('a record that the broker takes at no size is set aside, and the others arrive'),
  async () => {
    broker.createTopic('large')
    const large = `{"level":30,"n":2,"text":"${'x'.repeat(2_000_000)}"}\n`
    fs.writeFileSync(log(), `${record(0)}${record(1)}${large}${record(3)}`)
    await shipAll(optionsFor(folder), new KafkaSink({ bootstrapServers: broker.address, topic: 'large' }))
    expect(numbersOf(broker.consume('large'))).toEqual([0, 1, 3])
    const letter = JSON.parse(fs.readFileSync(path.join(folder, 'app.dead'), 'utf8')) as { id: string; reason: string }
    expect(letter.id).toMatch(/-2$/)
  },
  START_MS
)

withBroker(
  named('a broker that is killed, restarted and frozen gets every record'),
  async () => {
    broker.createTopic('killed')
    const sink = new KafkaSink({ bootstrapServers: broker.address, topic: 'killed' })
    const shipper = await Shipper.start(optionsFor(folder, { timeout: 3_000 }), sink, () => undefined)
    let next = 0
    const write = (): void => {
      fs.appendFileSync(
        log(),
        upTo(500)
          .map(n => record(next + n))
          .join('')
      )
      next += 500
    }
    const writer = setInterval(write, 50)
    await broker.stop('SIGKILL')
    await broker.resume()
    broker.freeze(true)
    await new Promise(resolve => setTimeout(resolve, 4_000))
    broker.freeze(false)
    clearInterval(writer)
    await shipper.flush()
    await shipper.close()
    const byId = new Map(broker.consume('killed').map(({ id, value }) => [id, value]))
    expect([...byId.keys()].map(id => Number(id.split('-')[1])).sort((a, b) => a - b)).toEqual(upTo(next))
    expect(numbersOf([...byId].map(([, value]) => ({ value }))).sort((a, b) => a - b)).toEqual(upTo(next))
  },
  START_MS
)

withBroker(
  named('applications and brokers that are killed lose no record'),
  async () => {
    const result = await shippingCampaign({ rounds: 6, mode: 'worker', kafka: true, disturbEvery: 3 })
    expect(result).toMatchObject({ application: 6, target: 2, missing: 0, repeatedAfterDedupe: 0, conflicts: 0 })
  },
  START_MS
)
