'use strict'

const { once } = require('node:events')

/** As long as Fastify's: a connection waits while the services beside it are loaded. */
const KEEP_ALIVE_MS = 72_000
const itemOf = id => ({ item: id, name: 'cup', price: 4.2 })

/**
 * The frameworks that the service is written for: it answers `GET /items/:id`.
 * @type {Record<string, {messages: string[], start: (logger: object | boolean) => Promise<{port:
 *   number, close: () => Promise<void>}>}>} `messages`: of the lines that its logging writes for a
 *   request; `start` takes what the `open` of a logging returns (true: Fastify only), and listens
 *   on 127.0.0.1
 */
const frameworks = {
  fastify: {
    messages: ['incoming request', 'request completed'],
    async start(logger) {
      const app = require('fastify')(typeof logger === 'boolean' ? { logger } : { loggerInstance: logger })
      app.get('/items/:id', async request => itemOf(request.params.id))
      await app.listen({ host: '127.0.0.1', port: 0 })
      return { port: app.server.address().port, close: () => app.close() }
    }
  },
  express: {
    messages: ['request completed'],
    async start(logger) {
      const app = require('express')()
      if (logger) app.use(require('pino-http')({ logger }))
      app.get('/items/:id', (request, response) => response.json(itemOf(request.params.id)))
      const server = app.listen(0, '127.0.0.1')
      await once(server, 'listening')
      server.keepAliveTimeout = KEEP_ALIVE_MS
      return {
        port: server.address().port,
        async close() {
          server.close()
          await once(server, 'close')
        }
      }
    }
  },
  nestjs: {
    messages: ['request completed'],
    async start(logger) {
      require('reflect-metadata')
      const { NestFactory } = require('@nestjs/core')
      const app = await NestFactory.create(nestModule(logger), logger ? { bufferLogs: true } : { logger: false })
      if (logger) app.useLogger(app.get(require('nestjs-pino').Logger))
      await app.listen(0, '127.0.0.1')
      const server = app.getHttpServer()
      server.keepAliveTimeout = KEEP_ALIVE_MS
      return { port: server.address().port, close: () => app.close() }
    }
  }
}

/** The service as a module of Nest; decorators are called, since this is not TypeScript. */
function nestModule(logger) {
  const { Controller, Get, Module, Param } = require('@nestjs/common')
  class Items {
    item(id) {
      return itemOf(id)
    }
  }
  Controller('items')(Items)
  Get(':id')(Items.prototype, 'item', Object.getOwnPropertyDescriptor(Items.prototype, 'item'))
  Param('id')(Items.prototype, 'item', 0)
  class Shop {}
  const imports = logger ? [require('nestjs-pino').LoggerModule.forRoot({ pinoHttp: { logger } })] : []
  Module({ imports, controllers: [Items] })(Shop)
  return Shop
}

module.exports = { frameworks }
