'use strict'

const autocannon = require('autocannon')
const { randomUUID } = require('node:crypto')

const CONNECTIONS = 50
/** Longer than the demo lets it run; it is stopped. */
const LIMIT_S = 60

/**
 * Sends requests to the service over 50 connections, each with an id of its own. The ids of the
 * answers that arrived whole are put into `served`, with the answer's status.
 * @param {string} url
 * @param {Map<string, number>} served
 */
function startLoad(url, served) {
  const run = randomUUID().slice(0, 8)
  let sent = 0
  const identified = request => ({ ...request, headers: { ...request.headers, 'x-request-id': `${run}-${sent++}` } })
  const onResponse = (status, body) => {
    if (status === 200 || status === 201) served.set(JSON.parse(body).request, status)
  }
  const order = {
    method: 'POST',
    path: '/orders',
    headers: { 'content-type': 'application/json' },
    body: '{"item":"cup","quantity":2}'
  }
  const browse = request => identified({ ...request, path: `/items/${sent % 1000}` })
  const instance = autocannon({
    url,
    connections: CONNECTIONS,
    duration: LIMIT_S,
    requests: [
      { method: 'GET', path: '/items/1', setupRequest: browse, onResponse },
      { method: 'GET', path: '/items/1', setupRequest: browse, onResponse },
      { ...order, setupRequest: identified, onResponse }
    ]
  })
  return {
    stop: async () => {
      instance.stop()
      await instance
    }
  }
}

module.exports = { startLoad }
