'use strict'

// Programs that use a package of pino's surroundings. Each logs to standard output, or to files that it prints; `pino` is the logger's module. They
// are run with pino, with shardlog required instead, and with shardlog installed under the name pino, and must print the same.

/** Requests one page of the server that `listen` starts, and ends the process when its lines are out. */
const request = start => `
const http = require('node:http')
const get = port => http.get({ host: '127.0.0.1', port, path: '/page?q=1', agent: false, headers: { 'user-agent': 'compat' } }, response => {
  response.resume()
  response.on('end', () => setTimeout(() => process.exit(), 200))
})
${start}`

/** Prints the lines of files when they have `end` and stay as they are. */
const printing = (end, ...files) => `
const fs = require('node:fs')
const texts = () => ${JSON.stringify(files)}.map(name => (fs.existsSync(name) ? fs.readFileSync(name, 'utf8') : ''))
let last = ''
const poll = setInterval(() => {
  const before = last
  last = texts().join('')
  if (last !== before || !texts().every(text => text.includes('${end}'))) return
  clearInterval(poll)
  console.log(last)
  process.exit()
}, 50)`

const calls = `
log.info('text')
log.warn({ item: 1, nested: { list: [1, 'two'] } }, 'fields and %s', 'more')
log.child({ module: 'db' }).error(new Error('failed'), 'with an error')
log.debug('off')`

/** Packages with their versions, what is run, the program; `known`: that it differs. */
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
    packages: ['pino-abstract-transport@3.0.0'],
    what: 'a transport of one’s own',
    text: `
require('node:fs').writeFileSync('own-transport.cjs', "const build = require('pino-abstract-transport'); const fs = require('node:fs'); module.exports = () => build(async source => { for await (const { level, msg } of source) fs.appendFileSync('own.log', level + ' ' + msg + ' ') })")
const log = pino(pino.transport({ target: require('node:path').resolve('own-transport.cjs') }))
log.info('one')${printing('one', 'own.log')}`
  },
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
    known: true,
    what: 'call sites in lines',
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
    packages: ['moleculer@0.15.2'],
    what: 'its logger of the type Pino',
    text: `
const { ServiceBroker } = require('moleculer')
const broker = new ServiceBroker({ nodeID: 'one', logger: { type: 'Pino', options: { pino: { options: null } } } })
broker.logger.info('text', { item: 1 })
broker.stop()`
  }
]
