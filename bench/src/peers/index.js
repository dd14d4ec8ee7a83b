'use strict'

/**
 * The peers. Each opens as
 * `{ target, method, settle, breathe?, close }`: `target[method](value)` logs; `settle(last)` waits, between bursts, until what was
 * logged has left the peer's own buffers (or as near to it as its API tells), `last` being the last call's result;
 * `breathe(last)`, where it differs, is the shortest wait that heeds back-pressure; `close()` resolves when the file is complete.
 * @typedef {{target: object, method: string, settle: (last: unknown) => Promise<void>,
 *            breathe?: (last: unknown) => Promise<void>, close: () => Promise<void>}} OpenPeer
 * @typedef {{name: string, package: string, kinds: ('string' | 'bytes')[], note: string,
 *            sustainedEntries: number, open: (file: string, kind: string) => Promise<OpenPeer>}} Peer
 */

/** @type {Peer[]} */
const peers = [
  ...require('./streams').peers,
  ...require('./pino').peers,
  require('./winston').peer,
  require('./bunyan').peer,
  require('./spdlog').peer
]

/** The version of a peer's package, or null if it is not installed (an optional one that did not build). */
function version(peer) {
  if (peer.package === 'node') return process.version
  try {
    return require(`${peer.package}/package.json`).version
  } catch (error) {
    if (error.code === 'MODULE_NOT_FOUND') return null
    throw error
  }
}

/** Peers that can run here. */
const available = () => peers.filter(peer => version(peer) !== null)

function find(name) {
  const peer = peers.find(candidate => candidate.name === name)
  if (!peer) throw new Error(`no peer is called ${name}`)
  return peer
}

module.exports = { peers, available, version, find }
