/** Public options of the features, as `shardlog(options)` takes them. */

export interface SamplingOptions {
  /** Records per second that are kept of the levels below 'warn'. Default `maxEventsPerSecond`. */
  targetRate?: number
  /** What the rate is measured over, in ms. Default 10,000. */
  window?: number
  /** The most that the kept share rises in a tenth of the window. Default 0.1. */
  step?: number
  /** The kept share never falls below this. Default 0.001. */
  minProbability?: number
  /** Key of the kept share in each record. Default 'sampleRate'. */
  field?: string
}

export interface DedupeOptions {
  /** How long repeats of a record are held back at the most, in ms. Default 1,000. */
  window?: number
  /** Names of the logged fields that must be equal in a repeat. Default all. */
  keys?: readonly string[]
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
  /** Keeps a share of the records below 'warn' while more come than `targetRate`. */
  sampling?: SamplingOptions | false
  /** Short for `sampling: { targetRate }`. */
  maxEventsPerSecond?: number
  /** Writes repeats of a record as one line that counts them. True for the defaults. */
  dedupe?: DedupeOptions | boolean
  /** Adds trace_id, span_id and trace_flags of the active OpenTelemetry span. Needs the package @opentelemetry/api. */
  otel?: OtelOptions | boolean
  /** Adds file, line and function of the log call. */
  caller?: CallerOptions | boolean
}
