'use strict'

const hdr = require('hdr-histogram-js')
const { setTimeout: sleep } = require('node:timers/promises')
const { grpc, sampleRequest } = require('./grpc-service')

const CONNECTIONS = 4
const CALL_LIMIT_MS = 10_000
const TURN_MS = 1
const WARMUP_CALLS = 2000

/**
 * Makes calls at a steady rate, at most `threads` of them in flight. A call's time counts from the
 * moment it was due, so that calls held back by a slow service are as slow as their callers would
 * have found them.
 * @returns {Promise<{made: number, answered: number, failed: Record<string, number>, seconds:
 *   number, histogram: object}>}
 */
async function generate(target, method, { data, seconds, rps, threads }) {
  const clients = Array.from({ length: CONNECTIONS }, (_, i) => connect(target, i))
  const histogram = hdr.build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3
  })
  const result = { made: 0, answered: 0, failed: {}, histogram }
  const request = data ?? sampleRequest(method)
  const total = Math.round(rps * seconds)
  await Promise.all(clients.map(ready))
  let start = performance.now()
  let inFlight = 0
  const make = due => {
    inFlight++
    const client = clients[result.made++ % CONNECTIONS]
    const options = { deadline: Date.now() + CALL_LIMIT_MS }
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      options,
      error => {
        inFlight--
        if (error) return countFailure(result.failed, error)
        result.answered++
        histogram.recordValue(Math.max(1, Math.round((performance.now() - due) * 1000)))
      }
    )
  }
  // The first calls compile code on both sides and are no part of the load.
  while (result.made < WARMUP_CALLS) {
    if (inFlight < threads) make(performance.now())
    else await sleep(TURN_MS)
  }
  while (inFlight > 0) await sleep(TURN_MS)
  histogram.reset()
  Object.assign(result, { made: 0, answered: 0, failed: {} })
  start = performance.now()
  while (result.made < total) {
    const due = Math.min(total, ((performance.now() - start) / 1000) * rps)
    while (result.made < due && inFlight < threads) make(start + (result.made / rps) * 1000)
    await sleep(TURN_MS)
  }
  while (inFlight > 0) await sleep(TURN_MS)
  result.seconds = (performance.now() - start) / 1000
  for (const client of clients) client.close()
  return result
}

/** Channels of equal options share a connection; an option of its own gives each one. */
function connect(target, index) {
  return new grpc.Client(target, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1, index })
}

const ready = client =>
  new Promise((resolve, reject) =>
    client.waitForReady(Date.now() + CALL_LIMIT_MS, error => (error ? reject(error) : resolve()))
  )

function countFailure(failed, error) {
  const name = grpc.status[error.code] ?? String(error.code)
  failed[name] = (failed[name] ?? 0) + 1
}

module.exports = { generate }
