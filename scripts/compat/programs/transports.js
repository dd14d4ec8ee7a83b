'use strict'

// Transports, streams that a logger writes to, and commands that its lines are piped into. Services
// that lines are sent to are a server on 127.0.0.1.

const { calls, printing, receiving, piped, suite } = require('./parts')

/** Sends by a transport, with options that have `url` and `port`. */
const transport = (target, options) => `
  const log = pino(pino.transport({ target: '${target}', options: ${options} }))${calls}`

module.exports = [
  {
    packages: ['pino-pretty@13.2.0'],
    what: 'as a stream',
    text: `
const log = pino({ level: 'info' }, require('pino-pretty')({ colorize: false, sync: true, ignore: 'time,pid,hostname' }))${calls}`
  },
  {
    packages: ['pino-pretty@13.2.0'],
    what: 'as a transport, beside `pino/file`',
    text: `
const log = pino(pino.transport({ targets: [
  { target: 'pino-pretty', options: { colorize: false, destination: 'pretty.log', ignore: 'time,pid,hostname' } },
  { target: 'pino/file', options: { destination: 'file.log' } }
] }))${calls}${printing('with an error', 'pretty.log', 'file.log')}`
  },
  {
    packages: ['pino-roll@4.0.0'],
    what: 'as a transport',
    text: `
const log = pino(pino.transport({ target: 'pino-roll', options: { file: 'rolled' } }))${calls}${printing('with an error', 'rolled.1.log')}`
  },
  {
    packages: ['pino-roll@4.0.0'],
    besides: ['mockdate@3.0.5'],
    what: 'its own tests',
    isSuite: true,
    ci: false,
    text: suite('pino-roll', 'test/pino-roll.test.js', 'test/date-format-option.test.js')
  },
  {
    packages: ['pino-abstract-transport@3.0.0'],
    what: 'a transport of one’s own',
    text: `
require('node:fs').writeFileSync('own-transport.cjs', "const build = require('pino-abstract-transport'); const fs = require('node:fs'); module.exports = () => build(async source => { for await (const { level, msg } of source) fs.appendFileSync('own.log', level + ' ' + msg + ' ') })")
const log = pino(pino.transport({ target: require('node:path').resolve('own-transport.cjs') }))
log.info('one')${printing('one', 'own.log')}`
  },
  {
    packages: ['pino-abstract-transport@3.0.0'],
    what: 'its own tests',
    isSuite: true,
    text: suite('pino-abstract-transport', 'test/base.test.js')
  },
  {
    packages: ['pino-socket@8.0.0'],
    what: 'as a transport, to a TCP server',
    text: `
let received = ''
const server = require('node:net').createServer(socket => socket.on('data', chunk => {
  received += chunk
  if (!received.includes('with an error')) return
  console.log(received)
  process.exit()
}))
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address()${transport('pino-socket', "{ address: '127.0.0.1', port, mode: 'tcp' }")}
})`
  },
  {
    packages: ['pino-socket@8.0.0'],
    what: 'its own tests of the transport',
    isSuite: true,
    text: suite('pino-socket', 'test/transport.test.js', 'test/propagate-events-thread-stream.test.js')
  },
  {
    packages: ['pino-loki@3.0.0'],
    what: 'as a transport',
    ci: false,
    text: receiving(
      'with an error',
      transport('pino-loki', "{ host: url, batching: { interval: 1 }, labels: { app: 'compat' } }"),
      'JSON.parse(body).streams.map(({ stream, values }) => JSON.stringify([stream, values.map(value => value[1])]))'
    )
  },
  {
    packages: ['pino-elasticsearch@9.0.0'],
    what: 'as a transport',
    ci: false,
    text: receiving(
      'with an error',
      transport(
        'pino-elasticsearch',
        "{ node: url, index: 'logs', esVersion: 8, flushBytes: 100_000, flushInterval: 300 }"
      ),
      "(path.includes('_bulk') ? String(body).split('\\n').filter(line => line.includes('level') && !received.includes(line)) : [])",
      '{ errors: false, items: [] }'
    )
  },
  {
    packages: ['pino-elasticsearch@9.0.0'],
    besides: ['proxyquire@2.1.3', '@elastic/ecs-pino-format@1.5.0'],
    what: 'its own tests, without a server',
    isSuite: true,
    ci: false,
    text: suite('pino-elasticsearch', 'test/unit.test.js')
  },
  {
    packages: ['pino-opentelemetry-transport@4.0.2'],
    what: 'as a transport, by OTLP over HTTP',
    ci: false,
    text: receiving(
      'with an error',
      transport(
        'pino-opentelemetry-transport',
        "{ loggerName: 'compat', serviceVersion: '1', resourceAttributes: { 'service.name': 'compat' }, logRecordProcessorOptions: [{ recordProcessorType: 'simple', exporterOptions: { protocol: 'http', httpExporterOptions: { url: url + '/v1/logs' } } }] }"
      ),
      'JSON.parse(body).resourceLogs.flatMap(({ scopeLogs }) => scopeLogs.flatMap(({ logRecords }) => logRecords.map(({ severityNumber, body, attributes }) => JSON.stringify({ severityNumber, body, attributes }))))'
    )
  },
  {
    packages: ['@axiomhq/pino@2.0.0'],
    what: 'as a transport',
    ci: false,
    text: receiving(
      'with an error',
      transport('@axiomhq/pino', "{ url, dataset: 'logs', token: 'xaat-one' }"),
      "String(body).trim().replace(/^\\[|\\]$/g, '').split('\\n')"
    )
  },
  {
    packages: ['pino-datadog-transport@3.0.6'],
    what: 'as a stream, with the sending replaced',
    ci: false,
    text: `
const build = require('pino-datadog-transport')
const sent = []
const httpApi = { send: async request => { sent.push(request.getBody()); return { httpStatusCode: 202, headers: {}, body: { text: async () => '{}', binary: async () => Buffer.from('{}') } } } }
async function main() {
  const stream = await (build.default ?? build)({ ddClientConf: { authMethods: { apiKeyAuth: 'one' }, httpApi }, sendImmediate: true, onDebug: () => {}, onError: error => console.log(error.message) })
  const log = pino(stream)${calls}
  setTimeout(() => { for (const body of sent) console.log(typeof body === 'string' ? body : String(require('node:zlib').gunzipSync(body))); process.exit() }, 1_000)
}
main()`
  },
  {
    packages: ['@logtail/pino@0.5.9'],
    besides: ['@msgpack/msgpack@2.8.0'],
    what: 'as a transport',
    ci: false,
    text: receiving(
      'with an error',
      transport('@logtail/pino', "{ sourceToken: 'one', options: { endpoint: url, batchInterval: 300 } }"),
      "require('@msgpack/msgpack').decode(body).map(({ dt, ...event }) => JSON.stringify(event))"
    )
  },
  {
    packages: ['pino-syslog@4.0.0'],
    what: 'as a transport',
    text: `
const log = pino(pino.transport({ target: 'pino-syslog', options: { destination: 1, enablePipelining: false, sync: true, newline: true, appname: 'compat' } }))${calls}`
  },
  {
    packages: ['pino-syslog@4.0.0'],
    what: 'its own tests of the transport',
    isSuite: true,
    ci: false,
    text: suite('pino-syslog', 'test/3164.test.js', 'test/5424.test.js', 'test/transport.test.js')
  },
  {
    packages: ['pino-logfmt@1.1.4'],
    what: 'as a transport',
    text: `
const log = pino(pino.transport({ target: 'pino-logfmt', options: { flattenNestedObjects: true, convertToSnakeCase: true, escapeMultilineStrings: true } }))${calls}`
  },
  {
    packages: ['pino-seq@4.0.0'],
    what: 'as a stream',
    ci: false,
    text: receiving(
      'with an error',
      `
  import('pino-seq').then(({ createStream }) => {
    const log = pino(createStream({ serverUrl: url, maxBatchingTime: 200 }))${calls}
  })`,
      'JSON.parse(body).Events.map(event => JSON.stringify(event))'
    )
  },
  {
    packages: ['pino-sentry-transport@1.6.0', '@sentry/node@10.78.0'],
    what: 'as a transport',
    ci: false,
    text: receiving(
      'with an error',
      transport(
        'pino-sentry-transport',
        "{ sentry: { dsn: 'http://key@127.0.0.1:' + port + '/1' }, withLogRecord: true }"
      ),
      "String(body).split('\\n').filter(line => line.includes('pino-log-record')).map(line => { const { level, message, contexts } = JSON.parse(line); return JSON.stringify({ level, message, record: contexts['pino-log-record'] }) })"
    )
  },
  {
    packages: ['pino-tee@0.4.0'],
    what: 'as a transport',
    ci: false,
    text: `
const log = pino(pino.transport({ target: 'pino-tee', options: { filters: { info: 'info.log', error: 'error.log' } } }))${calls}${printing('with an error', 'info.log', 'error.log')}`
  },
  {
    packages: ['pino-tee@0.4.0'],
    besides: ['sinon@21.1.2', 'tmp@0.2.7'],
    what: 'its own tests, but for those of its command',
    isSuite: true,
    ci: false,
    text: suite('pino-tee', 'test/api.js', 'test/transport.js')
  },
  {
    packages: ['pino-colada@2.2.2'],
    what: 'its command, by a pipe',
    ci: false,
    text: piped('pino-colada')
  },
  {
    packages: ['pino-http-print@4.0.0', 'pino-pretty@13.2.0'],
    what: 'its command, by a pipe',
    ci: false,
    text: piped('pino-http-print', ['-a'])
  },
  {
    packages: ['pino-toke@3.0.0'],
    what: 'its command, by a pipe',
    ci: false,
    text: piped(
      'pino-toke',
      [':method :url :status', '-d', 'stdout', '-a', 'stdout'],
      "log.info({ req: { method: 'GET', url: '/page', headers: {} }, res: { statusCode: 200, headers: {} }, responseTime: 3 }, 'request completed'); log.info('text')"
    )
  },
  {
    packages: ['pino-gelf@2.2.0'],
    what: 'its command, by a pipe',
    ci: false,
    text: piped('pino-gelf', ['log', '-h', '127.0.0.1', '-p', '9', '-v'])
  },
  {
    packages: ['sonic-boom@4.2.1'],
    what: 'as a destination, at once and later',
    text: `
const SonicBoom = require('sonic-boom')
const later = new SonicBoom({ dest: 'later.log', minLength: 4096, sync: false })
const log = pino({}, pino.multistream([{ stream: new SonicBoom({ dest: 'now.log', sync: true }) }, { level: 'warn', stream: later }]))${calls}
later.on('ready', () => later.flush())${printing('with an error', 'now.log', 'later.log')}`
  },
  {
    packages: ['thread-stream@4.2.1'],
    what: 'as a destination',
    text: `
require('node:fs').writeFileSync('worker.cjs', "const fs = require('node:fs'); const { Writable } = require('node:stream'); module.exports = () => new Writable({ write(chunk, encoding, done) { fs.appendFile('thread.log', chunk, done) } })")
const ThreadStream = require('thread-stream')
const log = pino(new ThreadStream({ filename: require('node:path').resolve('worker.cjs'), workerData: {} }))${calls}${printing('with an error', 'thread.log')}`
  },
  {
    packages: ['rotating-file-stream@3.2.10'],
    what: 'as a destination',
    text: `
const log = pino(require('rotating-file-stream').createStream('rotating.log', { size: '10M', path: process.cwd() }))${calls}${printing('with an error', 'rotating.log')}`
  }
]
