'use strict'

// Options, formatters, serializers and wrappers for a logger, and tools that look into it.

const { calls, suite } = require('./parts')

module.exports = [
  {
    packages: ['pino-multi-stream@6.0.0'],
    what: 'streams by level',
    text: `
const { multistream } = require('pino-multi-stream')
const log = pino({ level: 'info' }, multistream([{ stream: process.stdout }, { level: 'error', stream: process.stdout }]))${calls}`
  },
  {
    packages: ['pino-noir@3.0.0'],
    what: 'serializers that hide',
    text: `
const log = pino({ serializers: require('pino-noir')(['item', 'nested.list'], 'hidden') })${calls}`
  },
  {
    packages: ['pino-caller@4.0.0'],
    what: 'call sites in lines',
    isByName: true,
    text: `
const log = require('pino-caller')(pino(), { relativeTo: process.cwd() })${calls}`
  },
  {
    packages: ['pino-std-serializers@7.1.0'],
    what: 'serializers of requests and errors',
    text: `
const std = require('pino-std-serializers')
const log = pino({ serializers: { err: std.errWithCause, nested: value => Object.keys(value) } })
log.error(new Error('outer', { cause: new Error('inner') }))${calls}`
  },
  {
    packages: ['@elastic/ecs-pino-format@1.5.0'],
    what: 'its options',
    text: `
const { ecsFormat } = require('@elastic/ecs-pino-format')
const log = pino(ecsFormat())${calls}`
  },
  {
    packages: ['pino-lambda@4.4.1'],
    what: 'its destination and formatter',
    text: `
const { pinoLambdaDestination } = require('pino-lambda')
const log = pino({}, pinoLambdaDestination())${calls}`
  },
  {
    packages: ['pino-test@2.0.0'],
    what: 'its sink',
    text: `
const { sink, once } = require('pino-test')
const stream = sink()
const log = pino(stream)
log.info('text')
once(stream, { level: 30, msg: 'text' }).then(() => console.log('as expected'), error => console.log(error.message))`
  },
  {
    packages: ['pino-debug@4.0.2', 'debug@4.4.3'],
    what: '`debug` by way of the logger',
    text: `
require('pino-debug')(pino({ level: 'debug' }), { auto: true, map: { 'app:*': 'debug', '*': 'trace' } })
require('debug')('app:one')('text %d', 1)`
  },
  {
    packages: ['pino-noir@3.0.0'],
    besides: ['clone@2.1.2', 'fast-safe-stringify@1.2.3'],
    what: 'its own tests',
    isSuite: true,
    text: suite('pino-noir', 'test/index.js')
  },
  {
    packages: ['pino-caller@4.0.0'],
    besides: ['through2@4.0.2'],
    what: 'its own tests',
    isSuite: true,
    text: suite('pino-caller', 'tests/test.js')
  },
  {
    packages: ['pino-test@2.0.0'],
    what: 'its own tests',
    isSuite: true,
    text: suite('pino-test', 'test/pino-test.test.js')
  },
  {
    packages: ['@google-cloud/pino-logging-gcp-config@1.3.6'],
    what: 'its options',
    ci: false,
    text: `
const { createGcpLoggingPinoConfig } = require('@google-cloud/pino-logging-gcp-config')
const log = pino(createGcpLoggingPinoConfig({ serviceContext: { service: 'compat', version: '1' } }, { base: null }))${calls}`
  },
  {
    packages: ['pino-cloud-logging@1.0.6'],
    what: 'its options',
    text: `
const { gcpLogOptions } = require('pino-cloud-logging')
const log = pino(gcpLogOptions({}, { serviceName: 'compat', version: '1' }))${calls}`
  },
  {
    packages: ['pino-arborsculpture@1.0.0'],
    what: 'a level that a file sets',
    text: `
const log = pino({ level: 'error' })
require('node:fs').writeFileSync('levels.json', JSON.stringify({ level: 'info' }))
log.info('off')
require('pino-arborsculpture')({ path: 'levels.json', interval: 20, loggers: [log] })
const poll = setInterval(() => {
  if (log.level !== 'info') return
  clearInterval(poll)
  log.info('on')
}, 20)`
  },
  {
    packages: ['cls-hooked@4.2.2'],
    what: 'a mixin that reads a context',
    text: `
const context = require('cls-hooked').createNamespace('compat')
const log = pino({ mixin: () => ({ id: context.get('id') }) })
for (const id of [1, 2]) context.run(() => { context.set('id', id); setTimeout(() => log.info('inside'), id * 20) })
log.info('outside')`
  },
  {
    packages: ['cls-proxify@2.0.0', 'cls-hooked@4.2.2'],
    what: 'a logger that stands for that of the request',
    text: `
const { clsProxify, getClsHookedStorage } = require('cls-proxify')
const base = pino()
const log = clsProxify(base)
const storage = getClsHookedStorage()
const request = id => storage.namespace.run(() => {
  storage.set(base.child({ id }))
  setTimeout(() => { log.info('inside'); log.child({ part: 'a' }).warn({ item: id }, 'a child') }, id * 20)
})
log.info('outside')
request(1)
request(2)
setTimeout(() => log.info('outside again'), 100)`
  }
]
