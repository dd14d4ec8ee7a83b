/** Which OpenTelemetry span a record belongs to. */

import { createRequire } from 'node:module'
import { ShardlogError } from './errors'
import { ownFile } from './own-place'

interface SpanContext {
  traceId: string
  spanId: string
  traceFlags: number
}

interface Baggage {
  getEntry(name: string): { value: string } | undefined
  getAllEntries(): [string, { value: string }][]
}

/** What is used of `@opentelemetry/api`. */
interface OtelApi {
  trace: { getActiveSpan(): { spanContext(): SpanContext } | undefined }
  propagation: { getActiveBaggage(): Baggage | undefined }
  isSpanContextValid(context: SpanContext): boolean
}

export interface TraceStats {
  /** Records that carry a trace. */
  correlated: number
}

/** Of baggage entries; true for all, null for none. */
type Names = readonly string[] | true | null

const requireInstalled = createRequire(ownFile)

/**
 * The API as it is installed.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it is not
 */
export function loadOtelApi(load: (name: string) => unknown = requireInstalled): OtelApi {
  try {
    return load('@opentelemetry/api') as OtelApi
  } catch (cause) {
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      'option otel needs the package @opentelemetry/api, which cannot be loaded: npm install @opentelemetry/api',
      { cause }
    )
  }
}

/** Two hex digits, as in a traceparent header. */
function flagsText(flags: number): string {
  return flags.toString(16).padStart(2, '0')
}

export class TraceContext {
  readonly #api: OtelApi
  readonly #names: Names
  #correlated = 0

  /** @param names of baggage entries; true for all, null for none */
  constructor(api: OtelApi, names: Names) {
    this.#api = api
    this.#names = names
  }

  /** Fields that tell of the active span; null if there is none. */
  fields(): Record<string, unknown> | null {
    const context = this.#api.trace.getActiveSpan()?.spanContext()
    if (!context || !this.#api.isSpanContextValid(context)) return null
    this.#correlated++
    const { traceId, spanId, traceFlags } = context
    const fields = { trace_id: traceId, span_id: spanId, trace_flags: flagsText(traceFlags) }
    const baggage = this.#names === null ? null : this.#baggage(this.#names)
    return baggage === null ? fields : { ...fields, baggage }
  }

  #baggage(names: readonly string[] | true): Record<string, string> | null {
    const active = this.#api.propagation.getActiveBaggage()
    if (!active) return null
    const entries = active.getAllEntries().filter(([name]) => names === true || names.includes(name))
    return entries.length === 0 ? null : Object.fromEntries(entries.map(([name, { value }]) => [name, value]))
  }

  stats(): TraceStats {
    return { correlated: this.#correlated }
  }
}
