'use strict'

const { loggings } = require('../fastify/loggings')
const { startService } = require('../fastify/service-process')
const { medianOf, format } = require('../numbers')
const { bars } = require('../report/charts')

const BASE = 'logger: false'
/** What no logger can do without: the serializers, and a look at each value. */
const FLOOR = 'a logger that reads the values'
/** Requests per second of the second part, which every way of logging can serve. */
const RATE = 3000
const TIMES = {
  full: { warmup: 1500, slice: 500, slices: 10, pacedSlice: 1000, pacedSlices: 3 },
  quick: { warmup: 300, slice: 200, slices: 2, pacedSlice: 200, pacedSlices: 1 }
}

function cases({ peers: wanted }) {
  const pino = wanted.some(peer => peer.package === 'pino')
  return Object.entries(loggings)
    .filter(([name, { kind }]) => name !== BASE && name !== FLOOR && (kind !== 'pino' || pino))
    .map(([name]) => ({ id: name, params: { name } }))
}

/**
 * Three services, one of them without logging, one that does what no logger can do without, are
 * loaded in turn, half a second each: what slows the machine down slows all of them. The load comes
 * from this process.
 */
async function run({ name }, { folder, quick }) {
  const times = quick ? TIMES.quick : TIMES.full
  const services = []
  for (const each of [BASE, FLOOR, name]) services.push(await startService(each, folder))
  for (const { load } of services) await load.saturate(times.warmup)
  const client = process.cpuUsage()
  const began = performance.now()
  const full = await inTurn(services, times.slices, load => load.saturate(times.slice))
  const { user, system } = process.cpuUsage(client)
  const clientShare = (user + system) / 1000 / (performance.now() - began)
  const paced = await inTurn(services, times.pacedSlices, load => load.pace(RATE, times.pacedSlice))
  const requests = services[2].load.answers
  const counts = []
  for (const service of services) counts.push(await service.stop())
  const lines = counts[2]
  const logs = name !== 'a logger that does nothing'
  return {
    base: { full: full[0], paced: paced[0] },
    floor: { full: full[1], paced: paced[1] },
    own: { full: full[2], paced: paced[2] },
    clientShare,
    lost: logs ? 2 * requests - lines.incoming - lines.completed : null
  }
}

/** Loads the services in turn; returns for each the sums of its own slices. */
async function inTurn(services, slices, put) {
  const sums = services.map(() => ({ answers: 0, seconds: 0, cpuNs: 0, userNs: 0, systemNs: 0, active: 0, idle: 0 }))
  for (let i = 0; i < slices * services.length; i++) {
    // A B C, B C A, C A B: none is always behind another.
    const at = (i + Math.floor(i / services.length)) % services.length
    const before = await services[at].figures()
    const { answers, seconds } = await put(services[at].load)
    const after = await services[at].figures()
    const sum = sums[at]
    sum.answers += answers
    sum.seconds += seconds
    sum.cpuNs += after.cpuNs - before.cpuNs
    sum.userNs += after.main.userNs - before.main.userNs
    sum.systemNs += after.main.systemNs - before.main.systemNs
    sum.active += after.loop.active - before.loop.active
    sum.idle += after.loop.idle - before.loop.idle
  }
  return sums.map(({ answers, seconds, cpuNs, userNs, systemNs, active, idle }) => ({
    perSecond: answers / seconds,
    cpuUs: cpuNs / answers / 1000,
    userUs: userNs / answers / 1000,
    systemUs: systemNs / answers / 1000,
    utilization: active / (active + idle)
  }))
}

/**
 * User time of the main thread per request above the floor beside it, in µs; kernel time is apart:
 * most of it wakes the client.
 */
const aboveFloor = rounds => medianOf(rounds, ({ floor, own }) => own.full.userUs - floor.full.userUs)

/**
 * Per cent of the requests per second that logging costs, by round against the service beside it.
 */
const lossOf = rounds => medianOf(rounds, ({ base, own }) => 100 * (1 - own.full.perSecond / base.full.perSecond))

/** pino's cheapest mode: the name of it and its cost above the floor. */
function cheapestPino(results) {
  return Object.entries(results)
    .filter(([name]) => loggings[name].kind === 'pino')
    .map(([name, rounds]) => ({ name, us: aboveFloor(rounds) }))
    .sort((a, b) => a.us - b.us)[0]
}

function comparisons(results) {
  const pino = cheapestPino(results)
  if (!pino) return []
  return Object.entries(results)
    .filter(([name]) => loggings[name].kind === undefined)
    .map(([name, rounds]) => {
      const own = aboveFloor(rounds)
      return {
        measure: `Fastify with request logging, ${name.replace('shardlog ', '')}: user time of the main thread above the floor, of pino's`,
        bound: '≤ 1/3, ≤ 4 µs',
        figure: `${format(own / pino.us, 2)} (${format(own, 1)} µs, ${pino.name} ${format(pino.us, 1)} µs; lost requests/s ${format(lossOf(rounds), 1)} %, ${pino.name} ${format(lossOf(results[pino.name]), 1)} %)`,
        ok: own <= pino.us / 3 && own <= 4
      }
    })
}

function row(name, rounds, side) {
  const of = pick => medianOf(rounds, round => pick(round[side]))
  return [
    name,
    format(of(({ full }) => full.perSecond)),
    side === 'base' ? '–' : `${format(lossOf(rounds), 1)} %`,
    side === 'own' ? format(aboveFloor(rounds), 1) : '–',
    ...['userUs', 'systemUs', 'cpuUs'].map(which =>
      format(
        of(({ full }) => full[which]),
        1
      )
    ),
    `${format(100 * of(({ paced }) => paced.utilization), 1)} %`,
    format(
      of(({ paced }) => paced.cpuUs),
      1
    ),
    side !== 'own' || rounds[0].lost === null ? '–' : format(Math.max(...rounds.map(({ lost }) => lost)))
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
        'user µs/request above the floor',
        'user µs/request: main thread',
        'kernel',
        'CPU: process',
        `at ${format(RATE)}/s: event loop in use`,
        'CPU µs/request',
        'lines lost'
      ],
      rows: [
        ...[
          [BASE, 'base'],
          [`floor: ${FLOOR}`, 'floor']
        ].map(([name, side]) => row(name, everyRound(entries), side)),
        ...entries.map(([name, rounds]) => row(name, rounds, 'own'))
      ]
    }
  ]
}

const everyRound = entries => entries.flatMap(([, rounds]) => rounds)

const clientText = entries => `${format(100 * medianOf(everyRound(entries), 'clientShare'))} %`

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
      `each beside a service with logger: false and one with ${FLOOR}, the three loaded in turn for half a second; the log is read back`,
      `floor: ${loggings[FLOOR].note}`,
      ...(entries.length > 0
        ? [`32 keep-alive connections from a second process, which took ${clientText(entries)} of a core`]
        : [])
    ]
  }
}

module.exports = { name: 'fastify', title: 'A Fastify service', timeoutMs: 90_000, cases, run, report }
