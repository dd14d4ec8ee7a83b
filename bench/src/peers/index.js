'use strict'

const fs = require('node:fs')
const path = require('node:path')

/**
 * The peers. Each opens as `{ target, method, settle, breathe?, close }`: `target[method](value)`
 * logs; `settle(last)` waits, between bursts, until what was logged has left the peer's own buffers
 * (or as near to it as its API tells), `last` being the last call's result; `breathe(last)`, where
 * it differs, is the shortest wait that heeds back-pressure; `close()` resolves when the file is
 * complete.
 * @typedef {{target: object, method: string, settle: (last: unknown) => Promise<void>,
 *            breathe?: (last: unknown) => Promise<void>, close: () => Promise<void>}} OpenPeer
 * @typedef {{name: string, package: string, kinds: ('string' | 'bytes')[], note: string,
 *            sustainedEntries: number, records?: Records,
 *            open: (file: string, kind: string, options?: object) => Promise<OpenPeer>}} Peer
 *
 * Peers with `records` make lines of JSON of an object and a message; they are opened for that with
 * the kind 'record', and pino with options. `call` says how they are called, as an expression (see
 * loops.js); `bindings` and `fields` are the inside of an object literal, `message` is a literal.
 * `child` makes a logger with bindings, where the call does not state them itself.
 * @typedef {{bindings: string, fields: string, message: string}} RecordText
 * @typedef {{note: string, call: (text: RecordText) => string, child?: (logger: object, bindings:
 *   object) => object}} Records
 */

/** @type {Peer[]} */
const peers = [
  ...require('./streams').peers,
  ...require('./pino').peers,
  require('./winston').peer,
  require('./bunyan').peer,
  require('./spdlog').peer,
  require('./log4js').peer,
  require('./roarr').peer,
  require('./tslog').peer
]

const MODULES = path.join(__dirname, '..', '..', 'node_modules')

/**
 * The version of a peer's package, or null if it is not installed (an optional one that did not
 * build).
 */
function version(peer) {
  if (peer.package === 'node') return process.version
  // Not by require: not every package exports its package.json.
  const file = path.join(MODULES, peer.package, 'package.json')
  return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')).version : null
}

/** Peers that can run here. */
const available = () => peers.filter(peer => version(peer) !== null)

/** Of the peers wanted, those that log a string or a Buffer. */
const ofEntries = wanted => wanted.filter(({ kinds }) => kinds.length > 0)

/** Of the peers wanted, those that log an object with a message. */
const ofRecords = wanted => wanted.filter(({ records }) => records)

/** pino, in all its modes. */
const pinos = wanted => wanted.filter(peer => peer.package === 'pino')

/**
 * pino's cheapest mode.
 *
 * @param {(name: string) => number} costOf ns a call of a mode; NaN: not measured
 */
function cheapestPino(costOf) {
  const measured = pinos(peers).map(({ name }) => ({ name, ns: costOf(name) }))
  return measured.filter(({ ns }) => Number.isFinite(ns)).sort((a, b) => a.ns - b.ns)[0]
}

function find(name) {
  const peer = peers.find(candidate => candidate.name === name)
  if (!peer) throw new Error(`no peer is called ${name}`)
  return peer
}

module.exports = { peers, available, ofEntries, ofRecords, pinos, cheapestPino, version, find }
