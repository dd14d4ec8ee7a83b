/** The options `sampling` and `maxEventsPerSecond`: which share of the records is kept when there are more than are wanted. */

import { isOptions, type Rules, refuse, resolved, rules } from './check'
import { EventShares, TICKS } from './event-shares'
import type { KeptOption } from './kept-levels'
import type { FeatureOptions, LoadOptions, SamplingOptions } from './options'
import { RateLimit } from './rate-limit'
import { type LoadStats, SystemLoad } from './system-load'

export interface SamplingStats {
  /** Records that came to the sampler: those of levels that are not always kept. */
  offered: number
  /** Those of them that were written. */
  kept: number
  /** Those that were not, and the held-back repeats of those. */
  sampledOut: number
  /** The lowest share that is kept at present, of the event that comes most often; 1: all are. */
  probability: number
  /** With `sampling.load`: what it looked like last; else null. */
  load: LoadStats | null
}

export interface ResolvedSampling {
  targetRate: number
  window: number
  step: number
  minProbability: number
  field: string
  alwaysKeep: KeptOption | undefined
  load: Required<LoadOptions> | null
  /** null: no limit. */
  maxEventsPerSecond: number | null
}

const loadRules: Rules<Required<LoadOptions>> = {
  eventLoopDelay: rules.milliseconds,
  bufferUse: {
    allowed: 'a number of per cent above 0 and below 100',
    accepts: value => typeof value === 'number' && value > 0 && value < 100
  }
}
const LOAD_DEFAULTS: Required<LoadOptions> = { eventLoopDelay: 100, bufferUse: 75 }

const RULES: Rules<SamplingOptions> = {
  targetRate: rules.positive,
  window: rules.milliseconds,
  step: rules.share,
  minProbability: rules.share,
  field: rules.fieldName,
  alwaysKeep: rules.levelName,
  load: { allowed: 'true, false or an object', accepts: value => typeof value === 'boolean' || isOptions(value) }
}
const DEFAULTS = { step: 0.1, minProbability: 0.001, field: 'sampleRate' }
const DEFAULT_WINDOW_MS = 10_000
/** A limit that holds in every second is looked at over one. */
const LIMIT_WINDOW_MS = 1_000

/**
 * The options of the sampler; null if there is to be none.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function samplingOptions({ sampling, maxEventsPerSecond }: FeatureOptions): ResolvedSampling | null {
  const most = maxEventsPerSecond ?? undefined
  if (most !== undefined && !rules.count.accepts(most)) refuse('maxEventsPerSecond', most, rules.count.allowed)
  const given: unknown = sampling ?? undefined
  const none = given === false || given === undefined
  if (none && most === undefined) return null
  if (!none && !isOptions(given)) refuse('sampling', given, 'an object with a targetRate, or false')
  const own = none ? {} : (given as SamplingOptions)
  const options = resolved<SamplingOptions>('sampling', own, RULES, DEFAULTS)
  const targetRate = options.targetRate ?? most
  if (targetRate === undefined) refuse('sampling.targetRate', undefined, rules.positive.allowed)
  const window = options.window ?? (options.targetRate === undefined ? LIMIT_WINDOW_MS : DEFAULT_WINDOW_MS)
  const { load, alwaysKeep, ...rest } = options as typeof options & typeof DEFAULTS
  return { ...rest, targetRate, window, alwaysKeep, load: loadOptions(load), maxEventsPerSecond: most ?? null }
}

function loadOptions(load: SamplingOptions['load']): Required<LoadOptions> | null {
  if (!load) return null
  return resolved<Required<LoadOptions>>('sampling.load', load === true ? {} : load, loadRules, LOAD_DEFAULTS)
}

/** What a record is counted as: its level and its message; all that have no text are one. */
function eventOf(level: number, message: unknown): string {
  return typeof message === 'string' ? `${level} ${message}` : `${level}`
}

/**
 * Decides record by record. While no more than `targetRate × window` records came within the window, all are kept. Beyond that the rare events
 * are, and the others share what is left: the share of each falls at once and rises by `step` a tick. A limit is looked at after that.
 */
export class AdaptiveSampler {
  /** Key of the kept share. */
  readonly field: string
  readonly #tickMs: number
  readonly #fullBudget: number
  readonly #shares: EventShares
  readonly #limit: RateLimit | null
  readonly #load: SystemLoad | null
  #budget: number
  #tick = 0
  #offered = 0
  #kept = 0
  #sampledOut = 0

  /**
   * @param stream where records go
   * @param logName of what other threads write to as well, null if they do not
   */
  constructor(options: ResolvedSampling, stream: object, logName: string | null) {
    const { targetRate, window, step, minProbability, field, maxEventsPerSecond, load } = options
    this.field = field
    this.#tickMs = window / TICKS
    this.#fullBudget = (targetRate * window) / 1000
    this.#budget = this.#fullBudget
    this.#shares = new EventShares(step, minProbability)
    this.#limit = maxEventsPerSecond === null ? null : new RateLimit(maxEventsPerSecond, logName)
    this.#load = load && new SystemLoad(load, stream)
  }

  /** The share of records like this one that is kept; 0 if this one is not. */
  decide(level: number, message: unknown): number {
    const now = Date.now()
    this.#offered++
    const probability = this.#shares.share(eventOf(level, message), this.#tickAt(now), this.#budget)
    if (probability < 1 && Math.random() >= probability) return this.#refuse()
    const granted = this.#limit === null ? 1 : this.#limit.take(now, probability === 1)
    if (granted === 0) return this.#refuse()
    this.#kept++
    return probability * granted
  }

  /** Counts a record that is kept whatever there is. */
  note(): void {
    this.#limit?.note(Date.now())
  }

  #refuse(): 0 {
    this.#sampledOut++
    return 0
  }

  #tickAt(now: number): number {
    const tick = Math.floor(now / this.#tickMs)
    if (tick !== this.#tick && this.#load !== null) this.#budget = this.#fullBudget * this.#load.measure()
    this.#tick = tick
    return tick
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
      probability: this.#shares.lowest(Math.floor(Date.now() / this.#tickMs), this.#budget),
      load: this.#load?.stats() ?? null
    }
  }
}
