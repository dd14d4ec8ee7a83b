'use strict'

// Frameworks, libraries and wrappers that log by way of a logger that they are given, or make.

module.exports = [
  {
    packages: ['loglayer@9.4.0', '@loglayer/transport-pino@3.3.0'],
    what: 'as its logger',
    text: `
const { LogLayer } = require('loglayer')
const { PinoTransport } = require('@loglayer/transport-pino')
const layer = new LogLayer({ transport: new PinoTransport({ logger: pino() }) })
layer.withMetadata({ item: 1 }).info('text')
layer.withError(new Error('failed')).error('with an error')`
  },
  {
    packages: ['moleculer@0.15.2'],
    what: 'its logger of the type Pino',
    ci: false,
    text: `
const { ServiceBroker } = require('moleculer')
const broker = new ServiceBroker({ nodeID: 'one', logger: { type: 'Pino', options: { pino: { options: null } } } })
broker.logger.info('text', { item: 1 })
broker.stop()`
  },
  {
    packages: ['@apollo/server@4.13.0', 'graphql@16.15.0'],
    what: 'its logger, by a plugin and an error at the start',
    ci: false,
    text: `
async function main() {
  const { ApolloServer } = require('@apollo/server')
  const plugin = { requestDidStart: async ({ logger }) => ({ didEncounterErrors: async ({ errors }) => logger.error(errors[0], 'failed') }) }
  const typeDefs = 'type Query { page: String }'
  const resolvers = { Query: { page: () => { throw new Error('no page') } } }
  const server = new ApolloServer({ typeDefs, resolvers, logger: pino({ level: 'debug' }), plugins: [plugin], includeStacktraceInErrorResponses: false })
  await server.start()
  await server.executeOperation({ query: '{ page }' })
  await server.stop()
}
main()`
  },
  {
    packages: ['probot@14.3.2'],
    what: 'its logger, in an event’s handler',
    ci: false,
    text: `
async function main() {
  const { Probot } = await import('probot')
  const probot = new Probot({ githubToken: 'one', secret: 'two', log: pino({ level: 'info' }) })
  await probot.load(app => {
    app.on('push', async context => {
      context.log.info({ item: 1 }, 'pushed')
      throw new Error('failed')
    })
  })
  await probot.receive({ id: 'one', name: 'push', payload: { repository: { name: 'r', owner: { login: 'o' } } } }).catch(() => {})
  setTimeout(() => process.exit(), 200)
}
main()`
  },
  {
    packages: ['openai@6.49.0'],
    what: 'its `logger`, a request to a server of one’s own',
    ci: false,
    text: `
const OpenAI = require('openai')
const server = require('node:http').createServer((request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end('{"data":[]}')
})
server.listen(0, '127.0.0.1', async () => {
  const baseURL = 'http://127.0.0.1:' + server.address().port
  const log = pino({ level: 'debug' }, { write: line => { const { level, msg } = JSON.parse(line); console.log(level, msg.replace(/log_\\w+/g, '')) } })
  await new OpenAI({ apiKey: 'one', baseURL, logger: log, logLevel: 'debug' }).models.list()
  process.exit()
})`
  },
  {
    packages: ['@adonisjs/logger@6.0.7'],
    what: 'its loggers, with redaction and children',
    ci: false,
    text: `
async function main() {
  const { LoggerManager } = await import('@adonisjs/logger')
  const manager = new LoggerManager({ default: 'app', loggers: { app: { enabled: true, name: 'app', level: 'info', redact: { paths: ['password'] } } } })
  const log = manager.use()
  log.info({ password: 'one' }, 'hello %s', 'you')
  log.ifLevelEnabled('info', () => log.child({ module: 'db' }).warn('from a child'))
  log.error({ err: new Error('failed') }, 'with an error')
}
main()`
  },
  {
    packages: ['next-logger@5.0.2'],
    what: 'the console by way of its logger',
    text: `
require('next-logger/lib/patches/console')
console.log('text %s', 'more')
console.warn('with fields', { item: 1 })
console.error(new Error('failed'))
console.error('with', 'an', new Error('error'))`
  },
  {
    packages: ['typeorm-pino-logger@0.2.0'],
    what: 'queries, slow and failed ones',
    text: `
async function main() {
  const { TypeOrmPinoLogger } = await import('typeorm-pino-logger')
  const log = new TypeOrmPinoLogger(pino({ level: 'debug' }))
  log.logQuery('SELECT 1', [1, 'two'])
  log.logQuerySlow(2_000, 'SELECT 2')
  log.logQueryError(new Error('failed'), 'SELECT 3', [])
}
main()`
  }
]
