/**
 * The options `sampling` and `maxEventsPerSecond`: which share of the records is kept when there
 * are more than are wanted.
 */

import { Lru } from '../lru'
import {
  type FeatureOptions,
  failOption,
  isOptions,
  type KeptOption,
  type LoadOptions,
  type Rules,
  resolved,
  rules,
  type SamplingOptions
} from './options'
import { type LoadStats, RateLimit, SystemLoad } from './rate-limit'

// How often each event comes, and what share of it is kept: rare ones whole, frequent ones as much
// as is left.

/** Parts of the window that are counted by themselves. */
const TICKS = 10
/** Events that are told apart; those beyond are counted as one. */
const MAX_EVENTS = 1_000

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

class EventShares {
  readonly #step: number
  readonly #least: number
  readonly #events = new Lru<string, Counted>(MAX_EVENTS)
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

  /**
   * Counts an event, and tells the share of it that is to be kept. `budget`: what may be kept
   * within the window.
   */
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
    if (this.#events.size >= MAX_EVENTS && !this.#makeRoom()) return this.#others
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

  /**
   * Fills the budget as water fills steps: the rarest events are in it whole, the others to one
   * height.
   */
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

// The sampler.

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

interface ResolvedSampling {
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
  if (most !== undefined && !rules.count.accepts(most)) failOption('maxEventsPerSecond', most, rules.count.allowed)
  const given: unknown = sampling ?? undefined
  const none = given === false || given === undefined
  if (none && most === undefined) return null
  if (!none && !isOptions(given)) failOption('sampling', given, 'an object with a targetRate, or false')
  const own = none ? {} : (given as SamplingOptions)
  const options = resolved<SamplingOptions>('sampling', own, RULES, DEFAULTS)
  const targetRate = options.targetRate ?? most
  if (targetRate === undefined) failOption('sampling.targetRate', undefined, rules.positive.allowed)
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
 * Decides record by record. While no more than `targetRate × window` records came within the
 * window, all are kept. Beyond that the rare events are, and the others share what is left: the
 * share of each falls at once and rises by `step` a tick. A limit is looked at after that.
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
