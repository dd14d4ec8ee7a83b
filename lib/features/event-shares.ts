/** How often each event comes, and what share of each is kept: the rare ones whole, the frequent ones as much as is left. */

import { Lru } from './lru'

/** Parts of the window that are counted by themselves. */
export const TICKS = 10
/** Events that are told apart; those beyond are counted as one. */
const MOST_EVENTS = 1_000

/** What is counted of one event: a level and a message. */
class Counted {
  readonly ticks = new Float64Array(TICKS)
  inWindow = 0
  /** The share last decided, in which tick, and the most it may rise to from there. */
  share = 1
  ceiling = 1
  tick = 0

  advance(tick: number, step: number): void {
    const passed = tick - this.tick
    if (passed === 0) return
    // Also when the clock was set back.
    if (passed < 0 || passed >= TICKS) this.ticks.fill(0)
    else for (let at = this.tick + 1; at <= tick; at++) this.ticks[at % TICKS] = 0
    this.tick = tick
    this.inWindow = this.ticks.reduce((sum, count) => sum + count, 0)
    this.ceiling = passed < 0 ? 1 : Math.min(1, this.share + step * passed)
  }
}

export class EventShares {
  readonly #step: number
  readonly #least: number
  readonly #events = new Lru<string, Counted>(MOST_EVENTS)
  readonly #others = new Counted()
  readonly #all = new Counted()
  /** What of each event is kept at the most, so that all fit into the budget. */
  #most = Number.POSITIVE_INFINITY
  /** When that is worked out anew. */
  #again = 0
  #budget = 0

  constructor(step: number, least: number) {
    this.#step = step
    this.#least = least
  }

  /** Counts an event, and tells the share of it that is to be kept. `budget`: what may be kept within the window. */
  share(key: string, tick: number, budget: number): number {
    const event = this.#event(key)
    const isNewTick = this.#all.tick !== tick
    for (const counted of [this.#all, event]) {
      counted.advance(tick, this.#step)
      counted.ticks[tick % TICKS]!++
      counted.inWindow++
    }
    if (isNewTick || this.#all.inWindow >= this.#again || budget !== this.#budget) this.#weigh(tick, budget)
    event.share = this.#shareOf(event)
    return event.share
  }

  /** The share of the most frequent event at present, which is the lowest. */
  lowest(tick: number, budget: number): number {
    this.#all.advance(tick, this.#step)
    if (this.#all.inWindow <= budget) return 1
    let lowest = 1
    for (const event of [...this.#events.values(), this.#others]) {
      event.advance(tick, this.#step)
      if (event.inWindow > 0) lowest = Math.min(lowest, event.share)
    }
    return lowest
  }

  #event(key: string): Counted {
    const known = this.#events.get(key)
    if (known) return known
    if (this.#events.size >= MOST_EVENTS && !this.#makeRoom()) return this.#others
    const made = new Counted()
    this.#events.set(key, made)
    return made
  }

  /** Forgets the event that has not come for the longest, if that is longer than the window. */
  #makeRoom(): boolean {
    const oldest = this.#events.oldest()
    if (oldest === undefined || this.#all.tick - oldest[1].tick < TICKS) return false
    this.#events.delete(oldest[0])
    return true
  }

  #shareOf(event: Counted): number {
    if (this.#all.inWindow <= this.#budget || event.inWindow <= this.#most) return 1
    return Math.max(this.#least, Math.min(event.ceiling, this.#most / event.inWindow))
  }

  /** Fills the budget as water fills steps: the rarest events are in it whole, the others to one height. */
  #weigh(tick: number, budget: number): void {
    this.#budget = budget
    const total = this.#all.inWindow
    this.#again = total + Math.max(1, total >> 6)
    if (total <= budget) {
      this.#most = Number.POSITIVE_INFINITY
      return
    }
    const counts: number[] = []
    for (const event of [...this.#events.values(), this.#others]) {
      event.advance(tick, this.#step)
      if (event.inWindow > 0) counts.push(event.inWindow)
    }
    counts.sort((a, b) => a - b)
    let left = budget
    for (let i = 0; i < counts.length; i++) {
      const height = left / (counts.length - i)
      if (counts[i]! >= height) {
        this.#most = height
        return
      }
      left -= counts[i]!
    }
    this.#most = Number.POSITIVE_INFINITY
  }
}
