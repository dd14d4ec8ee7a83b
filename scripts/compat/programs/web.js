'use strict'

// Web frameworks, their middleware, and the tests that they bring along.

const { request, suite } = require('./parts')

module.exports = [
  {
    packages: ['pino-http@11.0.0'],
    what: 'a server with the middleware, `customProps`, serializers',
    text: request(`
const middleware = require('pino-http')({ logger: pino(), customProps: () => ({ tenant: 'a' }), serializers: { req: ({ url }) => ({ url }) } })
const server = http.createServer((req, res) => { middleware(req, res); req.log.info('inside'); res.end('fine') })
server.listen(0, '127.0.0.1', () => get(server.address().port))`)
  },
  {
    packages: ['pino-http@11.0.0'],
    besides: ['@matteo.collina/tspl@0.2.0', 'pino-pretty@13.2.0', 'split2@4.2.0'],
    what: 'its own tests',
    isSuite: true,
    text: suite('pino-http', 'test/test.js', 'test/transport-integration.js')
  },
  {
    packages: ['fastify@5.12.8'],
    what: 'requests by `loggerInstance`, a plugin with `logSerializers`, an error',
    text: `
async function main() {
  const app = require('fastify')({ loggerInstance: pino({ level: 'debug' }) })
  app.register(async plugin => {
    plugin.get('/', async request => { request.log.info({ user: { id: 1, password: 'p' } }, 'inside'); return 'fine' })
    plugin.get('/error', async () => { throw new Error('failed') })
  }, { logSerializers: { user: ({ id }) => id } })
  await app.inject('/')
  await app.inject('/error')
  await app.close()
}
main()`
  },
  {
    packages: ['fastify@5.12.8'],
    besides: ['split2@4.2.0'],
    what: 'its own tests of logging, `test/logger`',
    isSuite: true,
    text: suite(
      'fastify',
      'test/logger/instantiation.test.js',
      'test/logger/logging.test.js',
      'test/logger/options.test.js',
      'test/logger/request.test.js',
      'test/logger/response.test.js',
      'test/internals/logger.test.js',
      'test/child-logger-factory.test.js',
      'test/encapsulated-child-logger-factory.test.js'
    )
  },
  {
    packages: ['fastify@5.12.8', '@fastify/request-context@7.0.0'],
    what: 'a logger kept for each request',
    text: `
async function main() {
  const { fastifyRequestContext, requestContext } = require('@fastify/request-context')
  const log = pino()
  const app = require('fastify')()
  app.register(fastifyRequestContext, { defaultStoreValues: request => ({ log: log.child({ path: request.url }) }) })
  app.get('/page', async () => { await null; requestContext.get('log').info('inside'); return 'fine' })
  await app.inject('/page')
  await app.close()
}
main()`
  },
  {
    packages: ['express@5.3.0', 'express-pino-logger@7.0.0'],
    what: 'Express with the middleware',
    text: request(`
const app = require('express')()
app.use(require('express-pino-logger')({ logger: pino() }))
app.get('/page', (req, res) => { req.log.info('inside'); res.send('fine') })
const server = app.listen(0, '127.0.0.1', () => get(server.address().port))`)
  },
  {
    packages: ['koa@3.3.0', 'koa-pino-logger@5.0.0'],
    what: 'Koa with the middleware',
    text: request(`
const app = new (require('koa'))()
app.use(require('koa-pino-logger')({ logger: pino() }))
app.use(context => { context.log.info('inside'); context.body = 'fine' })
const server = app.listen(0, '127.0.0.1', () => get(server.address().port))`)
  },
  {
    packages: ['@hapi/hapi@21.4.10', 'hapi-pino@13.0.0'],
    what: 'hapi with the plugin',
    text: `
async function main() {
  const server = require('@hapi/hapi').server()
  server.route({ method: 'GET', path: '/', handler: request => { request.logger.info('inside'); return 'fine' } })
  await server.register({ plugin: require('hapi-pino'), options: { instance: pino(), logRequestComplete: true } })
  await server.inject('/')
  await server.stop()
}
main()`
  },
  {
    packages: [
      'nestjs-pino@4.6.1',
      '@nestjs/common@11.2.10',
      '@nestjs/core@11.2.10',
      '@nestjs/platform-express@11.2.10',
      'pino-http@11.0.0'
    ],
    besides: ['reflect-metadata@0.2.2', 'rxjs@7.8.2'],
    what: 'a Nest application that logs by it, a controller with its own context',
    ci: false,
    text: request(`
require('reflect-metadata')
const { Controller, Get, Module } = require('@nestjs/common')
const { NestFactory } = require('@nestjs/core')
const { InjectPinoLogger, Logger, LoggerModule } = require('nestjs-pino')
class Pages {
  constructor(log) { this.log = log }
  page() { this.log.assign({ user: 7 }); this.log.info({ item: 1 }, 'inside'); return 'fine' }
}
InjectPinoLogger('Pages')(Pages, undefined, 0)
Controller()(Pages)
Get('page')(Pages.prototype, 'page', Object.getOwnPropertyDescriptor(Pages.prototype, 'page'))
class App {}
Module({ imports: [LoggerModule.forRoot({ pinoHttp: { logger: pino(), redact: ['req.headers'] } })], controllers: [Pages] })(App)
async function main() {
  const app = await NestFactory.create(App, { bufferLogs: true })
  app.useLogger(app.get(Logger))
  await app.listen(0, '127.0.0.1')
  get(app.getHttpServer().address().port)
}
main()`)
  },
  {
    packages: ['hono@4.13.19', 'hono-pino@0.10.3'],
    what: 'Hono with the middleware',
    text: `
const { Hono } = require('hono')
const { pinoLogger } = require('hono-pino')
const app = new Hono()
app.use(pinoLogger({ pino: pino(), http: { reqId: () => 'one' } }))
app.get('/page', context => { context.var.logger.assign({ user: 7 }); context.var.logger.info({ item: 1 }, 'inside'); return context.text('fine') })
app.request('/page')`
  },
  {
    packages: ['restify-pino-logger@3.0.0'],
    what: 'its middleware',
    ci: false,
    text: request(`
const middleware = require('restify-pino-logger')({ logger: pino({ serializers: { req: ({ method, url }) => ({ method, url }), res: ({ statusCode }) => ({ statusCode }) } }) })
const server = http.createServer((req, res) => middleware(req, res, () => { req.log.info('inside'); res.end('fine') }))
server.listen(0, '127.0.0.1', () => get(server.address().port))`)
  }
]
