import path from 'node:path'
import client from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { logger } from '../../lib/pino/logger'
import * as shardlog from '../../lib/public'
import { engines, small } from '../support/engines'
import { hasParser, parsed, parserNote, sampleOf } from '../support/open-metrics'
import { tempDir, tempLog } from '../support/temp'

const { Logger, Recorder, circuitBreaker, destination, getLoggerStats, multistream, registerMetrics } = shardlog

function open(file: string, engine: (typeof engines)[number] = 'native') {
  const made = new Logger(small(file, engine))
  onTestFinished(() => made.close())
  return made
}

/** A structured logger with everything on, and where it writes to. */
function full() {
  const directory = tempDir()
  const file = path.join(directory, 'all.log')
  const errors = path.join(directory, 'errors.log')
  const to = destination({ dest: file, format: 'ndjson' })
  const others = destination({ dest: errors, format: 'ndjson' })
  const options = {
    sampling: { targetRate: 1_000_000 },
    dedupe: true,
    caller: true,
    recorder: { directory, service: 'all', onCrash: false }
  }
  const streams = multistream([{ stream: to }, { level: 'error', stream: others }])
  const log = logger(options, streams)
  onTestFinished(() => log.close())
  return { log, file, errors, ring: path.join(directory, '.all.recorder') }
}

describe.each(engines)('metrics of a Logger of the %s engine', engine => {
  it('are its counters, in seconds and bytes', async () => {
    const file = tempLog()
    const made = open(file, engine)
    made.log('text')
    made.log('')
    await made.flush()
    const text = made.metrics({ job: 'a "quoted"\\one\n' })
    const stats = made.getStatsSnapshot()
    const flushes = made.getFlushMetrics()
    const labels = { path: file }
    expect(sampleOf(text, 'shardlog_calls_total', labels)).toBe(2)
    expect(sampleOf(text, 'shardlog_empty_total', labels)).toBe(1)
    expect(sampleOf(text, 'shardlog_written_bytes_total', labels)).toBe(stats.bytesWritten)
    expect(sampleOf(text, 'shardlog_flush_duration_seconds_count', labels)).toBe(1)
    expect(sampleOf(text, 'shardlog_flush_duration_seconds_sum', labels)).toBe(flushes.avgFlushDurationMs / 1_000)
    expect(sampleOf(text, 'shardlog_flush_duration_seconds_bucket', { ...labels, le: '+Inf' })).toBe(1)
    expect(sampleOf(text, 'shardlog_shard_written_total', { ...labels, shard: '0' })).toBe(1)
    expect(sampleOf(text, 'shardlog_engine_info', { ...labels, engine, crash_safe: String(stats.crashSafe) })).toBe(1)
    expect(text).toContain('shardlog_calls_total{job="a \\"quoted\\"\\\\one\\n",path="')
    expect(text.endsWith('# EOF\n')).toBe(true)
  })

  it('are told of a log that is closed', async () => {
    const made = open(tempLog(), engine)
    made.log('text')
    await made.close()
    expect(sampleOf(made.metrics(), 'shardlog_written_total')).toBe(1)
  })
})

describe('metrics of a structured logger', () => {
  it('are those of its logs, features and recorder', () => {
    const { log, file, errors, ring } = full()
    log.info({ a: 1 }, 'one')
    log.child({ b: 2 }).error('two')
    log.flushSync()
    const text = log.metrics()
    expect(sampleOf(text, 'shardlog_written_total', { path: file })).toBe(2)
    expect(sampleOf(text, 'shardlog_written_total', { path: errors })).toBe(1)
    expect(sampleOf(text, 'shardlog_sampling_offered_total', { path: file })).toBe(
      getLoggerStats(log).sampling!.offered
    )
    expect(sampleOf(text, 'shardlog_dedupe_repeated_total')).toBe(0)
    expect(sampleOf(text, 'shardlog_caller_misses_total')).toBe(2)
    expect(sampleOf(text, 'shardlog_otel_correlated_total')).toBe(undefined)
    expect(sampleOf(text, 'shardlog_recorder_recorded_total', { path: ring })).toBe(2)
    expect(log.child({}).metrics()).toContain('shardlog_recorder_recorded_total')
  })

  it('have each log once, however many circuit breakers lead there, which are numbered', () => {
    const to = destination({ dest: tempLog(), format: 'ndjson' })
    const log = logger(
      {},
      multistream([{ stream: circuitBreaker(to) }, { stream: circuitBreaker(to) }, { stream: to }])
    )
    onTestFinished(() => to.closeSync())
    log.info('text')
    const text = log.metrics()
    expect(text.match(/^shardlog_calls_total/gm)).toHaveLength(1)
    expect(text.match(/^shardlog_circuit_breaker_opened_total.*/gm)).toEqual([
      expect.stringContaining('breaker="0"'),
      expect.stringContaining('breaker="1"')
    ])
    const breaker = { path: to.file!, breaker: '1' }
    expect(sampleOf(text, 'shardlog_circuit_breaker_attempted_total', breaker)).toBe(1)
    expect(sampleOf(text, 'shardlog_circuit_breaker_state', { ...breaker, state: 'closed' })).toBe(1)
    expect(sampleOf(text, 'shardlog_circuit_breaker_state', { ...breaker, state: 'open' })).toBe(0)
  })

  it('are none where nothing is counted', () => {
    expect(logger({}, { write: () => true }).metrics()).toBe('# EOF\n')
  })
})

it('metrics of a recorder are its counters, also when it is closed', () => {
  const recorder = new Recorder({ path: false, onCrash: false })
  recorder.record('info', 'shop', 'text')
  expect(sampleOf(recorder.metrics(), 'shardlog_recorder_events')).toBe(1)
  recorder.close()
  expect(sampleOf(recorder.metrics(), 'shardlog_recorder_recorded_total')).toBe(1)
})

it('refuses labels that the format has no place for', () => {
  const made = open(tempLog())
  for (const labels of [{ path: 'x' }, { le: '1' }, { '1a': 'x' }, { __a: 'x' }, { 'a-b': 'x' }, { a: 1 }, null])
    expect(() => made.metrics(labels as never)).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' }))
})

it.runIf(hasParser)(`metrics are read by another parser${parserNote}`, async () => {
  const { log } = full()
  log.info({ a: 1 }, 'one')
  log.withContext({ c: 1 }, () => log.info('two'))
  log.flushSync()
  const families = parsed(log.metrics({ job: 'a "quoted"\\one\ntwo' }))
  expect(families.length).toBeGreaterThan(40)
  for (const { name, unit, samples } of families) {
    expect(unit === '' || name.endsWith(`_${unit}`)).toBe(true)
    for (const [, labels] of samples) expect(labels.job).toBe('a "quoted"\\one\ntwo')
  }
  const types = Object.fromEntries(families.map(({ name, type }) => [name, type]))
  expect(types).toMatchObject({
    shardlog_calls: 'counter',
    shardlog_flush_duration_seconds: 'histogram',
    shardlog_engine: 'info',
    shardlog_context_entered: 'counter',
    shardlog_recorder_used_bytes: 'gauge'
  })
})

describe('a registry of prom-client', () => {
  const CALLS = 'shardlog_calls_total'

  it('tells what each handle has counted when it is scraped, until it is taken out', async () => {
    const registry = new client.Registry()
    const [first, second] = [tempLog(), tempLog()]
    const [one, two] = [open(first), open(second)]
    const remove = registerMetrics(registry, one, { job: 'a' })
    registerMetrics(registry, two)
    registerMetrics(registry, two)
    one.log('text')
    const text = await registry.metrics()
    expect(sampleOf(text, CALLS, { path: first, job: 'a' })).toBe(1)
    expect(sampleOf(text, CALLS, { path: second })).toBe(0)
    expect(text.match(new RegExp(`^${CALLS}\\{`, 'gm'))).toHaveLength(2)
    one.log('text')
    expect(sampleOf(await registry.metrics(), CALLS, { path: first })).toBe(2)
    expect(sampleOf(await registry.metrics(), 'shardlog_flush_duration_seconds_bucket', { le: '+Inf' })).toBe(0)
    expect(sampleOf(await registry.metrics(), 'shardlog_engine_info', { path: first })).toBe(1)
    remove()
    expect(sampleOf(await registry.metrics(), CALLS, { path: first })).toBe(undefined)
    expect(sampleOf(await registry.metrics(), CALLS, { path: second })).toBe(0)
  })

  it('takes structured loggers, recorders and destinations, and the features of several loggers of a log', async () => {
    const registry = new client.Registry()
    const to = destination({ dest: tempLog(), format: 'ndjson' })
    const [one, two] = [logger({ caller: true }, to), logger({ caller: true }, to)]
    const recorder = new Recorder({ path: false, onCrash: false })
    onTestFinished(async () => {
      recorder.close()
      await one.close()
    })
    for (const handle of [one, one.child({ a: 1 }), two, recorder, to]) registerMetrics({ register: registry }, handle)
    one.info('text')
    two.info('text')
    recorder.record('info', 'shop', 'text')
    const text = await registry.metrics()
    expect(sampleOf(text, 'shardlog_caller_misses_total')).toBe(2)
    expect(sampleOf(text, CALLS)).toBe(2)
    expect(sampleOf(text, 'shardlog_recorder_recorded_total')).toBe(1)
    expect(text.match(/^shardlog_caller_misses_total\{/gm)).toHaveLength(1)
  })

  it('has them as JSON, leaves them alone when it is reset, and takes them anew when it was cleared', async () => {
    const registry = new client.Registry()
    const made = open(tempLog())
    registerMetrics(registry, made)
    made.log('text')
    registry.resetMetrics()
    const calls = (await registry.getMetricsAsJSON()).find(({ name }) => name === CALLS)
    expect(calls).toMatchObject({ type: 'counter', values: [{ value: 1 }] })
    registry.clear()
    expect(sampleOf(await registry.metrics(), CALLS)).toBe(undefined)
    registerMetrics(registry, made)
    expect(sampleOf(await registry.metrics(), CALLS)).toBe(1)
  })

  it.runIf(hasParser)(`is valid as OpenMetrics too, however often it is asked${parserNote}`, async () => {
    const registry = new client.Registry<client.OpenMetricsContentType>()
    registry.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE)
    const made = open(tempLog())
    registerMetrics(registry, made)
    made.log('text')
    await registry.metrics()
    registerMetrics(registry, made)
    const calls = parsed(await registry.metrics()).filter(({ name }) => name === 'shardlog_calls')
    expect(calls).toMatchObject([{ type: 'counter', samples: [[CALLS, {}, 1]] }])
  })

  it('is refused if it is none, and so is what has no counters', () => {
    const config = expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' })
    const made = open(tempLog())
    for (const registry of [{}, null, undefined, () => undefined])
      expect(() => registerMetrics(registry as never, made)).toThrow(config)
    for (const handle of [{}, null, 'text', process.stdout])
      expect(() => registerMetrics(new client.Registry(), handle as never)).toThrow(config)
  })
})
