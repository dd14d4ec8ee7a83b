/**
 * What is counted of a log, in memory that all threads of the process share. Numbers are words of
 * 64 bits, which are added to as a whole, so that every thread reads what all have counted.
 */

import { createHash } from 'node:crypto'
import { sharedMemory } from '../../shared-memory'
import type { FlushMetrics } from '../../types'
import { FLUSH_BOUNDS_MS } from '../engine'

/** Numbers of a log, from its first word on. */
export const COUNTS = [
  'totalLogs',
  'droppedLogs',
  'oversizedLogs',
  'emptyLogs',
  'blockedLogs',
  'bytesWritten',
  'payloadBytes',
  'writtenLogs',
  'flushes',
  'flushErrors',
  'setSwaps',
  'reopens'
] as const
type Count = (typeof COUNTS)[number]

const MAX_SHARDS = 256

/**
 * Durations are counted in ns by their highest bits: an exponent and 5 bits below it, which tells
 * them to within 3 %.
 */
const FRACTION_BITS = 5
const FRACTIONS = 1 << FRACTION_BITS
/** Shorter ones, up to 1 µs, count as that; longer ones, from 18 minutes on, too. */
const MIN_EXPONENT = 10
const EXPONENTS = 30
const BUCKETS = EXPONENTS * FRACTIONS

/**
 * Places of a log's words; what is of the log stands behind its name and the number of threads that
 * have it open.
 */
const NAME = 0
const ATTACHED = 1
const FIRST_COUNT = 2
const FIRST_SHARD = FIRST_COUNT + COUNTS.length
const TIME_SUM = FIRST_SHARD + MAX_SHARDS
const TIME_MAX = TIME_SUM + 1
const FIRST_BUCKET = TIME_MAX + 1
const LOG_WORDS = FIRST_BUCKET + BUCKETS

/**
 * The word in front of all logs is the lock; those that are beyond the memory, at one time in a
 * process, each thread counts for itself.
 */
const FIRST_LOG = 1

const words = new BigInt64Array(sharedMemory('shardlog.statistics.1'))
const LOGS = Math.floor((words.length - FIRST_LOG) / LOG_WORDS)
/** The lock's halves; one of them is waited for. */
const locks = new Int32Array(words.buffer, 0, 2)
const LOCK_PATIENCE_MS = 2_000

/** Runs `work`, some microseconds of it, while no other thread runs any. */
function alone<Result>(work: () => Result): Result {
  while (Atomics.compareExchange(locks, 0, 0, 1) !== 0) {
    // A thread that was ended in between would never give it back.
    if (Atomics.wait(locks, 0, 1, LOCK_PATIENCE_MS) === 'timed-out') break
  }
  try {
    return work()
  } finally {
    Atomics.store(locks, 0, 0)
    Atomics.notify(locks, 0, 1)
  }
}

function hashOf(key: string): bigint {
  return createHash('sha256').update(key).digest().readBigInt64LE(0) || 1n
}

const wordsOf = (log: number): BigInt64Array =>
  words.subarray(FIRST_LOG + log * LOG_WORDS, FIRST_LOG + (log + 1) * LOG_WORDS)

/**
 * The words of the log of that name, which it has or takes; words of this thread alone where there
 * are none left.
 */
function attach(name: bigint): BigInt64Array {
  let free: BigInt64Array | undefined
  for (let log = 0; log < LOGS; log++) {
    const found = wordsOf(log)
    if (found[ATTACHED] !== 0n && found[NAME] === name) return found
    if (found[ATTACHED] === 0n) free ??= found
  }
  const taken = free ?? new BigInt64Array(LOG_WORDS)
  taken.fill(0n)
  taken[NAME] = name
  return taken
}

function bucketOf(nanoseconds: number): number {
  const exponent = Math.max(MIN_EXPONENT, Math.floor(Math.log2(nanoseconds)))
  const fraction = Math.floor((nanoseconds / 2 ** exponent - 1) * FRACTIONS)
  const bucket = (exponent - MIN_EXPONENT) * FRACTIONS + Math.max(0, fraction)
  return Math.min(BUCKETS - 1, bucket)
}

/** The middle of what is counted in a bucket, in ns. */
function durationOf(bucket: number): number {
  const exponent = MIN_EXPONENT + Math.floor(bucket / FRACTIONS)
  return 2 ** exponent * (1 + ((bucket % FRACTIONS) + 0.5) / FRACTIONS)
}

/** The bucket that holds the one which `rank` durations are not longer than. */
function bucketAt(buckets: readonly number[], rank: number): number {
  let passed = 0
  for (const [bucket, count] of buckets.entries()) {
    passed += count
    if (count > 0 && passed >= rank) return bucket
  }
  return 0
}

/** Number of durations; their mean, the longest, and those that shares lie below, in ns. */
interface Durations {
  count: number
  mean: number
  max: number
  below: number[]
  /** How many are no longer than each bound. */
  upTo: number[]
}

/** What has been counted since the first thread has opened the log, by all of them. */
class SharedStatistics {
  #words: BigInt64Array
  #isAttached = true

  /** @param key the same for all threads that have the log open */
  constructor(key: string) {
    this.#words = alone(() => {
      const found = attach(hashOf(key))
      Atomics.add(found, ATTACHED, 1n)
      return found
    })
  }

  /** This thread has given the log up. From now on it has the counts as they are now. */
  detach(): void {
    if (!this.#isAttached) return
    this.#isAttached = false
    const shared = this.#words
    alone(() => {
      this.#words = shared.slice()
      Atomics.sub(shared, ATTACHED, 1n)
    })
  }

  /** Threads that have the log open; none for one that has given it up. */
  get producers(): number {
    return this.#isAttached ? Number(Atomics.load(this.#words, ATTACHED)) : 0
  }

  /** @param what a place in COUNTS */
  count(what: number, more: bigint): void {
    Atomics.add(this.#words, FIRST_COUNT + what, more)
  }

  counted(): Record<Count, number> {
    const counts = COUNTS.map((name, i) => [name, this.#read(FIRST_COUNT + i)])
    return Object.fromEntries(counts) as Record<Count, number>
  }

  countWritten(shard: number, entries: number): void {
    Atomics.add(this.#words, FIRST_SHARD + shard, BigInt(entries))
  }

  writtenOf(shard: number): number {
    return this.#read(FIRST_SHARD + shard)
  }

  countDuration(nanoseconds: number): void {
    const whole = BigInt(nanoseconds)
    Atomics.add(this.#words, TIME_SUM, whole)
    Atomics.add(this.#words, FIRST_BUCKET + bucketOf(nanoseconds), 1n)
    for (;;) {
      const max = Atomics.load(this.#words, TIME_MAX)
      if (max >= whole || Atomics.compareExchange(this.#words, TIME_MAX, max, whole) === max) return
    }
  }

  /**
   * @param shares of the durations, 0 to 1
   * @param bounds in ns
   */
  durations(shares: readonly number[], bounds: readonly number[]): Durations {
    const buckets = Array.from({ length: BUCKETS }, (_, i) => this.#read(FIRST_BUCKET + i))
    const count = buckets.reduce((sum, n) => sum + n, 0)
    const max = this.#read(TIME_MAX)
    const below = shares.map(share => Math.min(max, durationOf(bucketAt(buckets, share * count))))
    const upTo = bounds.map(bound => buckets.reduce((sum, n, i) => (durationOf(i) <= bound ? sum + n : sum), 0))
    return { count, mean: count === 0 ? 0 : this.#read(TIME_SUM) / count, max, below, upTo }
  }

  #read(word: number): number {
    return Number(Atomics.load(this.#words, word))
  }
}

const PLACES = Object.fromEntries(COUNTS.map((name, place) => [name, place])) as Record<Count, number>
const { totalLogs: TOTAL, droppedLogs: DROPPED } = PLACES

/**
 * What the JavaScript engine counts of a log, over all threads that have it open; docs in
 * `StatsSnapshot`.
 */
export class Counters extends SharedStatistics {
  /** Counts a log call. */
  call(): void {
    this.count(TOTAL, 1n)
  }

  /** Counts an entry that was not accepted. Returns false, what the log call returns. */
  drop(): false {
    this.count(DROPPED, 1n)
    return false
  }

  add(name: Count, more = 1): void {
    if (more > 0) this.count(PLACES[name], BigInt(more))
  }
}

const NS_PER_MS = 1e6
const SHARES = [0.5, 0.9, 0.99, 0.999]

/** Durations of flushes, of all threads that have the log open. */
export class FlushTimes {
  constructor(private readonly counters: Counters) {}

  record(milliseconds: number): void {
    this.counters.countDuration(Math.max(1, Math.round(milliseconds * NS_PER_MS)))
  }

  metrics(): Omit<FlushMetrics, 'lastError'> {
    const bounds = FLUSH_BOUNDS_MS.map(bound => bound * NS_PER_MS)
    const { count, mean, max, below, upTo } = this.counters.durations(SHARES, bounds)
    const [p50, p90, p99, p999] = below.map(duration => duration / NS_PER_MS) as [number, number, number, number]
    const buckets = FLUSH_BOUNDS_MS.map((leMs, i) => ({ leMs, count: upTo[i]! }))
    const [avgFlushDurationMs, maxFlushDurationMs] = [mean / NS_PER_MS, max / NS_PER_MS]
    return { count, avgFlushDurationMs, maxFlushDurationMs, p50, p90, p99, p999, buckets }
  }
}
