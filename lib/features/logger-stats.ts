/** Counters of all features of a logger. */

import type { Internals } from '../pino/internals'
import { streamSym } from '../pino/symbols'
import type { SamplingStats } from './adaptive-sampler'
import type { CallerStats } from './caller-info'
import { CircuitBreaker, type CircuitBreakerStats } from './circuit-breaker'
import type { DedupeStats } from './deduplicator'
import { featuresSym } from './symbols'
import type { TraceStats } from './trace-context'

/** Of features that are off: null. A logger and its children have the same. */
export interface LoggerStats {
  sampling: SamplingStats | null
  dedupe: DedupeStats | null
  otel: TraceStats | null
  caller: CallerStats | null
  /** `entered`: calls of `withContext`. */
  context: { entered: number } | null
  /** Those of the destination, or of its streams. */
  circuitBreakers: CircuitBreakerStats[]
}

function breakersOf(stream: unknown): CircuitBreaker[] {
  if (stream instanceof CircuitBreaker) return [stream]
  const { streams } = stream as { streams?: unknown }
  return Array.isArray(streams) ? streams.flatMap(entry => breakersOf((entry as { stream: unknown }).stream)) : []
}

/** @param log a structured logger of this package */
export function getLoggerStats(log: object): LoggerStats {
  const logger = log as Internals
  const features = logger[featuresSym]
  return {
    sampling: features?.sampler?.stats() ?? null,
    dedupe: features?.deduplicator?.stats() ?? null,
    otel: features?.trace?.stats() ?? null,
    caller: features?.caller?.stats() ?? null,
    context: features?.context ? { entered: features.context.entered } : null,
    circuitBreakers: breakersOf(logger[streamSym] ?? {}).map(breaker => breaker.stats())
  }
}
