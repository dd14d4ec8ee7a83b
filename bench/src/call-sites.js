'use strict'

/**
 * Call sites as a service has them: each a function of its own with an object literal of its own
 * shape and a message of its own. The same numbers give the same sites in every process, so that
 * each logger is called in the same way.
 */

const { random } = require('../../crash-test/entry')

/** A generator of whole numbers in [0, below); the numbers of one seed are always the same. */
function numbersFrom(seed) {
  const next = random(seed)
  return below => (next() * 2 ** 32) % below
}

const KEYS =
  `userId orderId requestId tenant region zone host port path method status bytes ms attempt retry total count size
  queue topic partition offset key cached ok valid reason code source target version build user email role plan price amount currency
  items page limit cursor shard node cluster job task step state depth ratio score weight lat lon elapsed budget`.split(
    /\s+/
  )

const VERBS = 'created updated removed received sent queued retried cached expired opened closed checked'.split(' ')
const THINGS = 'order user session payment invoice message job file connection token cart report'.split(' ')

/** Flat strings; a logger must not profit from a string that is one object in all calls. */
const flat = text => Buffer.from(text).toString('latin1')
const table = make => Array.from({ length: 64 }, (_, i) => flat(make(i)))
const TEXTS = {
  short: table(i => `item-${i}`),
  address: table(i => `10.20.${i}.${255 - i}`),
  id: table(i => `4bf92f35-77b3-4da6-a3ce-929d0e0e${(0x1000 + i).toString(16)}`),
  url: table(i => `/api/v2/customers/${4711 + i}/orders?page=${i}&sort=created&expand=items,prices`)
}

/** Expressions for values, of the call's number `i` and TEXTS. */
const VALUES = [
  'i',
  '(i & 1023) / 8',
  '(i & 1) === 0',
  'texts.short[i & 63]',
  'texts.address[i & 63]',
  'texts.id[i & 63]',
  'texts.url[i & 63]',
  'null'
]

const FEWEST_FIELDS = 2
const MOST_FIELDS = 7

/** The text of one call: `target.info({ … }, '…')`, of 2 to 7 fields. */
function callText(number) {
  const pick = numbersFrom(number)
  const keys = new Set()
  const fields = FEWEST_FIELDS + pick(MOST_FIELDS - FEWEST_FIELDS + 1)
  while (keys.size < fields) keys.add(KEYS[pick(KEYS.length)])
  const literal = [...keys].map(key => `${key}: ${VALUES[pick(VALUES.length)]}`).join(', ')
  const message = `${THINGS[pick(THINGS.length)]} ${VERBS[pick(VERBS.length)]} by ${number}`
  return `target.info({ ${literal} }, '${message}')`
}

/** `count` functions (target, i), each with code of its own. */
function makeSites(count) {
  const make = text => new Function('texts', `return function site(target, i) { ${text} }`)(TEXTS)
  return Array.from({ length: count }, (_, i) => make(callText(i + 1)))
}

/** In which order sites are called: a power of two of site numbers. */
function makeOrder(sites, length = 4096) {
  const pick = numbersFrom(sites)
  return Uint8Array.from({ length }, () => pick(sites))
}

/**
 * (target, sites, order, from, to): calls the sites whose turn it is. Code of its own for each
 * logger, as in loops.js.
 */
const makeLoop = () =>
  new Function(
    'target',
    'sites',
    'order',
    'from',
    'to',
    'for (let i = from; i < to; i++) sites[order[i & (order.length - 1)]](target, i)'
  )

module.exports = { makeSites, makeOrder, makeLoop }
