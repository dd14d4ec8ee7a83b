'use strict'

/**
 * A currency service: answers quotes by a table of rates, and renews the table now and then. It has
 * a bug, which shows when the source of the rates is slow. Its log has what one logs: little.
 */
const http = require('node:http')
const path = require('node:path')
const shardlog = require('../..')

const REFRESH_MS = 250
const RATES = { USD: 1.08, GBP: 0.85, JPY: 162.4, CHF: 0.96 }
/** How long the source takes to answer, in ms: most often this, then it has a bad moment. */
const LATENCIES = [0, 0, 1, 40]

const [, , directory] = process.argv
const log = shardlog(
  { name: 'quotes', level: 'info', recorder: { directory, capture: { stalls: 200 } } },
  shardlog.destination({ dest: path.join(directory, 'quotes.log'), format: 'ndjson' })
)

const rates = new Map()
let refreshes = 0

/** The source of the rates, somewhere in the network. */
const fetchRates = latency => new Promise(resolve => setTimeout(() => resolve(Object.entries(RATES)), latency))

async function refresh() {
  const number = ++refreshes
  const latency = LATENCIES[(number - 1) % LATENCIES.length]
  log.debug({ refresh: number, entries: rates.size }, 'rates are renewed')
  rates.clear()
  for (const [currency, perEuro] of await fetchRates(latency)) rates.set(currency, { perEuro })
  log.debug({ refresh: number, entries: rates.size }, 'rates have been renewed')
}

let requests = 0

function quote(request, response) {
  const { searchParams } = new URL(request.url, 'http://localhost')
  const currency = searchParams.get('currency')
  const amount = Number(searchParams.get('amount'))
  const own = log.child({ request: ++requests })
  own.debug({ currency, amount, entries: rates.size }, 'quote asked for')
  const price = amount * rates.get(currency).perEuro
  own.debug({ price }, 'quoted')
  response.end(JSON.stringify({ currency, amount, price }))
}

refresh().then(() => {
  setInterval(refresh, REFRESH_MS)
  const server = http.createServer(quote).listen(0, '127.0.0.1', () => {
    log.info({ port: server.address().port }, 'listening')
    process.send({ port: server.address().port })
  })
})
// Without its parent the service has nobody to serve.
process.once('disconnect', () => process.exit())
