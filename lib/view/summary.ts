/** What many events have in common. */

import type { ViewEvent } from './event'

/** Messages, and targets, that are counted one by one; further ones together. */
export const MOST_COUNTED = 20_000
const GAPS = 3
const NS_PER_S = 1e9

/** How often each of many things was seen. */
export class Tally {
  readonly #counts = new Map<string, number>()
  #others = 0

  add(key: string): void {
    const count = this.#counts.get(key)
    if (count === undefined && this.#counts.size >= MOST_COUNTED) this.#others++
    else this.#counts.set(key, (count ?? 0) + 1)
  }

  /** The most frequent; of equal ones the first seen first. */
  top(most: number): { name: string; count: number }[] {
    return [...this.#counts]
      .map(([name, count]) => ({ name, count }))
      .sort((a, b) => b.count - a.count)
      .slice(0, most)
  }

  get distinct(): number {
    return this.#counts.size
  }

  /** Whether there may be more of them: those that were not counted one by one. */
  get isFull(): boolean {
    return this.#others > 0
  }
}

export interface Gap {
  from: bigint
  ns: bigint
}

export class Summary {
  events = 0
  /** Of the events that have a time; null: none has. */
  first: bigint | null = null
  last: bigint | null = null
  readonly levels = new Tally()
  readonly targets = new Tally()
  readonly messages = new Tally()
  #gaps: Gap[] = []
  readonly #mostGaps: number

  /** @param gaps how many of the longest are kept */
  constructor(gaps = GAPS) {
    this.#mostGaps = gaps
  }

  add({ time, level, target, message }: ViewEvent): void {
    // What has none would seem to be of 1970.
    if (time > 0n) this.#noteTime(time)
    this.events++
    this.levels.add(level)
    this.targets.add(target)
    this.messages.add(message)
  }

  #noteTime(time: bigint): void {
    if (this.last !== null) this.#noteGap(this.last, time)
    if (this.first === null || time < this.first) this.first = time
    if (this.last === null || time > this.last) this.last = time
  }

  #noteGap(from: bigint, to: bigint): void {
    const ns = to - from
    const least = this.#gaps.length < this.#mostGaps ? 0n : this.#gaps[this.#mostGaps - 1]!.ns
    if (ns <= least) return
    this.#gaps.push({ from, ns })
    this.#gaps.sort((a, b) => (a.ns < b.ns ? 1 : a.ns > b.ns ? -1 : 0))
    this.#gaps.length = Math.min(this.#gaps.length, this.#mostGaps)
  }

  get seconds(): number {
    return this.first === null ? 0 : Number((this.last as bigint) - this.first) / NS_PER_S
  }

  /** Events per second; null of fewer than two times. */
  get rate(): number | null {
    return this.seconds === 0 ? null : this.events / this.seconds
  }

  get gaps(): readonly Gap[] {
    return this.#gaps
  }
}
