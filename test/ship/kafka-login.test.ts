import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { KafkaSink } from '../../lib/ship/kafka'
import { Shipper, type ShipperOptions } from '../../lib/ship/shipper'
import { KafkaBroker, missing } from '../../scripts/kafka-broker'
import { lines, numbersOf, optionsFor, shipAll, temporaryFolder, upTo } from './support'

// TLS and SASL, with a broker of Kafka whose certificate nobody has signed but itself.

const lack = missing()
const START_MS = 300_000
const [USER, PASSWORD] = ['shop', 'open sesame']
let broker: KafkaBroker
let certificates: string
let cert: string
let folder: string

beforeAll(async () => {
  if (lack !== null) return
  certificates = temporaryFolder()
  const key = path.join(certificates, 'key.pem')
  cert = path.join(certificates, 'cert.pem')
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    ],
    { stdio: 'ignore' }
  )
  const pem = path.join(certificates, 'both.pem')
  fs.writeFileSync(pem, fs.readFileSync(key, 'utf8') + fs.readFileSync(cert, 'utf8'))
  broker = await KafkaBroker.start({ pem, user: USER, password: PASSWORD })
}, START_MS)
afterAll(async () => {
  await broker?.remove()
  if (certificates) fs.rmSync(certificates, { recursive: true, force: true })
})
beforeEach(() => {
  folder = temporaryFolder()
  fs.writeFileSync(log(), lines(0, 300))
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const log = (): string => path.join(folder, 'app.log')
const named = (name: string): string => (lack === null ? name : `${name}: left out, ${lack}`)
const withBroker = test.runIf(lack === null)

type Config = Record<string, unknown>

const sinkWith = (topic: string, producerConfig: Config): KafkaSink => {
  const isLogin = String(producerConfig['security.protocol']).startsWith('sasl')
  const bootstrapServers = isLogin ? broker.saslAddress : broker.tlsAddress
  const patient = { 'socket.connection.setup.timeout.ms': 30_000, ...producerConfig }
  return new KafkaSink({ bootstrapServers, topic, producerConfig: patient })
}

const login = (mechanism: string, more: Config = {}): Config => ({
  'security.protocol': 'sasl_ssl',
  'sasl.mechanism': mechanism,
  'sasl.username': USER,
  'sasl.password': PASSWORD,
  'ssl.ca.location': cert,
  ...more
})

/** What has arrived, each id once: on a slow machine a request may be late, and made again. */
function arrived(topic: string): number[] {
  const byId = new Map(broker.consume(topic).map(({ id, value }) => [id, value]))
  return numbersOf([...byId.values()])
}

const patientOptions = (): ShipperOptions => optionsFor(folder, { timeout: 60_000 })

/** What a shipper says that cannot deliver; it ends with everything still to be delivered. */
async function problemsOf(topic: string, config: Config): Promise<string[]> {
  const problems: string[] = []
  const options = optionsFor(folder, { closeTimeout: 1, timeout: 60_000 })
  const shipper = await Shipper.start(options, sinkWith(topic, config), error => problems.push(error.message))
  while (problems.length === 0) await new Promise(resolve => setTimeout(resolve, 10))
  expect(await shipper.stats()).toMatchObject({ records: 0, deadLetters: 0 })
  await shipper.close()
  return problems
}

withBroker(
  named('over TLS, to a broker whose certificate is trusted'),
  async () => {
    broker.createTopic('tls')
    await shipAll(patientOptions(), sinkWith('tls', { 'security.protocol': 'ssl', 'ssl.ca.location': cert }))
    expect(arrived('tls')).toEqual(upTo(300))
  },
  START_MS
)

for (const mechanism of ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])
  withBroker(
    named(`${mechanism} over TLS; a wrong password costs time, no record`),
    async () => {
      const topic = mechanism.toLowerCase()
      broker.createTopic(topic)
      const [wrong] = await problemsOf(topic, login(mechanism, { 'sasl.password': 'guess' }))
      expect(wrong).toContain(`kafka://${broker.saslAddress}/${topic}: SASL `)
      expect(wrong).toMatch(/authentication failed/i)
      expect(wrong).not.toContain('guess')
      await shipAll(patientOptions(), sinkWith(topic, login(mechanism)))
      expect(arrived(topic)).toEqual(upTo(300))
    },
    START_MS
  )

withBroker(
  named('a certificate that is not trusted is told, and costs no record'),
  async () => {
    broker.createTopic('untrusted')
    const config = { 'security.protocol': 'ssl' }
    const [untrusted] = await problemsOf('untrusted', config)
    expect(untrusted).toMatch(/self-signed certificate/)
    const trusting = { ...config, 'enable.ssl.certificate.verification': false }
    await shipAll(patientOptions(), sinkWith('untrusted', trusting))
    expect(arrived('untrusted')).toEqual(upTo(300))
  },
  START_MS
)
