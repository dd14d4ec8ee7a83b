/** The kinds of remote appenders: their options, and the sinks that are made of these. */

import { type AppenderKind, type JsonSchema, registerKind } from '../appenders/kinds'
import { bytesOf } from '../appenders/rolling-file'
import { ShardlogError } from '../errors'
import { openShipping } from './appender'
import { FailoverSink } from './failover'
import { type HttpOptions, HttpSink, type TlsOptions } from './http'
import { defaultLog } from './job'
import { KafkaSink } from './kafka'
import { assertClient } from './kafka-client'
import { clientConfig } from './kafka-config'
import { OtlpSink } from './otlp'
import type { Sink } from './sink'
import { SyslogSink } from './syslog'

type Options = Readonly<Record<string, unknown>>
type Properties = Readonly<Record<string, JsonSchema>>

const seconds = (description: string, standard: number): JsonSchema => ({
  type: 'number',
  minimum: 0,
  maximum: 86_400,
  default: standard,
  description
})
const count = (description: string, standard: number): JsonSchema => ({
  type: 'integer',
  minimum: 0,
  default: standard,
  description
})
const text = (description: string): JsonSchema => ({ type: 'string', minLength: 1, description })
const size = (description: string, standard: string): JsonSchema => ({
  type: ['integer', 'string'],
  default: standard,
  description
})

/** What all remote appenders have: the local log, and how it is shipped. */
export const shippingProperties: Properties = {
  fileName: text(
    'The local log that is shipped: this process writes it, or, for `shardlog ship` alone, any other. Default: shardlog-spool/NAME.log.'
  ),
  shipping: {
    enum: ['worker', 'process'],
    default: 'worker',
    description: 'Who ships: a worker thread of this process, or `shardlog ship` with the same configuration.'
  },
  asyncSend: {
    type: 'boolean',
    default: true,
    description: 'Whether a flush is done when lines are in the local log; else when they are delivered.'
  },
  spoolFileSize: size('Size at which the local log is rolled.', '64MB'),
  spoolSize: size('Size of rolled local logs together, beyond which the oldest are deleted, shipped or not.', '1GB'),
  format: { enum: ['auto', 'ndjson', 'shard'], default: 'auto', description: 'Lines, or blocks; as the file is.' },
  rotated: text(
    'Names of rotated files, with `*` and `?`. Default: what rotation makes of the name: app.log.1, app-2024-01-31.log.gz, …'
  ),
  start: {
    enum: ['oldest', 'beginning', 'end'],
    default: 'oldest',
    description: 'Where to begin without a cursor: with rotated files, with the file, or with what comes next.'
  },
  cursor: text('The file of the cursor. Default: beside the log, .LOG.NAME.cursor.'),
  deadLetters: text('The file of what is refused for good. Default: beside the log, LOG.NAME.dead.'),
  deadLetterSize: size('Size of that file at which shipping waits for somebody to look at it.', '1GB'),
  recoverAfter: seconds(
    'Seconds after which what a dead process left in its arena is written to its log; 0: never.',
    10
  ),
  batchBytes: size('Most bytes of a batch.', '1MB'),
  timeout: seconds('Seconds that one send may take.', 30),
  closeTimeout: seconds('Seconds that closing goes on to ship.', 5),
  commitInterval: seconds('Seconds between writings of the cursor at the least: what a crash repeats.', 0.2),
  retry: {
    type: 'object',
    description: 'What follows a failure: a random part of a wait that doubles each time.',
    default: {},
    properties: {
      base: seconds('The first wait, seconds.', 0.1),
      cap: seconds('The longest wait, seconds.', 5),
      attempts: count('Failures in a row after which a batch is set aside as a dead letter; 0: never.', 0),
      afterCap: seconds('The longest wait that the other side can ask for (Retry-After), seconds.', 300)
    },
    additionalProperties: false
  },
  circuit: {
    type: 'object',
    description: 'After failures in a row the other side is left alone.',
    default: {},
    properties: {
      failures: { ...count('So many failures.', 5), minimum: 1 },
      recovery: seconds('For so many seconds.', 5),
      successes: { ...count('Until so many trials succeeded.', 1), minimum: 1 }
    },
    additionalProperties: false
  }
}

const tlsProperties: JsonSchema = {
  type: 'object',
  description: 'TLS: names of PEM files, and whom to trust.',
  properties: {
    ca: text('Certificates of authorities.'),
    cert: text('Our certificate.'),
    key: text('Its key.'),
    passphrase: text("The key's passphrase."),
    servername: text('The name that the certificate has to be for.'),
    rejectUnauthorized: { type: 'boolean', default: true, description: 'Whether the certificate has to be trusted.' }
  },
  additionalProperties: false
}

const requestProperties: Properties = {
  url: text('Where batches are sent.'),
  headers: {
    type: 'object',
    additionalProperties: { type: 'string' },
    default: {},
    description: 'Headers of each request; variables of the environment in them keep secrets out of the file.'
  },
  compression: { enum: ['gzip', 'none'], default: 'gzip', description: 'How bodies are packed.' },
  tls: tlsProperties
}

/** A kind of sink: what it is made of, and how. */
interface SinkKind {
  type: string
  description: string
  properties: Properties
  required: readonly string[]
  check?: (options: Options) => readonly { option: string; message: string }[]
  make: (options: Options) => Sink
}

/** What `make` finds wrong, of an option. */
function problemOf(option: string, make: () => unknown): { option: string; message: string }[] {
  try {
    make()
    return []
  } catch (error) {
    if (error instanceof ShardlogError) return [{ option, message: error.message }]
    throw error
  }
}

const URL_PROBLEM = 'must be an address that begins with http:// or https://'

function urlProblem({ url }: Options): { option: string; message: string }[] {
  const isRight = typeof url === 'string' && /^https?:\/\/[^/]/.test(url) && URL.canParse(url)
  return isRight ? [] : [{ option: 'url', message: URL_PROBLEM }]
}

const kafka: SinkKind = {
  type: 'Kafka',
  description: "A topic of Kafka; the key of each record is its logger's name.",
  properties: {
    bootstrapServers: {
      type: ['string', 'array'],
      items: { type: 'string' },
      minLength: 1,
      description: 'Brokers to begin with: `host:port`, several with commas between them, or a list.'
    },
    topic: text('The topic.'),
    producerConfig: {
      type: 'object',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
      default: {},
      description: "Options by librdkafka's names: `compression.type`, `acks`, `security.protocol`, `sasl.mechanism`, …"
    }
  },
  required: ['bootstrapServers', 'topic'],
  check: ({ producerConfig }) => problemOf('producerConfig', () => clientConfig(producerConfig as Options)),
  make: options => new KafkaSink(options as unknown as ConstructorParameters<typeof KafkaSink>[0])
}

const httpKind: SinkKind = {
  type: 'Http',
  description: 'A collector that takes requests with batches of JSON.',
  properties: {
    ...requestProperties,
    method: { enum: ['POST', 'PUT'], default: 'POST', description: 'Of the requests.' },
    bodyFormat: { enum: ['ndjson', 'json'], default: 'ndjson', description: 'Lines of JSON, or one array.' },
    idField: {
      type: ['string', 'boolean'],
      default: 'log_id',
      description: "The field that each record's id is written to; false: none."
    }
  },
  required: ['url'],
  check: urlProblem,
  make: ({ bodyFormat, idField, ...options }) =>
    new HttpSink({
      ...options,
      format: bodyFormat,
      idField: idField === true ? 'log_id' : idField
    } as unknown as HttpOptions)
}

const otlp: SinkKind = {
  type: 'Otlp',
  description: 'A collector of OpenTelemetry, by HTTP.',
  properties: {
    ...requestProperties,
    encoding: { enum: ['protobuf', 'json'], default: 'protobuf', description: 'Of the bodies.' },
    resource: {
      type: 'object',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
      default: {},
      description: 'Attributes of the resource: `service.name`, …'
    }
  },
  required: ['url'],
  check: urlProblem,
  make: options => new OtlpSink(options as unknown as ConstructorParameters<typeof OtlpSink>[0])
}

const syslog: SinkKind = {
  type: 'Syslog',
  description: 'A syslog server, by RFC 5424.',
  properties: {
    host: { ...text('The server.'), default: '127.0.0.1' },
    port: {
      type: 'integer',
      minimum: 1,
      maximum: 65_535,
      description: 'Default: 601 for tcp, 6514 for tls, 514 for udp.'
    },
    protocol: { enum: ['tcp', 'tls', 'udp'], default: 'tcp', description: 'With octet counts, but for udp.' },
    facility: { ...count('Of the messages: 16 is local0.', 16), maximum: 23 },
    appName: text("Of the messages. Default: each record's logger."),
    message: { enum: ['json', 'text'], default: 'json', description: 'The whole record, or its text alone.' },
    tls: tlsProperties
  },
  required: [],
  make: options => new SyslogSink(options as unknown as { tls?: TlsOptions })
}

const SINKS = [kafka, httpKind, otlp, syslog]

/** A sink as one of several in another one's options. */
const sinkSchema: JsonSchema = {
  type: 'object',
  required: ['type'],
  discriminator: { propertyName: 'type' },
  oneOf: SINKS.map(({ type, properties, required }) => ({
    type: 'object',
    properties: { type: { const: type }, ...properties },
    required: ['type', ...required],
    additionalProperties: false
  }))
}

const failover: SinkKind = {
  type: 'Failover',
  description: 'The first of several that takes the records: Kafka, Http, Otlp and Syslog.',
  properties: {
    sinks: { type: 'array', minItems: 1, items: sinkSchema, description: 'What would be appenders of their own.' },
    retryInterval: seconds('Seconds after which one that failed is tried again.', 60)
  },
  required: ['sinks'],
  check: ({ sinks }) =>
    (sinks as Options[]).flatMap(({ type, ...options }) =>
      (kindNamed(type).check?.(options) ?? []).map(({ message }) => ({ option: 'sinks', message }))
    ),
  make: ({ sinks, retryInterval }) =>
    new FailoverSink(
      (sinks as Options[]).map(options => makeSink(String(options.type), options)),
      (retryInterval as number) * 1000
    )
}

function kindNamed(type: unknown): SinkKind {
  const found = [...SINKS, failover].find(kind => kind.type === type)
  if (found) return found
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `there is no remote appender of type ${String(type)}`)
}

/**
 * The sink of an appender.
 *
 * @param options in camelCase, with defaults
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_PACKAGE`
 */
export function makeSink(type: string, options: Options): Sink {
  return kindNamed(type).make(options)
}

const SIZES = ['spoolFileSize', 'spoolSize', 'deadLetterSize', 'batchBytes']

function sizeProblems(options: Options): { option: string; message: string }[] {
  return SIZES.filter(option => options[option] !== undefined && !(bytesOf(options[option]) >= 1)).map(option => ({
    option,
    message: 'must be a number of bytes, or one with a unit as 64MB or 1 GiB'
  }))
}

/** The kinds for configurations. */
export const remoteKinds: readonly AppenderKind[] = [...SINKS, failover].map(
  ({ type, description, properties, required, check }) => ({
    type,
    description: `${description} Shipped from a local log, off the main thread: at least once, in order.`,
    defaultFile: defaultLog,
    schema: { properties: { ...properties, ...shippingProperties }, required },
    check: options => [...sizeProblems(options), ...(check?.(options) ?? [])],
    open(context) {
      // What is missing is told by the start, not by a thread later.
      const sinks = (context.options.sinks ?? []) as Options[]
      if (type === kafka.type || sinks.some(sink => sink.type === kafka.type)) assertClient()
      return openShipping(type, context)
    }
  })
)

/** Makes them known, for whoever reads configurations. */
export function registerRemoteKinds(): void {
  for (const kind of remoteKinds) registerKind(kind)
}
