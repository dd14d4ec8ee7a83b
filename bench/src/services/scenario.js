'use strict'

const { medianOf, format } = require('../numbers')
const { bars } = require('../report/charts')
const { frameworks } = require('./frameworks')
const { loggings, BASE, FLOOR } = require('./loggings')
const { startService } = require('./service-process')

/** Milliseconds. */
const TIMES = {
  full: { slice: 500, slices: 10, pacedSlice: 1000, pacedSlices: 3 },
  quick: { slice: 200, slices: 2, pacedSlice: 200, pacedSlices: 1 }
}
/** By which a quick run shortens the warming up. */
const QUICK_DIVISOR = 5

/**
 * Three services, one of them without logging, one that does what no logger can do without, are
 * loaded in turn, half a second each: what slows the machine down slows all of them. The load comes
 * from this process.
 */
async function run({ framework, rate, warmup }, name, { folder, quick }) {
  const times = quick ? TIMES.quick : TIMES.full
  const services = []
  for (const each of [BASE, FLOOR, name]) services.push(await startService(framework, each, folder))
  for (const { load } of services) await load.saturate(quick ? warmup / QUICK_DIVISOR : warmup)
  const client = process.cpuUsage()
  const began = performance.now()
  const full = await inTurn(services, times.slices, load => load.saturate(times.slice))
  const { user, system } = process.cpuUsage(client)
  const clientShare = (user + system) / 1000 / (performance.now() - began)
  const paced = await inTurn(services, times.pacedSlices, load => load.pace(rate, times.pacedSlice))
  const requests = services[2].load.answers
  const counts = []
  for (const service of services) counts.push(await service.stop())
  const expected = frameworks[framework].messages.length * requests
  return {
    base: { full: full[0], paced: paced[0] },
    floor: { full: full[1], paced: paced[1] },
    own: { full: full[2], paced: paced[2] },
    clientShare,
    lost: loggings[name].kind === 'none' ? null : expected - counts[2]
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

/** What is left of a ratio whose divisor noise has pushed to 0 or below: nothing. */
const ratioOf = (own, pino) => (pino > 0 ? own / pino : Number.NaN)

/** pino's cheapest mode: the name of it and its cost above the floor. */
function cheapestPino(results) {
  return Object.entries(results)
    .filter(([name]) => loggings[name].kind === 'pino')
    .map(([name, rounds]) => ({ name, us: aboveFloor(rounds) }))
    .sort((a, b) => a.us - b.us)[0]
}

function comparisons(results, { service, bound, within }) {
  const pino = cheapestPino(results)
  if (!pino) return []
  return Object.entries(results)
    .filter(([name]) => loggings[name].kind === undefined)
    .map(([name, rounds]) => {
      const own = aboveFloor(rounds)
      return {
        measure: `${service}, ${name.replace('shardlog ', '')}: user time of the main thread above the floor, of pino's`,
        bound,
        figure: `${format(ratioOf(own, pino.us), 2)} (${format(own, 1)} µs, ${pino.name} ${format(pino.us, 1)} µs; lost requests/s ${format(lossOf(rounds), 1)} %, ${pino.name} ${format(lossOf(results[pino.name]), 1)} %)`,
        ok: pino.us > 0 && within(own, pino.us)
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

function tables(results, { framework, service, rate }) {
  const entries = Object.entries(results)
  if (entries.length === 0) return []
  return [
    {
      title: `${service}, ${linesText(framework)} per request, under as much load as it takes and at ${format(rate)} requests/s`,
      head: [
        '',
        'requests/s',
        'lost to logging',
        'user µs/request above the floor',
        'user µs/request: main thread',
        'kernel',
        'CPU: process',
        `at ${format(rate)}/s: event loop in use`,
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

function linesText(framework) {
  const { length } = frameworks[framework].messages
  return length === 1 ? 'one line' : `${length} lines`
}

const everyRound = entries => entries.flatMap(([, rounds]) => rounds)

const clientText = entries => `${format(100 * medianOf(everyRound(entries), 'clientShare'))} %`

function report(results, about) {
  const entries = Object.entries(results)
  const values = entries.map(([name, rounds]) => ({ name, kind: '', value: Math.max(0, lossOf(rounds)) }))
  return {
    comparisons: comparisons(results, about),
    tables: tables(results, about),
    charts:
      values.length === 0
        ? []
        : [
            {
              title: about.service,
              caption:
                'Per cent of the requests per second of the same service without logging that are lost: less is better.',
              spec: bars(values, { x: '% of requests per second' })
            }
          ],
    notes: [
      about.logger,
      ...entries.map(([name]) => `${name}: ${loggings[name].note}`),
      `each beside a service with ${BASE} and one with ${FLOOR}, the three loaded in turn for half a second; the log is read back`,
      `floor: ${loggings[FLOOR].note}${about.floor ? `; ${about.floor}` : ''}`,
      ...(entries.length > 0
        ? [`32 keep-alive connections from a second process, which took ${clientText(entries)} of a core`]
        : [])
    ]
  }
}

/**
 * A scenario that measures what logging costs in a service.
 * @param {object} about
 * @param {string} about.framework a key of `frameworks`; the scenario's name too
 * @param {string} about.title of the scenario
 * @param {string} about.service what the figures are of
 * @param {string} about.logger how the service is given its logger
 * @param {string} [about.floor] what its floor holds besides the serializers
 * @param {string[]} about.names keys of `loggings` that are measured
 * @param {number} about.warmup milliseconds that each service is loaded before it is measured
 * @param {number} about.rate requests per second of the second part: as many as every way of
 *   logging can serve, on a busy machine too
 * @param {string} about.bound the bound as text
 * @param {(own: number, pino: number) => boolean} about.within whether the cost of a request above
 *   the floor is within the bound; both in µs
 */
function serviceScenario(about) {
  return {
    name: about.framework,
    title: about.title,
    timeoutMs: 90_000,
    cases({ peers }) {
      const pino = peers.some(peer => peer.package === 'pino')
      return about.names
        .filter(name => loggings[name].kind !== 'pino' || pino)
        .map(name => ({ id: name, params: { name } }))
    },
    run: ({ name }, context) => run(about, name, context),
    report: results => report(results, about)
  }
}

module.exports = { serviceScenario }
