import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { run, runProgram } from './run'

// The package in pino's place: the folder node_modules/pino holds what
// `npm install pino@npm:shardlog` puts there.
const root = path.join(__dirname, '..', '..')
const home = path.join(path.dirname(inject('app')), 'in place of pino')
const packages = [
  '@opentelemetry/api@1.9.1',
  '@opentelemetry/api-logs@0.223.1',
  '@opentelemetry/instrumentation@0.223.0',
  '@opentelemetry/instrumentation-pino@0.69.0',
  '@opentelemetry/sdk-logs@0.223.1',
  '@opentelemetry/sdk-trace-node@2.12.0',
  'fastify@5.12.8',
  'pino-abstract-transport@3.0.0',
  'pino-http@11.0.0',
  'pino-pretty@13.2.0',
  'pino-roll@4.0.0'
]

beforeAll(() => {
  fs.mkdirSync(home)
  const manifest = { name: 'app', private: true, dependencies: { pino: `file:${inject('tarball')}` } }
  fs.writeFileSync(path.join(home, 'package.json'), JSON.stringify(manifest))
  const options = ['--silent', '--no-audit', '--no-fund', '--prefer-offline']
  execFileSync('npm', ['install', ...options, ...packages], { cwd: home, stdio: 'inherit' })
})
afterAll(() => fs.rmSync(home, { recursive: true, force: true }))

interface Line {
  msg: string
  level: number
  [key: string]: unknown
}

it('is what npm gives to packages that depend on pino 10', () => {
  const text = `
    const from = name => require('node:module').createRequire(require.resolve(name)).resolve('pino')
    console.log(JSON.stringify(['fastify', 'pino-http'].map(name => from(name) === require.resolve('pino'))))`
  expect(runProgram(home, 'depend.cjs', text)).toEqual([true, true])
})

/**
 * A program that logs in and outside a span, to a stream and to an NDJSON file; prints the span,
 * the lines and what was sent.
 */
const traced = (config: string) => `
const fs = require('node:fs')
const { ROOT_CONTEXT, context, trace } = require('@opentelemetry/api')
const { logs } = require('@opentelemetry/api-logs')
const { registerInstrumentations } = require('@opentelemetry/instrumentation')
const { PinoInstrumentation } = require('@opentelemetry/instrumentation-pino')
const { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } = require('@opentelemetry/sdk-logs')
const { NodeTracerProvider } = require('@opentelemetry/sdk-trace-node')

const exporter = new InMemoryLogRecordExporter()
logs.setGlobalLoggerProvider(new LoggerProvider({ processors: [new SimpleLogRecordProcessor({ exporter })] }))
new NodeTracerProvider().register()
registerInstrumentations({ instrumentations: [new PinoInstrumentation(${config})] })
const pino = require('pino')

const lines = { stream: [], file: [] }
fs.rmSync('traced.ndjson', { force: true })
const destination = pino.destination({ dest: 'traced.ndjson', format: 'ndjson' })
const span = trace.getTracer('test').startActiveSpan('work', span => {
  for (const log of [pino({ write: line => lines.stream.push(JSON.parse(line)) }), pino({}, destination)]) {
    log.info({ item: 1 }, 'inside')
    log.child({ module: 'db' }).warn('of a child')
    context.with(ROOT_CONTEXT, () => log.error('outside'))
  }
  span.end()
  return span.spanContext()
})
destination.flushSync()
lines.file = fs.readFileSync('traced.ndjson', 'utf8').trim().split('\\n').map(JSON.parse)
const sent = exporter.getFinishedLogRecords().map(({ body, severityNumber, severityText, attributes, spanContext }) =>
  ({ body, severityNumber, severityText, attributes, traceId: spanContext?.traceId }))
console.log(JSON.stringify({ span, lines, sent }))
`

interface Traced {
  span: { traceId: string; spanId: string }
  lines: Record<'stream' | 'file', Line[]>
  sent: { body: string; severityNumber: number; severityText: string; attributes: object; traceId?: string }[]
}

it("has trace and span in its lines, and the log hook's fields, under OpenTelemetry's instrumentation of pino", () => {
  const text = traced(`{ logHook: (span, record) => { record.service = 'shop' } }`)
  const { span, lines } = runProgram(home, 'traced.cjs', text) as Traced
  const ids = { trace_id: span.traceId, span_id: span.spanId, trace_flags: '01', service: 'shop' }
  for (const list of [lines.stream, lines.file]) {
    expect(list).toMatchObject([
      { msg: 'inside', item: 1, ...ids },
      { msg: 'of a child', module: 'db', ...ids },
      { msg: 'outside' }
    ])
    expect(list[2]).not.toHaveProperty('trace_id')
  }
})

it("sends its lines through OpenTelemetry's logs API as well", () => {
  const { span, sent } = runProgram(home, 'sent.cjs', traced('{}')) as Traced
  const { traceId } = span
  const each = [
    { body: 'inside', severityNumber: 9, severityText: 'info', attributes: { item: 1 }, traceId },
    { body: 'of a child', severityNumber: 13, severityText: 'warn', attributes: { module: 'db' }, traceId },
    { body: 'outside', severityNumber: 17, severityText: 'error' }
  ]
  expect(sent).toMatchObject([...each, ...each])
})

it('heeds what the instrumentation is told to leave out', () => {
  const uncorrelated = runProgram(home, 'plain.cjs', traced('{ disableLogCorrelation: true }')) as Traced
  for (const line of [...uncorrelated.lines.stream, ...uncorrelated.lines.file])
    expect(line).not.toHaveProperty('trace_id')
  expect(uncorrelated.sent).toHaveLength(6)
  const unsent = runProgram(home, 'unsent.cjs', traced('{ disableLogSending: true }')) as Traced
  expect(unsent.sent).toEqual([])
  expect(unsent.lines.file[0]).toHaveProperty('trace_id', unsent.span.traceId)
})

it('is instrumented when it is imported as an ES module', () => {
  const setup = `import { register } from 'node:module'
register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)`
  fs.writeFileSync(path.join(home, 'hook.mjs'), setup)
  const text = `
import { trace } from '@opentelemetry/api'
import { registerInstrumentations } from '@opentelemetry/instrumentation'
import { PinoInstrumentation } from '@opentelemetry/instrumentation-pino'
import { NodeTracerProvider } from '@opentelemetry/sdk-trace-node'
new NodeTracerProvider().register()
registerInstrumentations({ instrumentations: [new PinoInstrumentation()] })
const { default: byDefault, pino: byName } = await import('pino')
const lines = []
const span = trace.getTracer('test').startActiveSpan('work', span => {
  for (const pino of [byDefault, byName]) pino({ write: line => lines.push(JSON.parse(line).trace_id) }).info('inside')
  return span.spanContext()
})
console.log(JSON.stringify(lines.map(id => id === span.traceId)))`
  fs.writeFileSync(path.join(home, 'traced.mjs'), text)
  expect(JSON.parse(run([process.execPath, '--import', './hook.mjs', 'traced.mjs'], home))).toEqual([true, true])
})

it("serves Fastify's own logger: files, redaction, transports", () => {
  const text = `
const fs = require('node:fs')
const file = 'fastify.log'
const options = {
  file: { file },
  redact: { file, redact: ['req.url'] },
  transport: { transport: { target: 'pino/file', options: { destination: file } } }
}
async function serve(logger) {
  fs.rmSync(file, { force: true })
  const app = require('fastify')({ logger })
  app.get('/', async request => { request.log.info('inside'); return 'fine' })
  await app.inject('/')
  await app.close()
  let lines
  do {
    await require('node:timers/promises').setTimeout(20)
    lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').trim().split('\\n').filter(Boolean) : []
  } while (lines.length < 3)
  return lines.map(JSON.parse).map(({ msg, reqId, req }) => [msg, reqId, req?.url])
}
async function main() {
  const result = {}
  for (const [name, logger] of Object.entries(options)) result[name] = await serve(logger)
  console.log(JSON.stringify(result))
  process.exit()
}
main()`
  const lines = (url: string) => [
    ['incoming request', 'req-1', url],
    ['inside', 'req-1', null],
    ['request completed', 'req-1', null]
  ]
  const expected = { file: lines('/'), redact: lines('[Redacted]'), transport: lines('/') }
  expect(runProgram(home, 'fastify.cjs', text)).toEqual(expected)
})

it('serves pino-http', () => {
  const text = `
const http = require('node:http')
const lines = []
const middleware = require('pino-http')({}, { write: line => lines.push(JSON.parse(line)) })
const server = http.createServer((request, response) => {
  middleware(request, response)
  request.log.info('inside')
  response.on('close', () => setImmediate(() => {
    console.log(JSON.stringify(lines.map(({ msg, req, res }) => [msg, req.url, res?.statusCode])))
    process.exit()
  }))
  response.end('fine')
})
server.listen(0, '127.0.0.1', () => fetch('http://127.0.0.1:' + server.address().port + '/page'))`
  expect(runProgram(home, 'http.cjs', text)).toEqual([
    ['inside', '/page', null],
    ['request completed', '/page', 200]
  ])
})

it("runs pino's transports: pino/file, pino-pretty, pino-roll, one made with pino-abstract-transport", () => {
  const own = `
import fs from 'node:fs'
import build from 'pino-abstract-transport'
export default options => build(async source => {
  for await (const record of source) fs.appendFileSync(options.file, record.msg + '\\n')
})`
  fs.writeFileSync(path.join(home, 'own.mjs'), own)
  const text = `
const fs = require('node:fs')
const pino = require('pino')
const stream = pino.transport({ targets: [
  { target: 'pino/file', options: { destination: 'file.log' } },
  { target: 'pino-pretty', options: { destination: 'pretty.log', colorize: false } },
  { target: 'pino-roll', options: { file: 'roll' } },
  { target: require('node:path').resolve('own.mjs'), options: { file: 'own.log' } }
] })
pino({ base: null, timestamp: false }, stream).info({ item: 1 }, 'moved')
const rolled = () => fs.readdirSync('.').find(name => /^roll\\..*log$/.test(name)) ?? 'none yet'
const read = file => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '')
const poll = setInterval(() => {
  const texts = ['file.log', 'pretty.log', rolled(), 'own.log'].map(read)
  if (texts.includes('')) return
  clearInterval(poll)
  console.log(JSON.stringify(texts))
}, 20)`
  const line = '{"level":30,"item":1,"msg":"moved"}\n'
  expect(runProgram(home, 'transports.cjs', text)).toEqual([line, 'INFO: moved\n    item: 1\n', line, 'moved\n'])
})

it("has pino's types", () => {
  const text = `
import pino, { type Logger, type LoggerOptions } from 'pino'
const options: LoggerOptions = { level: 'info' }
const log: Logger = pino(options)
log.info({ item: 1 }, 'text')
export const level: pino.LevelWithSilent = 'silent'`
  fs.writeFileSync(path.join(home, 'types.mts'), text)
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2022',
    module: 'node16',
    types: ['node'],
    typeRoots: [path.join(root, 'node_modules', '@types')]
  }
  fs.writeFileSync(path.join(home, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.mts'] }))
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  expect(run([process.execPath, tsc, '-p', home], home)).toBe('')
})
