/** Events over time by level, of a series whose range is not known beforehand. */

import { NO_TIME } from './clock'
import { LEVEL_CLASSES } from './event'

/** So many that a column of a wide screen has dozens: none is wider than its neighbour by much. */
const BINS = 16_384
const CLASSES = LEVEL_CLASSES.length
const FIRST_WIDTH = 1000

/** One bar. */
export interface Column {
  /** Ticks, as of `Clock`; the end is the start of the next one. */
  start: number
  end: number
  /** Events by `LEVEL_CLASSES`. */
  counts: number[]
}

/**
 * Counts events in bins of one width. If one is out of their range the width is doubled, as often
 * as
 * it takes: memory and the time to add one stay the same.
 */
export class Histogram {
  #counts = new Uint32Array(BINS * CLASSES)
  #origin = 0
  #width = FIRST_WIDTH
  #first = Number.POSITIVE_INFINITY
  #last = Number.NEGATIVE_INFINITY
  /** Events that have no time. */
  withoutTime = 0

  /** @param ticks as of `Clock` */
  add(ticks: number, levelClass: number): void {
    if (ticks === NO_TIME) {
      this.withoutTime++
      return
    }
    if (this.#first > this.#last) this.#origin = ticks
    if (ticks < this.#first) this.#first = ticks
    if (ticks > this.#last) this.#last = ticks
    let bin = Math.floor((ticks - this.#origin) / this.#width)
    while (bin < 0 || bin >= BINS) {
      this.#double(bin < 0)
      bin = Math.floor((ticks - this.#origin) / this.#width)
    }
    this.#counts[bin * CLASSES + levelClass]!++
  }

  #double(downwards: boolean): void {
    const counts = new Uint32Array(BINS * CLASSES)
    const shift = downwards ? BINS / 2 : 0
    for (let bin = 0; bin < BINS; bin++) {
      const to = (shift + (bin >> 1)) * CLASSES
      for (let level = 0; level < CLASSES; level++) {
        counts[to + level]! += this.#counts[bin * CLASSES + level]!
      }
    }
    if (downwards) this.#origin -= BINS * this.#width
    this.#width *= 2
    this.#counts = counts
  }

  /** Ticks of the first and the last event; null without events that have a time. */
  get range(): { first: number; last: number } | null {
    return this.#first > this.#last ? null : { first: this.#first, last: this.#last }
  }

  /** At most so many bars of one width, from the first event to the last; none without events. */
  columns(most: number): Column[] {
    if (this.#first > this.#last || most < 1) return []
    const from = Math.floor((this.#first - this.#origin) / this.#width)
    const to = Math.floor((this.#last - this.#origin) / this.#width) + 1
    const perColumn = Math.ceil((to - from) / most)
    const columns: Column[] = []
    for (let bin = from; bin < to; bin += perColumn) {
      const counts = new Array<number>(CLASSES).fill(0)
      for (let at = bin; at < Math.min(to, bin + perColumn); at++) {
        for (let level = 0; level < CLASSES; level++) counts[level]! += this.#counts[at * CLASSES + level]!
      }
      const edge = (at: number): number => this.#origin + at * this.#width
      columns.push({ start: edge(bin), end: edge(bin + perColumn), counts })
    }
    return columns
  }
}
