'use strict'

const { asPino, literal } = require('./record-text')

/**
 * Flat strings that differ from call to call, as the addresses of a service's clients do. A power
 * of two.
 */
const ADDRESSES = Array.from({ length: 256 }, (_, i) => Buffer.from(`10.20.${i}.${255 - i}`).toString('latin1'))

const FOUR_FIELDS = 'userId: i, ip: value[i & 255], ok: (i & 1) === 0, ms: (i & 1023) / 8'
const TEN_FIELDS = `${FOUR_FIELDS}, method: 'GET', path: '/api/items/42', status: 200, bytes: i & 65535, cached: false, ref: null`
const LOGIN = { fields: FOUR_FIELDS, message: "'user login'" }
const BINDINGS = { service: 'checkout', version: '1.4.2', region: 'eu-west-1' }

/** Twenty keys, three levels deep. */
const ORDER = {
  id: 81_234,
  state: 'paid',
  total: 129.95,
  currency: 'EUR',
  gift: false,
  note: null,
  customer: { id: 4711, name: 'Ada Lovelace', mail: 'ada@example.org', since: 2019 },
  address: { street: "12 St James's Square", city: 'London', zip: 'SW1Y 4JH', place: { lat: 51.507, lon: -0.134 } },
  paidAt: '2026-11-21T04:00:00.000Z',
  items: ['A-1', 'B-22']
}

const REQUEST = { method: 'GET', url: '/api/items/42', headers: { host: 'example.org', accept: '*/*' }, socket: {} }
const USER = { id: 4711, name: 'Ada Lovelace', password: 'secret', roles: ['admin'] }

/** What a web framework logs of a request. */
const SERVICE = {
  req: { method: 'GET', url: '/api/items/42', host: 'example.org', remoteAddress: '127.0.0.1', remotePort: 51_234 },
  res: { statusCode: 200 },
  serve(logger, i) {
    const child = logger.child({ reqId: `req-${i}` })
    child.info({ req: this.req }, 'incoming request')
    return child.info({ res: this.res, responseTime: (i & 1023) / 8 }, 'request completed')
  }
}

const info = fields => `target.info({ ${fields} }, 'user login')`

/**
 * What the scenarios of structured logging log: `record` is what each peer is called with in its
 * own way, `call` is a call in pino's way, which logs `lines` of them, 1 by default. `value` is
 * what the text of either refers to, `options` are pino's. Objects that are written out are made
 * anew by every call.
 * @typedef {{title: string, value?: unknown, options?: object, bindings?: object, record?: {fields:
 *            string, message: string}, call?: string, lines?: number, compiled?: (logger: object)
 *            => object}} Workload
 * @type {Record<string, Workload>}
 */
const workloads = {
  login: { title: '4 fields', value: ADDRESSES, record: LOGIN },
  child: {
    title: 'child, 3 + 10 fields',
    value: ADDRESSES,
    bindings: BINDINGS,
    record: { fields: TEN_FIELDS, message: "'request completed'" }
  },
  // The record of `login`, by a function made for it.
  event: {
    title: 'compiled event, 4 fields',
    value: ADDRESSES,
    call: 'target.login(i, value[i & 255], (i & 1) === 0, (i & 1023) / 8)',
    compiled: logger => ({ login: logger.event('user login', ['userId', 'ip', 'ok', 'ms']) })
  },
  // Not a literal: making an object is no cost of the logger's, and V8 leaves it out where the
  // empty function is inlined.
  disabled: { title: 'level off', value: USER, call: "target.debug(value, 'user login')" },
  request: {
    title: 'child and two lines of it',
    value: SERVICE,
    call: 'value.serve(target, i)',
    lines: 2
  },
  error: { title: 'error with stack', value: new Error('the connection was reset'), call: 'target.error(value)' },
  nested: { title: 'nested, 20 keys', value: ORDER, call: "target.info({ order: value }, 'order placed')" },
  redact: {
    title: 'redact, 3 paths',
    value: ADDRESSES,
    options: { redact: ['password', 'card.number', 'req.headers.authorization'] },
    call: info(
      `${FOUR_FIELDS}, password: 'secret', card: { number: '4111', expires: '12/29' },
       req: { method: 'POST', headers: { host: 'example.org', authorization: 'Bearer abc' } }`
    )
  },
  mixin: {
    title: 'mixin',
    value: ADDRESSES,
    options: { mixin: () => ({ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', sampled: true }) },
    call: info(FOUR_FIELDS)
  },
  serializers: {
    title: '2 serializers',
    value: { request: REQUEST, user: USER },
    options: {
      serializers: { req: ({ method, url }) => ({ method, url }), user: ({ id, name }) => ({ id, name }) }
    },
    call: info('req: value.request, user: value.user, ms: (i & 1023) / 8')
  }
}

/** The expression (see loops.js) by which a peer is called, in pino's way unless it has another. */
function callText({ call, record, bindings = {} }, records = asPino) {
  if (call) return call
  return records.call({ ...record, bindings: Object.keys(bindings).length > 0 ? `${literal(bindings)},` : '' })
}

/**
 * What is called: a logger with bindings, if the workload has some and the logger knows of such, or
 * what is made of the logger.
 */
function loggerFor({ bindings, compiled }, logger, records = asPino) {
  if (compiled) return compiled(logger)
  return bindings && records.child ? records.child(logger, bindings) : logger
}

/** (i): the fields that call number i of a workload logs. */
function fieldsOf({ record, value }) {
  const fields = new Function('value', 'i', `return { ${record.fields} }`)
  return i => fields(value, i)
}

module.exports = { workloads, callText, loggerFor, fieldsOf }
