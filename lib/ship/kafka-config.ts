/** Options of a producer by librdkafka's names, as the client and the sink take them. */

import { readFileSync } from 'node:fs'
import { fromSystemError, nearestName, ShardlogError } from '../errors'

/** What the client is told. */
export interface ClientConfig {
  client: Record<string, unknown>
  ssl: Record<string, unknown> | null
  sasl: { mechanism?: string; username?: string; password?: string }
  producer: Record<string, unknown>
  acks: number
  timeout: number
  compression: string
  /** Null: as the codec has it. */
  compressionLevel: number | null
  batchBytes: number | null
  /** Of the shipper, in ms and records; undefined: as it is told otherwise. */
  batching: { flushInterval?: number; batchSize?: number }
}

type Setter = (config: ClientConfig, value: unknown, name: string) => void

export const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

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
  'compression.level': (config, value, name) => {
    config.compressionLevel = numberOf(value, name)
  },
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
    compressionLevel: null,
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
