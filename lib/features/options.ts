/** Public options of the features, as `shardlog(options)` takes them. */

export interface LoadOptions {
  /** Mean delay of the event loop, in ms, above which less is kept. Default 100. */
  eventLoopDelay?: number
  /** Use of the destination's fullest buffer, in per cent, above which less is kept. Default 75. */
  bufferUse?: number
}

export interface SamplingOptions {
  /** Records per second that are kept on average over the window, of levels that are not always kept. Default `maxEventsPerSecond`. */
  targetRate?: number
  /** What the rate is measured over, in ms. Default 10,000; 1,000 where there is `maxEventsPerSecond` alone. */
  window?: number
  /** The most that the kept share of an event rises in a tenth of the window. Default 0.1. */
  step?: number
  /** The kept share never falls below this. Default 0.001. */
  minProbability?: number
  /** Key of the kept share in each record. Default 'sampleRate'. */
  field?: string
  /** Name of the least grave level that is always kept; false for none. Default 'warn', or what a logger has in its place. */
  alwaysKeep?: string | false
  /** Keeps less while the event loop is late or the destination's buffers fill up. Default false. */
  load?: LoadOptions | boolean
}

export interface DedupeOptions {
  /** How long repeats of a record are held back at the most, in ms. Default 1,000. */
  window?: number
  /** Names of the logged fields that must be equal in a repeat. Default all. */
  keys?: readonly string[]
  /** Name of the least grave level that is never held back; false for none. Default 'fatal', or what a logger has in its place. */
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
export interface FeatureOptions {
  /** Keeps a share of the records below 'warn' while more come than `targetRate`: rare events whole, of frequent ones as much as is left. */
  sampling?: SamplingOptions | false
  /**
   * The most records below 'warn' that are kept in any second, of all threads that write to one log. Also the `targetRate` if there is no other.
   */
  maxEventsPerSecond?: number
  /** What makes lines: 'native' (the destination's flusher, if it records), 'json' (JSON.stringify, at the call). 'msgspec' is 'native'. */
  encoder?: 'native' | 'json' | 'msgspec'
  /** Writes repeats of a record as one line that counts them. True for the defaults. */
  dedupe?: DedupeOptions | boolean
  /** Adds trace_id, span_id and trace_flags of the active OpenTelemetry span. Needs the package @opentelemetry/api. */
  otel?: OtelOptions | boolean
  /** Adds file, line and function of the log call. */
  caller?: CallerOptions | boolean
}

/** The options that give a logger something between its calls and its encoder. */
export const FEATURE_NAMES = ['sampling', 'maxEventsPerSecond', 'dedupe', 'otel', 'caller'] as const

/** Whether any of them is given, whatever its value. */
export function namesFeatures(options: FeatureOptions): boolean {
  return FEATURE_NAMES.some(name => options[name] !== undefined)
}
