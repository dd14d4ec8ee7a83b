/**
 * Options of the features, as `shardlog(options)` takes them, and the checks of them.
 */

import { inspect } from 'node:util'
import { nearestName, ShardlogError } from '../errors'
import type { EncoderOption } from '../pino/types'
import type { RecorderOptions } from '../recorder/options'

/** A level's name, or false for none. */
export type KeptOption = string | false

export interface LoadOptions {
  /** Mean delay of the event loop, in ms, above which less is kept. Default 100. */
  eventLoopDelay?: number
  /** Use of the destination's fullest buffer, in per cent, above which less is kept. Default 75. */
  bufferUse?: number
}

export interface SamplingOptions {
  /**
   * Records per second that are kept on average over the window, of levels that are not always
   * kept. Default `maxEventsPerSecond`.
   */
  targetRate?: number
  /**
   * What the rate is measured over, in ms. Default 10,000; 1,000 where there is
   * `maxEventsPerSecond` alone.
   */
  window?: number
  /** The most that the kept share of an event rises in a tenth of the window. Default 0.1. */
  step?: number
  /** The kept share never falls below this. Default 0.001. */
  minProbability?: number
  /** Key of the kept share in each record. Default 'sampleRate'. */
  field?: string
  /**
   * Name of the least grave level that is always kept; false for none. Default 'warn', or what a
   * logger has in its place.
   */
  alwaysKeep?: string | false
  /**
   * Keeps less while the event loop is late or the destination's buffers fill up. Default false.
   */
  load?: LoadOptions | boolean
}

export interface DedupeOptions {
  /** How long repeats of a record are held back at the most, in ms. Default 1,000. */
  window?: number
  /** Names of the logged fields that must be equal in a repeat. Default all. */
  keys?: readonly string[]
  /**
   * Name of the least grave level that is never held back; false for none. Default 'fatal', or what
   * a logger has in its place.
   */
  alwaysKeep?: string | false
}

export interface OtelOptions {
  /** Names of the baggage entries to write under `baggage`; true for all. Default none. */
  baggage?: readonly string[] | true
}

export interface CallerOptions {
  /** Key of the call site. Default 'caller'. */
  field?: string
}

/** Options of a structured logger beyond pino's. Each is off by default, and costs nothing then. */
export interface FeatureOptions extends EncoderOption {
  /**
   * Keeps a share of the records below 'warn' while more come than `targetRate`: rare events whole,
   * of frequent ones as much as is left.
   */
  sampling?: SamplingOptions | false
  /**
   * The most records below 'warn' that are kept in any second, of all threads that write to one
   * log. Also the `targetRate` if there is no other.
   */
  maxEventsPerSecond?: number
  /** Writes repeats of a record as one line that counts them. True for the defaults. */
  dedupe?: DedupeOptions | boolean
  /**
   * Adds trace_id, span_id and trace_flags of the active OpenTelemetry span. Needs the package
   * @opentelemetry/api.
   */
  otel?: OtelOptions | boolean
  /** Adds file, line and function of the log call. */
  caller?: CallerOptions | boolean
  /**
   * Keeps the latest records of every level, also those below the logger's, for snapshots of them
   * at a crash and when asked for.
   */
  recorder?: RecorderOptions
}

// Checks.

/** What an option may be, in words for the error message, and the test of it. */
export interface Rule {
  allowed: string
  accepts: (value: unknown) => boolean
}

export type Rules<Options> = Readonly<Record<keyof Options & string, Rule>>

/** Longest wait that a timer of Node's can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const rules = {
  flag: { allowed: 'true or false', accepts: value => typeof value === 'boolean' },
  milliseconds: {
    allowed: `a number of milliseconds from 1 to ${MAX_TIMER_MS}`,
    accepts: value => typeof value === 'number' && value >= 1 && value <= MAX_TIMER_MS
  },
  positive: {
    allowed: 'a finite number above 0',
    accepts: value => typeof value === 'number' && value > 0 && Number.isFinite(value)
  },
  share: {
    allowed: 'a number above 0 and up to 1',
    accepts: value => typeof value === 'number' && value > 0 && value <= 1
  },
  count: {
    allowed: 'a whole number from 1 up',
    accepts: value => Number.isSafeInteger(value) && (value as number) > 0
  },
  fieldName: { allowed: 'a non-empty string', accepts: value => typeof value === 'string' && value !== '' },
  levelName: {
    allowed: 'the name of a level, or false',
    accepts: value => value === false || (typeof value === 'string' && value !== '')
  },
  names: {
    allowed: 'an array of strings',
    accepts: value => Array.isArray(value) && value.every(name => typeof name === 'string')
  }
} satisfies Record<string, Rule>

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG`, always */
export function failOption(option: string, value: unknown, allowed: string): never {
  const shown = inspect(value, { depth: 1, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY })
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `option ${option} must be ${allowed}, got ${shown}`)
}

function checkName(feature: string, name: string, value: unknown, known: readonly string[]): void {
  if (known.includes(name)) return
  const near = nearestName(name, known)
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`
  const shown = inspect(value, { depth: 0, maxStringLength: 80 })
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `unknown option ${feature}.${name} (value ${shown}): ${hint}`)
}

/** Whether `value` can hold options. */
export function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The options of a feature with what applies by default filled in.
 *
 * @param feature its name, for messages
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown name or a wrong value
 */
export function resolved<Options extends object>(
  feature: string,
  given: object,
  allowed: Rules<Options>,
  defaults: Options
): Options {
  const known = Object.keys(allowed)
  const set = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [name, value] of set) {
    checkName(feature, name, value, known)
    const rule = allowed[name as keyof Options & string]
    if (!rule.accepts(value)) failOption(`${feature}.${name}`, value, rule.allowed)
  }
  return { ...defaults, ...Object.fromEntries(set) }
}
