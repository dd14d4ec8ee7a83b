'use strict'

const { loggings } = require('../fastify/loggings')
const { startService } = require('../fastify/service-process')
const { medianOf, format } = require('../numbers')
const { bars } = require('../report/charts')

const BASE = 'logger: false'
const MOST_PER_CENT = 3
/** Requests per second of the second part, which every way of logging can serve. */
const RATE = 3000
const TIMES = {
  full: { warmup: 1500, slice: 500, slices: 10, pacedSlice: 1000, pacedSlices: 3 },
  quick: { warmup: 300, slice: 200, slices: 2, pacedSlice: 200, pacedSlices: 1 }
}

function cases({ peers: wanted }) {
  const pino = wanted.some(peer => peer.package === 'pino')
  return Object.entries(loggings)
    .filter(([name, { kind }]) => name !== BASE && (kind !== 'pino' || pino))
    .map(([name]) => ({ id: name, params: { name } }))
}

/**
 * Two services, one of them without logging, are loaded in turn, half a second each: what slows the machine down slows both. The
 * load comes from this process.
 */
async function run({ name }, { folder, quick }) {
  const times = quick ? TIMES.quick : TIMES.full
  const services = [await startService(BASE, folder), await startService(name, folder)]
  for (const { load } of services) await load.saturate(times.warmup)
  const client = process.cpuUsage()
  const began = performance.now()
  const full = await inTurn(services, times.slices, load => load.saturate(times.slice))
  const { user, system } = process.cpuUsage(client)
  const clientShare = (user + system) / 1000 / (performance.now() - began)
  const paced = await inTurn(services, times.pacedSlices, load => load.pace(RATE, times.pacedSlice))
  const [, lines] = [await services[0].stop(), await services[1].stop()]
  const requests = services[1].load.answers
  const logs = name !== 'a logger that does nothing'
  return {
    base: { full: full[0], paced: paced[0] },
    own: { full: full[1], paced: paced[1] },
    clientShare,
    lost: logs ? 2 * requests - lines.incoming - lines.completed : null
  }
}

/** Loads the services in turn; returns for each the sums of its own slices. */
async function inTurn(services, slices, put) {
  const sums = services.map(() => ({ answers: 0, seconds: 0, cpuNs: 0, mainCpuNs: 0, active: 0, idle: 0 }))
  for (let i = 0; i < slices * services.length; i++) {
    // A B, B A, A B: neither is always behind the other.
    const at = (i + Math.floor(i / 2)) % services.length
    const before = await services[at].figures()
    const { answers, seconds } = await put(services[at].load)
    const after = await services[at].figures()
    const sum = sums[at]
    sum.answers += answers
    sum.seconds += seconds
    sum.cpuNs += after.cpuNs - before.cpuNs
    sum.mainCpuNs += after.mainCpuNs - before.mainCpuNs
    sum.active += after.loop.active - before.loop.active
    sum.idle += after.loop.idle - before.loop.idle
  }
  return sums.map(({ answers, seconds, cpuNs, mainCpuNs, active, idle }) => ({
    perSecond: answers / seconds,
    cpuUs: cpuNs / answers / 1000,
    mainCpuUs: mainCpuNs / answers / 1000,
    utilization: active / (active + idle)
  }))
}

/** Per cent of the requests per second that logging costs, by round against the service beside it. */
const lossOf = rounds => medianOf(rounds, ({ base, own }) => 100 * (1 - own.full.perSecond / base.full.perSecond))

function comparisons(results) {
  const pinos = Object.entries(results)
    .filter(([name]) => loggings[name].kind === 'pino')
    .map(([name, rounds]) => `${name} ${format(lossOf(rounds), 1)} %`)
  return Object.entries(results)
    .filter(([name]) => loggings[name].kind === undefined)
    .map(([name, rounds]) => {
      const loss = lossOf(rounds)
      return {
        measure: `Fastify with request logging, ${name.replace('shardlog ', '')}: requests/s lost against logger: false`,
        bound: `≤ ${MOST_PER_CENT} %`,
        figure: `${format(loss, 1)} %${pinos.length > 0 ? ` (${pinos.join(', ')})` : ''}`,
        ok: loss <= MOST_PER_CENT
      }
    })
}

function row(name, rounds, side) {
  const of = pick => medianOf(rounds, round => pick(round[side]))
  return [
    name,
    format(of(({ full }) => full.perSecond)),
    side === 'base' ? '–' : `${format(lossOf(rounds), 1)} %`,
    format(
      of(({ full }) => full.mainCpuUs),
      1
    ),
    format(
      of(({ full }) => full.cpuUs),
      1
    ),
    `${format(100 * of(({ paced }) => paced.utilization), 1)} %`,
    format(
      of(({ paced }) => paced.cpuUs),
      1
    ),
    side === 'base' || rounds[0].lost === null ? '–' : format(Math.max(...rounds.map(({ lost }) => lost)))
  ]
}

function tables(results) {
  const entries = Object.entries(results)
  if (entries.length === 0) return []
  return [
    {
      title:
        'a Fastify service with request logging, two lines per request, under as much load as it takes and at 3,000 requests/s',
      head: [
        '',
        'requests/s',
        'lost to logging',
        'CPU µs/request: main thread',
        'process',
        `at ${format(RATE)}/s: event loop in use`,
        'CPU µs/request',
        'lines lost'
      ],
      rows: [
        row(
          BASE,
          entries.flatMap(([, rounds]) => rounds),
          'base'
        ),
        ...entries.map(([name, rounds]) => row(name, rounds, 'own'))
      ]
    }
  ]
}

const clientText = entries =>
  `${format(
    100 *
      medianOf(
        entries.flatMap(([, rounds]) => rounds),
        'clientShare'
      )
  )} %`

function report(results) {
  const entries = Object.entries(results)
  const values = entries.map(([name, rounds]) => ({ name, kind: '', value: Math.max(0, lossOf(rounds)) }))
  return {
    comparisons: comparisons(results),
    tables: tables(results),
    charts:
      values.length === 0
        ? []
        : [
            {
              title: 'A Fastify service with request logging',
              caption:
                'Per cent of the requests per second of the same service without logging that are lost: less is better.',
              spec: bars(values, { x: '% of requests per second' })
            }
          ],
    notes: [
      ...entries.map(([name]) => `${name}: ${loggings[name].note}`),
      'each beside a service with logger: false, the two loaded in turn for half a second; the log is read back',
      ...(entries.length > 0
        ? [`32 keep-alive connections from a second process, which took ${clientText(entries)} of a core`]
        : [])
    ]
  }
}

module.exports = { name: 'fastify', title: 'A Fastify service', timeoutMs: 90_000, cases, run, report }
