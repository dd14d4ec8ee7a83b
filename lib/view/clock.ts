/**
 * Times as numbers: ns since the first time that was seen. A number has them exactly for a hundred
 * days around it; further away, those that are whole ms.
 */

import { nanoseconds } from '../recorder/decode'

/** Of what has no time. It comes before all that has one. */
export const NO_TIME = Number.NEGATIVE_INFINITY

const NS_PER_MS = 1e6

export class Clock {
  #base: bigint | null = null
  #baseMs = 0

  /** @param ns since the Unix epoch; 0 and less: none */
  ticksOf(ns: bigint): number {
    if (ns <= 0n) return NO_TIME
    this.#base ??= ns - (ns % 1_000_000n)
    this.#baseMs = Number(this.#base / 1_000_000n)
    return Number(ns - this.#base)
  }

  /** @param ms whole ones since the Unix epoch */
  ticksOfMs(ms: number): number {
    if (this.#base === null) return this.ticksOf(nanoseconds(ms))
    return nanoseconds(ms) === 0n ? NO_TIME : (ms - this.#baseMs) * NS_PER_MS
  }

  /** ns since the Unix epoch; 0 of `NO_TIME`. */
  nsOf(ticks: number): bigint {
    if (ticks === NO_TIME || this.#base === null) return 0n
    if (Number.isSafeInteger(ticks)) return this.#base + BigInt(ticks)
    return this.#base + BigInt(Math.round(ticks / NS_PER_MS)) * 1_000_000n
  }
}
