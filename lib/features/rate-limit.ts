/** The option `maxEventsPerSecond`: a maximum that holds in every second, over all threads that write to one log. */

import { sharedSlot } from './shared-slots'

/** Parts of a second that are counted by themselves: at worst the limit is that much too strict. */
const TICKS = 50
const TICK_MS = 1_000 / TICKS
/** One more than a second's, so that the present one may be in part. */
const KEPT_TICKS = TICKS + 1
/** Where the words of the ticks end: the number of the last tick, the lock, and the refused of all threads. */
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
 * Grants no more than `limit` in any second, a sliding one: the last 50 parts of it and the present one. Threads that share the words share the
 * limit.
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
   * The share that a record stands for which is granted now, the refused ones before it included; 0 if it is refused.
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
      // Another thread has it for some ten nanoseconds; a thread that ended in between would not give it back, so that it is taken in the end.
      if (Atomics.wait(this.#words, LOCK, 1, 1) === 'timed-out') break
    }
  }

  #advance(tick: number): void {
    const words = this.#words
    const passed = tick - words[LAST_TICK]!
    if (passed === 0) return
    // Also where the clock was set back by much; a thread that is a tick behind counts in the present one.
    if (passed < 0 && passed > -TICKS) return
    if (passed < 0 || passed >= KEPT_TICKS) words.fill(0, 0, KEPT_TICKS)
    else for (let at = words[LAST_TICK]! + 1; at <= tick; at++) words[at % KEPT_TICKS] = 0
    words[LAST_TICK] = tick
    let taken = 0
    for (let at = 0; at < KEPT_TICKS; at++) taken += words[at]!
    words[TAKEN] = taken
  }
}
