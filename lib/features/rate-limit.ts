/**
 * What limits sampling beside its target: `maxEventsPerSecond`, a maximum that holds in every
 * second, over all threads that write to one log, and `sampling.load`, by which less is kept while
 * the process is busy.
 */

import { createHash } from 'node:crypto'
import path from 'node:path'
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import { sharedMemory } from '../shared-memory'
import type { LoadOptions } from './options'

// Memory that all threads of the process share, by name.

/** Words of 32 bits: two of the name's hash, then what the slot is for. */
const SLOT_WORDS = 64
const NAME_WORDS = 2

const words = new Int32Array(sharedMemory('shardlog.slots'))
const SLOTS = words.length / SLOT_WORDS

/** Words of this thread alone. */
function ownWords(): Int32Array {
  return new Int32Array(SLOT_WORDS - NAME_WORDS)
}

/** The words of the slot at `at` if it is of this name, or free: then it is from now on. */
function claim(at: number, high: number, low: number): Int32Array | null {
  const first = Atomics.compareExchange(words, at, 0, high)
  if (first !== 0 && first !== high) return null
  const second = Atomics.compareExchange(words, at + 1, 0, low)
  return second === 0 || second === low ? words.subarray(at + NAME_WORDS, at + SLOT_WORDS) : null
}

/**
 * 62 words, zero at first, which all threads that ask by the same name share.
 *
 * @param name null: this thread's alone; so are those of names beyond the first 64 of the process
 */
function sharedSlot(name: string | null): Int32Array {
  if (name === null) return ownWords()
  const hash = createHash('sha256').update(name).digest()
  const [high, low] = [hash.readInt32LE(0) || 1, hash.readInt32LE(4) || 1]
  for (let slot = 0; slot < SLOTS; slot++) {
    const found = claim(slot * SLOT_WORDS, high, low)
    if (found !== null) return found
  }
  return ownWords()
}

// The name of a log: it tells that loggers of several threads write to it.

/** What of destinations is looked at: a descriptor's number, a file's path. */
interface Named {
  fd?: unknown
  file?: unknown
}

/**
 * A name for the log that `stream` leads to, the same in all threads of the process; null if it is
 * this thread's alone, as far as can be told.
 */
export function logNameOf(stream: object): string | null {
  const { fd, file } = stream as Named
  if (typeof file === 'string') return `file ${path.resolve(file)}`
  return typeof fd === 'number' && fd >= 0 ? `descriptor ${fd}` : null
}

// The option `maxEventsPerSecond`: a maximum that holds in every second, over all threads that
// write to one log.

/** Parts of a second that are counted by themselves: at worst the limit is that much too strict. */
const TICKS = 50
const TICK_MS = 1_000 / TICKS
/** One more than a second's, so that the present one may be in part. */
const KEPT_TICKS = TICKS + 1
/**
 * Where the words of the ticks end: the number of the last tick, the lock, and the refused of all
 * threads.
 */
const LAST_TICK = KEPT_TICKS
const LOCK = KEPT_TICKS + 1
const REFUSED = KEPT_TICKS + 2
const TAKEN = KEPT_TICKS + 3

/** Ticks that fit 31 bits, beginning anew after a year: only differences count. */
const TICK_MASK = 0x3fffffff

/** The part of the limit that is for events which come more often than others. */
const FOR_FREQUENT = 0.9

const tickOf = (now: number): number => Math.floor(now / TICK_MS) & TICK_MASK

/**
 * Grants no more than `limit` in any second, a sliding one: the last 50 parts of it and the present
 * one. Threads that share the words share the limit.
 */
export class RateLimit {
  readonly #limit: number
  /** A part of it, so that there is room for rare events in a flood of others. */
  readonly #forFrequent: number
  readonly #words: Int32Array

  /** @param name of the log, null if no other thread writes to it */
  constructor(limit: number, name: string | null) {
    this.#limit = limit
    this.#forFrequent = Math.max(1, Math.floor(limit * FOR_FREQUENT))
    this.#words = sharedSlot(name)
  }

  /**
   * The share that a record stands for which is granted now, the refused ones before it included; 0
   * if it is refused.
   *
   * @param isRare whether it may have what is kept free for rare events
   */
  take(now: number, isRare: boolean): number {
    const words = this.#words
    this.#lock()
    try {
      this.#advance(tickOf(now))
      if (words[TAKEN]! >= (isRare ? this.#limit : this.#forFrequent)) {
        words[REFUSED]!++
        return 0
      }
      this.#count()
      const share = 1 / (1 + words[REFUSED]!)
      words[REFUSED] = 0
      return share
    } finally {
      Atomics.store(words, LOCK, 0)
    }
  }

  /** Counts a record that is kept in any case. */
  note(now: number): void {
    this.#lock()
    this.#advance(tickOf(now))
    this.#count()
    Atomics.store(this.#words, LOCK, 0)
  }

  #count(): void {
    const words = this.#words
    words[words[LAST_TICK]! % KEPT_TICKS]!++
    words[TAKEN]!++
  }

  /** A few loads and stores are all that is done under it. */
  #lock(): void {
    while (Atomics.compareExchange(this.#words, LOCK, 0, 1) !== 0) {
      // Another thread has it for some ten nanoseconds; a thread that ended in between would not
      // give it back, so that it is taken in the end.
      if (Atomics.wait(this.#words, LOCK, 1, 1) === 'timed-out') break
    }
  }

  #advance(tick: number): void {
    const words = this.#words
    const passed = tick - words[LAST_TICK]!
    if (passed === 0) return
    // Also where the clock was set back by much; a thread that is a tick behind counts in the
    // present one.
    if (passed < 0 && passed > -TICKS) return
    if (passed < 0 || passed >= KEPT_TICKS) words.fill(0, 0, KEPT_TICKS)
    else for (let at = words[LAST_TICK]! + 1; at <= tick; at++) words[at % KEPT_TICKS] = 0
    words[LAST_TICK] = tick
    let taken = 0
    for (let at = 0; at < KEPT_TICKS; at++) taken += words[at]!
    words[TAKEN] = taken
  }
}

// The option `sampling.load`: less is kept while the process is busy, or the buffers are filling
// up.

export interface LoadStats {
  /** Mean delay of the event loop in the last part of the window, in ms. */
  eventLoopDelay: number
  /** Use of the fullest buffer of the destination, 0 to 100. */
  bufferUse: number
  /** What of the target rate is kept for it, up to 1. */
  factor: number
}

/** What of a destination is looked at. */
interface Buffered {
  getShardStats?: () => { utilizationPct: number }[]
}

const RESOLUTION_MS = 20
const NS_PER_MS = 1e6
const FULL = 100
/** However busy: what is kept at the least. */
const MIN_FACTOR = 0.1

export class SystemLoad {
  readonly #limits: Required<LoadOptions>
  readonly #stream: Buffered
  readonly #delays: IntervalHistogram
  #stats: LoadStats = { eventLoopDelay: 0, bufferUse: 0, factor: 1 }

  constructor(limits: Required<LoadOptions>, stream: object) {
    this.#limits = limits
    this.#stream = stream
    this.#delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delays.enable()
  }

  /** Looks again; what of the target rate is to be kept from now on. */
  measure(): number {
    const eventLoopDelay = this.#delay()
    const bufferUse = this.#bufferUse()
    const { eventLoopDelay: mostDelay, bufferUse: mostUse } = this.#limits
    const byDelay = eventLoopDelay <= mostDelay ? 1 : mostDelay / eventLoopDelay
    const byUse = bufferUse <= mostUse ? 1 : (FULL - bufferUse) / (FULL - mostUse)
    const factor = Math.max(MIN_FACTOR, Math.min(byDelay, byUse))
    this.#stats = { eventLoopDelay, bufferUse, factor }
    return factor
  }

  #delay(): number {
    const { mean } = this.#delays
    this.#delays.reset()
    return Number.isFinite(mean) ? Math.max(0, mean / NS_PER_MS - RESOLUTION_MS) : 0
  }

  #bufferUse(): number {
    const shards = this.#stream.getShardStats?.() ?? []
    return shards.reduce((most, { utilizationPct }) => Math.max(most, utilizationPct), 0)
  }

  stats(): LoadStats {
    return this.#stats
  }
}
