/** The option `sampling`: which share of the records is kept when there are more than are wanted. */

import { ShardlogError } from '../errors'
import { isOptions, type Rules, refuse, resolved, rules } from './check'
import type { FeatureOptions, SamplingOptions } from './options'

export type ResolvedSampling = Required<SamplingOptions>

export interface SamplingStats {
  /** Records below 'warn' that came to the sampler. */
  offered: number
  /** Those of them that were written. */
  kept: number
  /** Those that were not, and the held-back repeats of those. */
  sampledOut: number
  /** The share that is kept at present, 1 for all. */
  probability: number
}

/** Parts of the window that are counted by themselves. */
const TICKS = 10

const RULES: Rules<ResolvedSampling> = {
  targetRate: rules.positive,
  window: rules.milliseconds,
  step: rules.share,
  minProbability: rules.share,
  field: rules.fieldName
}
const DEFAULTS = { window: 10_000, step: 0.1, minProbability: 0.001, field: 'sampleRate' }

/**
 * The options of the sampler; null if there is to be none.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function samplingOptions({ sampling, maxEventsPerSecond }: FeatureOptions): ResolvedSampling | null {
  const most = maxEventsPerSecond ?? undefined
  if (most !== undefined && !rules.positive.accepts(most)) {
    refuse('maxEventsPerSecond', most, rules.positive.allowed)
  }
  const given: unknown = sampling ?? undefined
  if (given === false || (given === undefined && most === undefined)) return null
  if (given !== undefined && !isOptions(given)) refuse('sampling', given, 'an object with a targetRate, or false')
  const own = (given ?? {}) as SamplingOptions
  if (own.targetRate !== undefined && most !== undefined) {
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      `options maxEventsPerSecond (${most}) and sampling.targetRate (${own.targetRate}) are the same: give one of them`
    )
  }
  const options = resolved<SamplingOptions>('sampling', { targetRate: most, ...defined(own) }, RULES, DEFAULTS)
  if (options.targetRate === undefined) refuse('sampling.targetRate', undefined, rules.positive.allowed)
  return options as ResolvedSampling
}

function defined(options: object): object {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined))
}

/**
 * Decides record by record. While no more than `targetRate × window` records came within the window, all are kept. Beyond that each is
 * kept with the probability `targetRate × window / (records within the window)`: it falls at once and rises by `step` a tick.
 */
export class AdaptiveSampler {
  /** Key of the kept share. */
  readonly field: string
  readonly #tickMs: number
  readonly #budget: number
  readonly #step: number
  readonly #least: number
  readonly #counts = new Float64Array(TICKS)
  #tick = 0
  #inWindow = 0
  #probability = 1
  #ceiling = 1
  #offered = 0
  #kept = 0
  #sampledOut = 0

  constructor({ targetRate, window, step, minProbability, field }: ResolvedSampling) {
    this.field = field
    this.#tickMs = window / TICKS
    this.#budget = (targetRate * window) / 1000
    this.#step = step
    this.#least = minProbability
  }

  /** The share of records like this one that is kept; 0 if this one is not. */
  decide(): number {
    this.#advance(Math.floor(Date.now() / this.#tickMs))
    this.#counts[this.#tick % TICKS]!++
    this.#inWindow++
    this.#offered++
    const probability = this.#share()
    this.#probability = probability
    if (probability < 1 && Math.random() >= probability) {
      this.#sampledOut++
      return 0
    }
    this.#kept++
    return probability
  }

  #share(): number {
    if (this.#inWindow <= this.#budget) return 1
    return Math.max(this.#least, Math.min(this.#ceiling, this.#budget / this.#inWindow))
  }

  /** Forgets what the window has left behind. */
  #advance(tick: number): void {
    const passed = tick - this.#tick
    if (passed === 0) return
    // Also when the clock was set back.
    if (passed < 0 || passed >= TICKS) this.#counts.fill(0)
    else for (let at = this.#tick + 1; at <= tick; at++) this.#counts[at % TICKS] = 0
    this.#tick = tick
    this.#inWindow = this.#counts.reduce((sum, count) => sum + count, 0)
    this.#ceiling = passed < 0 ? 1 : Math.min(1, this.#probability + this.#step * passed)
  }

  /** Counts repeats of a record that was not kept. */
  addSampledOut(repeats: number): void {
    this.#sampledOut += repeats
  }

  stats(): SamplingStats {
    return {
      offered: this.#offered,
      kept: this.#kept,
      sampledOut: this.#sampledOut,
      probability: this.#probability
    }
  }
}
