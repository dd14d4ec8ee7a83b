/**
 * What is counted, as OpenMetrics text and for registries of prom-client. Nothing is counted for
 * it: what loggers and recorders count anyway is read when somebody asks.
 */

import { inspect } from 'node:util'
import { ShardlogError } from './errors'
import type { FlushMetrics, RecorderNumbers, ShardStats, StatsSnapshot } from './types'

/** Labels that the caller adds to all samples: names of letters, digits and `_`. */
export type MetricLabels = Readonly<Record<string, string>>

/** What a log's engine counts. */
interface EngineReading {
  kind: 'engine'
  of: unknown
  /** The log's absolute path, or the name of its descriptor. */
  path: string
  stats: StatsSnapshot
  flushes: FlushMetrics
  shards: readonly ShardStats[]
}

/** What a recorder counts; from outside, what of it stands in its file. */
interface RecorderReading {
  kind: 'recorder'
  of: unknown
  /** The ring's file; null: it is in memory. */
  path: string | null
  service?: string
  isOwned?: boolean
  stats: Omit<RecorderNumbers, 'producers'> & {
    producers?: number
    snapshots?: number
    snapshotErrors?: number
    uploads?: number
    uploadErrors?: number
  }
}

/** A feature's counters by name; null while it is off. */
type Counts<Names extends string> = Readonly<Record<Names, number>> | null

/** What the features of a structured logger count: of `getLoggerStats`, all but the recorder. */
interface FeaturesReading {
  kind: 'features'
  of: unknown
  /** Of the first log that the logger writes to; null: it writes to none of the engine's. */
  path: string | null
  stats: {
    sampling:
      | (NonNullable<Counts<'offered' | 'kept' | 'sampledOut' | 'probability'>> & { load: Counts<'factor'> })
      | null
    dedupe: Counts<'repeated' | 'summaries'>
    otel: Counts<'correlated'>
    caller: Counts<'hits' | 'misses' | 'cached'>
    context: Counts<'entered'>
  }
}

/** What a circuit breaker counts. */
interface BreakerReading {
  kind: 'breaker'
  of: unknown
  /** Of the log behind it, if there is one. */
  path: string | null
  /** Its number among those with the same labels. */
  index?: number
  stats: NonNullable<
    Counts<'attempted' | 'failures' | 'failuresInARow' | 'opened' | 'diverted' | 'dropped' | 'pending'>
  > & { state: string }
}

/** What a shipper counts. */
interface ShipReading {
  kind: 'ship'
  of: unknown
  /** The log that is shipped. */
  path: string
  /** Name of the appender; from outside it is not known. */
  appender?: string
  stats: NonNullable<
    Counts<'records' | 'bytes' | 'batches' | 'attempts' | 'failures' | 'deadLetters' | 'damaged' | 'gaps' | 'lagBytes'>
  > & {
    /** Not known from outside. */
    lagSeconds?: number
    circuit?: string
    /** Whether a process has the cursor; not asked for from inside. */
    running?: boolean
  }
}

/** What can be told of a log from outside its process. */
interface ArenaReading {
  kind: 'arena'
  of: unknown
  path: string
  ownerAlive: boolean
  /** null: there is no arena. */
  arena: { bytes: number; ofThisBoot: boolean; entries: number; waitingBytes: number; damaged: number } | null
  /** null: not looked for. */
  asides: number | null
}

/**
 * What was counted at one place when it was asked for. `of` is the same for handles that share the
 * counters.
 */
export type Reading = EngineReading | RecorderReading | FeaturesReading | BreakerReading | ArenaReading | ShipReading

/** What a recorder counts, for `openMetrics`. Threads that name one path share its ring. */
export function recorderReading(recorder: { stats: RecorderReading['stats'] & { path: string | null } }): Reading {
  const { stats } = recorder
  return { kind: 'recorder', of: stats.path ?? recorder, path: stats.path, stats }
}

type Labels = Record<string, string>

interface Sample {
  /** What the family's name is followed by. */
  suffix?: string
  labels?: Labels
  value: number
}

type Type = 'counter' | 'gauge' | 'histogram' | 'info'
type Unit = 'bytes' | 'seconds' | 'ratio'

/** Metrics of one name, and how they are read; undefined and null: there is none. */
interface Row<Kind extends Reading> {
  name: string
  type: Type
  unit?: Unit
  help: string
  read: (reading: Kind) => number | boolean | null | undefined | readonly Sample[]
}

const NO_MORE_THAN = 'le'
const MS_PER_S = 1_000
const PERCENT = 100

/** Rows of plain numbers: a name, what it is, and how it is read. */
function rows<Kind extends Reading>(
  type: Type,
  list: readonly (readonly [name: string, help: string, read: Row<Kind>['read'], unit?: Unit])[]
): Row<Kind>[] {
  return list.map(([name, help, read, unit]) => ({ name, type, help, read, ...(unit === undefined ? {} : { unit }) }))
}

function histogram({ buckets, count, avgFlushDurationMs }: FlushMetrics): Sample[] {
  // A flush may end while they are read one by one.
  const all = Math.max(count, buckets.at(-1)?.count ?? 0)
  const bounds = [...buckets.map(({ leMs, count: n }) => [leMs / MS_PER_S, n] as const), [Infinity, all] as const]
  return [
    ...bounds.map(([le, value]) => ({ suffix: '_bucket', labels: { [NO_MORE_THAN]: numberText(le) }, value })),
    { suffix: '_sum', value: (avgFlushDurationMs * count) / MS_PER_S },
    { suffix: '_count', value: all }
  ]
}

const byShard = (shards: readonly ShardStats[], value: (shard: ShardStats) => number): Sample[] =>
  shards.map(shard => ({ labels: { shard: String(shard.shardId) }, value: value(shard) }))

const ENGINE: readonly Row<EngineReading>[] = [
  ...rows<EngineReading>('counter', [
    ['shardlog_calls', 'Log calls, dropped ones included.', r => r.stats.totalLogs],
    ['shardlog_dropped', 'Entries that were not accepted, or given up.', r => r.stats.droppedLogs],
    ['shardlog_oversized', 'Dropped entries that were too large.', r => r.stats.oversizedLogs],
    ['shardlog_empty', 'Dropped entries that were empty.', r => r.stats.emptyLogs],
    ['shardlog_blocked', 'Calls that had to wait for room.', r => r.stats.blockedLogs],
    ['shardlog_written', 'Entries on the device.', r => r.stats.writtenLogs],
    ['shardlog_payload_bytes', 'Bytes of entries on the device.', r => r.stats.payloadBytes, 'bytes'],
    ['shardlog_written_bytes', 'Bytes that the kernel took, padding included.', r => r.stats.bytesWritten, 'bytes'],
    ['shardlog_flushes', 'Buffer sets that were written.', r => r.stats.flushes],
    ['shardlog_flush_errors', 'Failed attempts to write a buffer set.', r => r.stats.flushErrors],
    ['shardlog_set_swaps', 'Swaps of buffer sets.', r => r.stats.setSwaps],
    ['shardlog_recovered', 'Entries of dead processes that were recovered.', r => r.stats.recoveredLogs],
    ['shardlog_reopens', 'Times that the file was opened anew.', r => r.stats.reopens],
    ['shardlog_shard_written', 'Entries written through a shard.', r => byShard(r.shards, shard => shard.writeCount)]
  ]),
  ...rows<EngineReading>('gauge', [
    ['shardlog_producers', 'Threads that have the log open.', r => r.stats.producers],
    ['shardlog_direct_io', 'Whether writes go past the page cache.', r => r.stats.directIO],
    ['shardlog_io_alignment_bytes', 'Alignment of writes.', r => r.stats.ioAlignment, 'bytes'],
    [
      'shardlog_flush_duration_max_seconds',
      'The longest flush.',
      r => r.flushes.maxFlushDurationMs / MS_PER_S,
      'seconds'
    ],
    [
      'shardlog_shard_use_ratio',
      'Used share of a shard of the active set.',
      r => byShard(r.shards, shard => shard.utilizationPct / PERCENT),
      'ratio'
    ]
  ]),
  {
    name: 'shardlog_flush_duration_seconds',
    type: 'histogram',
    unit: 'seconds',
    help: 'How long flushes took.',
    read: r => histogram(r.flushes)
  },
  {
    name: 'shardlog_engine',
    type: 'info',
    help: 'What is in force.',
    read: ({ stats }) => [{ labels: { engine: stats.engine, crash_safe: String(stats.crashSafe) }, value: 1 }]
  }
]

const RECORDER: readonly Row<RecorderReading>[] = [
  ...rows<RecorderReading>('counter', [
    ['shardlog_recorder_recorded', 'Events that were recorded.', r => r.stats.recorded],
    ['shardlog_recorder_overwritten', 'Recorded events that later ones replaced.', r => r.stats.overwritten],
    ['shardlog_recorder_drained', 'Recorded events that a snapshot has taken out.', r => r.stats.drained],
    ['shardlog_recorder_dropped', 'Events that no place was found for.', r => r.stats.dropped],
    ['shardlog_recorder_truncated', 'Events of which fields were left out.', r => r.stats.truncated],
    ['shardlog_recorder_snapshots', 'Snapshots of this thread that were written.', r => r.stats.snapshots],
    ['shardlog_recorder_snapshot_errors', 'Snapshots that could not be written.', r => r.stats.snapshotErrors],
    ['shardlog_recorder_uploads', 'Snapshots of this thread that were uploaded.', r => r.stats.uploads],
    ['shardlog_recorder_upload_errors', 'Uploads that were given up.', r => r.stats.uploadErrors]
  ]),
  ...rows<RecorderReading>('gauge', [
    ['shardlog_recorder_events', 'Events in the ring.', r => r.stats.recorded - r.stats.overwritten - r.stats.drained],
    ['shardlog_recorder_used_bytes', 'Bytes of events in the ring.', r => r.stats.usedBytes, 'bytes'],
    ['shardlog_recorder_size_bytes', 'Bytes of the ring.', r => r.stats.bytes, 'bytes'],
    ['shardlog_recorder_producers', 'Threads that record.', r => r.stats.producers],
    ['shardlog_recorder_owner_alive', "Whether the ring's process runs.", r => r.isOwned]
  ])
]

const FEATURES: readonly Row<FeaturesReading>[] = [
  ...rows<FeaturesReading>('counter', [
    ['shardlog_sampling_offered', 'Records that came to the sampler.', r => r.stats.sampling?.offered],
    ['shardlog_sampling_kept', 'Records that it kept.', r => r.stats.sampling?.kept],
    ['shardlog_sampling_left_out', 'Records that it left out.', r => r.stats.sampling?.sampledOut],
    ['shardlog_dedupe_repeated', 'Records that were counted, not written.', r => r.stats.dedupe?.repeated],
    ['shardlog_dedupe_summaries', 'Lines that told their number.', r => r.stats.dedupe?.summaries],
    ['shardlog_otel_correlated', 'Records that carry a trace.', r => r.stats.otel?.correlated],
    ['shardlog_caller_hits', 'Calls whose place was known.', r => r.stats.caller?.hits],
    ['shardlog_caller_misses', 'Calls whose place was looked for.', r => r.stats.caller?.misses],
    ['shardlog_context_entered', 'Calls of withContext.', r => r.stats.context?.entered]
  ]),
  ...rows<FeaturesReading>('gauge', [
    ['shardlog_sampling_least_ratio', 'The lowest share kept at present.', r => r.stats.sampling?.probability, 'ratio'],
    [
      'shardlog_sampling_load_ratio',
      'What of the target rate is kept for the load.',
      r => r.stats.sampling?.load?.factor,
      'ratio'
    ],
    ['shardlog_caller_cached', 'Places that are remembered.', r => r.stats.caller?.cached]
  ])
]

const STATES = ['closed', 'open', 'half-open']

const stateSamples = ({ stats }: BreakerReading): Sample[] =>
  STATES.map(state => ({ labels: { state }, value: Number(stats.state === state) }))

const BREAKER: readonly Row<BreakerReading>[] = [
  ...rows<BreakerReading>('counter', [
    ['shardlog_circuit_breaker_attempted', 'Writes given to the destination.', r => r.stats.attempted],
    ['shardlog_circuit_breaker_failures', 'Writes that failed.', r => r.stats.failures],
    ['shardlog_circuit_breaker_opened', 'How often the circuit opened.', r => r.stats.opened],
    ['shardlog_circuit_breaker_diverted', 'Lines that went to stderr instead.', r => r.stats.diverted],
    ['shardlog_circuit_breaker_dropped', 'Lines that are lost.', r => r.stats.dropped]
  ]),
  ...rows<BreakerReading>('gauge', [
    ['shardlog_circuit_breaker_failures_in_a_row', 'Failures since a success.', r => r.stats.failuresInARow],
    ['shardlog_circuit_breaker_pending_bytes', 'Bytes taken and not written yet.', r => r.stats.pending, 'bytes'],
    ['shardlog_circuit_breaker_state', '1 for the state that it is in.', stateSamples]
  ])
]

const SHIP: readonly Row<ShipReading>[] = [
  ...rows<ShipReading>('counter', [
    ['shardlog_ship_records', 'Records that the other side has taken.', r => r.stats.records],
    ['shardlog_ship_record_bytes', 'Bytes of these.', r => r.stats.bytes, 'bytes'],
    ['shardlog_ship_batches', 'Batches that were taken or set aside.', r => r.stats.batches],
    ['shardlog_ship_attempts', 'Batches, or parts of them, that were sent.', r => r.stats.attempts],
    ['shardlog_ship_failures', 'Attempts that failed.', r => r.stats.failures],
    ['shardlog_ship_dead_letters', 'Records that were set aside.', r => r.stats.deadLetters],
    ['shardlog_ship_damaged', 'Places of the log that could not be read.', r => r.stats.damaged],
    ['shardlog_ship_gaps', 'Files that had gone before they were read to their end.', r => r.stats.gaps]
  ]),
  ...rows<ShipReading>('gauge', [
    ['shardlog_ship_lag_bytes', 'Bytes of the log that have not been taken.', r => r.stats.lagBytes, 'bytes'],
    ['shardlog_ship_lag_seconds', 'Age of the oldest record not taken.', r => r.stats.lagSeconds, 'seconds'],
    ['shardlog_ship_running', 'Whether a shipper has the cursor.', r => r.stats.running],
    [
      'shardlog_ship_circuit_state',
      '1 for the state that the circuit breaker is in.',
      ({ stats: { circuit } }) =>
        circuit === undefined ? null : STATES.map(state => ({ labels: { state }, value: Number(circuit === state) }))
    ]
  ])
]

/** Of an earlier boot's arena nothing that waits is believed. */
const waiting = ({ arena }: ArenaReading): NonNullable<ArenaReading['arena']> | null =>
  arena?.ofThisBoot === false ? null : arena

const ARENA: readonly Row<ArenaReading>[] = rows<ArenaReading>('gauge', [
  ['shardlog_owner_alive', "Whether the log's process may be running.", r => r.ownerAlive],
  ['shardlog_arenas', 'Arenas of the log: one or none.', r => r.arena !== null],
  ['shardlog_arenas_set_aside', 'Arenas that were set aside.', r => r.asides],
  ['shardlog_arena_bytes', "Size of the arena's file.", r => r.arena?.bytes, 'bytes'],
  ['shardlog_arena_of_this_boot', 'Whether the machine has run since it was made.', r => r.arena?.ofThisBoot],
  ['shardlog_waiting', 'Entries in the arena that are not in the log yet.', r => waiting(r)?.entries],
  ['shardlog_waiting_bytes', 'Bytes of these.', r => waiting(r)?.waitingBytes, 'bytes'],
  ['shardlog_waiting_damaged', 'Records in the arena that no line can be made of.', r => waiting(r)?.damaged]
])

const ROWS: { readonly [Kind in Reading['kind']]: readonly Row<never>[] } = {
  engine: ENGINE,
  features: FEATURES,
  breaker: BREAKER,
  recorder: RECORDER,
  arena: ARENA,
  ship: SHIP
}

/** Metrics of one name, of all places. */
interface Family extends Omit<Row<never>, 'read'> {
  samples: Sample[]
}

function numberText(value: number): string {
  if (value === Infinity) return '+Inf'
  return Number.isNaN(value) ? 'NaN' : String(value)
}

function placeLabels(reading: Reading): Labels {
  const path: Labels = reading.path === null ? {} : { path: reading.path }
  if (reading.kind === 'breaker') return { ...path, breaker: String(reading.index) }
  if (reading.kind === 'ship' && reading.appender !== undefined) return { ...path, appender: reading.appender }
  return reading.kind === 'recorder' && reading.service !== undefined ? { ...path, service: reading.service } : path
}

/** Label names that samples have, or that the format keeps for itself. */
const TAKEN = ['path', 'appender', 'shard', 'breaker', 'state', 'engine', 'crash_safe', NO_MORE_THAN, 'quantile']

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
function checked(labels: unknown): Labels {
  if (typeof labels !== 'object' || labels === null)
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', `labels of metrics must be an object, got ${inspect(labels)}`)
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value === 'string' && /^(?!__)[A-Za-z_]\w*$/.test(name) && !TAKEN.includes(name)) continue
    const message = `labels of metrics must have names of letters, digits and _, other than ${TAKEN.join(', ')}, and strings for values, got ${inspect({ [name]: value })}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }
  return { ...(labels as Labels) }
}

interface Labelled<Kind> {
  reading: Kind
  labels: Labels
}

/** Each place once for the same labels, however many handles it has; circuit breakers numbered. */
function distinct(all: readonly Labelled<Reading>[]): Labelled<Reading>[] {
  const seen = new Map<string, Set<unknown>>()
  return all.flatMap(({ reading, labels }) => {
    const key = JSON.stringify([reading.kind, reading.path, labels])
    const known = seen.get(key) ?? new Set()
    seen.set(key, known)
    if (known.has(reading.of)) return []
    known.add(reading.of)
    return [{ reading: reading.kind === 'breaker' ? { ...reading, index: known.size - 1 } : reading, labels }]
  })
}

function samplesOf(row: Row<never>, { reading, labels }: Labelled<Reading>): Sample[] {
  const read = row.read(reading as never)
  if (read === null || read === undefined) return []
  const samples = typeof read === 'object' ? read : [{ value: Number(read) }]
  return samples.map(sample => ({ ...sample, labels: { ...labels, ...placeLabels(reading), ...sample.labels } }))
}

/**
 * Samples that nothing tells apart as one, which the format asks for: of loggers that write to the
 * same log, and of recorders in memory. They are added up; of shares the least stands for all.
 */
function joined({ unit }: Row<never>, samples: readonly Sample[]): Sample[] {
  const found = new Map<string, Sample>()
  for (const sample of samples) {
    const key = JSON.stringify([sample.suffix, sample.labels])
    const other = found.get(key)
    const value = unit === 'ratio' ? Math.min : (a: number, b: number): number => a + b
    found.set(key, other === undefined ? sample : { ...sample, value: value(other.value, sample.value) })
  }
  return [...found.values()]
}

/** Families by name. Of a kind that there is nothing of they have no samples. */
function familiesOf(all: readonly Labelled<Reading>[]): Family[] {
  const places = distinct(all)
  return Object.entries(ROWS).flatMap(([kind, list]) => {
    const ofKind = places.filter(({ reading }) => reading.kind === kind)
    return list.map(row => {
      const { read: _, ...rest } = row
      return {
        ...rest,
        samples: joined(
          row,
          ofKind.flatMap(place => samplesOf(row, place))
        )
      }
    })
  })
}

const escaped = (text: string): string => text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')

/** What samples' names end with by the family's type. */
const SUFFIX: Readonly<Record<Type, string>> = { counter: '_total', gauge: '', histogram: '', info: '_info' }

function lineOf({ name, type }: Family, { suffix = SUFFIX[type], labels = {}, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`)
  return `${name}${suffix}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${numberText(value)}\n`
}

function textOf(family: Family): string {
  const { name, type, unit, help, samples } = family
  if (samples.length === 0) return ''
  const units = unit === undefined ? '' : `# UNIT ${name} ${unit}\n`
  const lines = samples.map(sample => lineOf(family, sample)).join('')
  return `# TYPE ${name} ${type}\n${units}# HELP ${name} ${help}\n${lines}`
}

/**
 * Readings as OpenMetrics text 1.0.0.
 *
 * @param labels of all samples
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for labels that cannot be
 */
export function openMetrics(readings: readonly Reading[], labels: MetricLabels = {}): string {
  const own = checked(labels)
  const families = familiesOf(readings.map(reading => ({ reading, labels: own })))
  return `${families.map(textOf).join('')}# EOF\n`
}

// prom-client.

/** A registry of prom-client. */
export interface MetricsRegistry {
  registerMetric(metric: never): void
}

/** prom-client's module, whose default registry is taken. */
export interface MetricsModule {
  readonly register: MetricsRegistry
}

interface PromValue {
  labels: Labels
  value: number
  metricName?: string
}

/** What a registry wants of a metric. */
interface PromMetric {
  name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly aggregator: 'sum'
  readonly get: () => Promise<Omit<PromMetric, 'get' | 'reset'> & { values: PromValue[] }>
  /** The counters are the logs' own, since they were opened. */
  readonly reset: () => void
}

interface Source {
  read: () => readonly Reading[]
  labels: Labels
}

/** The metrics of one registry: those of all handles that were registered with it. */
class Registered {
  readonly #sources = new Map<object, Source>()
  readonly #metrics: readonly (readonly [name: string, metric: PromMetric])[]
  #families: Map<string, Family> | null = null

  constructor() {
    const families = familiesOf([]).filter(({ name }) => !ARENA.some(row => row.name === name))
    this.#metrics = families.map(family => [promName(family), this.#metric(family)] as const)
  }

  #metric(family: Family): PromMetric {
    const { type, help } = family
    const fixed = { help, type: type === 'info' ? ('gauge' as const) : type, aggregator: 'sum' as const }
    const metric: PromMetric = {
      ...fixed,
      name: promName(family),
      // A registry for OpenMetrics takes the end off a counter's name, and puts it back.
      get: async () => ({ ...fixed, name: metric.name, values: this.#values(family) }),
      reset: () => undefined
    }
    return metric
  }

  #values({ name, type }: Family): PromValue[] {
    const { samples } = this.#present().get(name)!
    return samples.map(({ suffix, labels = {}, value }) => ({
      labels,
      value,
      ...(type === 'histogram' ? { metricName: `${name}${suffix}` } : {})
    }))
  }

  /** A registry asks for all metrics in one go, for which everything is read once. */
  #present(): Map<string, Family> {
    if (this.#families !== null) return this.#families
    const all = [...this.#sources.values()].flatMap(({ read, labels }) => read().map(reading => ({ reading, labels })))
    this.#families = new Map(familiesOf(all).map(family => [family.name, family]))
    queueMicrotask(() => {
      this.#families = null
    })
    return this.#families
  }

  add(registry: MetricsRegistry, handle: object, source: Source): () => void {
    for (const [name, metric] of this.#metrics) {
      metric.name = name
      registry.registerMetric(metric as never)
    }
    this.#sources.set(handle, source)
    return () => {
      if (this.#sources.get(handle) === source) this.#sources.delete(handle)
    }
  }
}

const promName = ({ name, type }: Family): string => `${name}${SUFFIX[type]}`

const registered = new WeakMap<object, Registered>()

function registryOf(given: unknown): MetricsRegistry {
  const { register } = (given ?? {}) as { register?: unknown }
  const found = [given, register].find(
    value => typeof (value as { registerMetric?: unknown } | null | undefined)?.registerMetric === 'function'
  )
  if (found !== undefined) return found as MetricsRegistry
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `registerMetrics needs a registry of prom-client, or its module, got ${inspect(given, { depth: 0 })}`
  )
}

/**
 * Adds what a handle counts to a registry of prom-client.
 *
 * @param read what is counted now
 * @returns a function that takes it out again
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`; what the registry throws
 */
export function register(given: unknown, handle: object, read: Source['read'], labels: MetricLabels = {}): () => void {
  const registry = registryOf(given)
  const source = { read, labels: checked(labels) }
  const metrics = registered.get(registry) ?? new Registered()
  registered.set(registry, metrics)
  return metrics.add(registry, handle, source)
}
