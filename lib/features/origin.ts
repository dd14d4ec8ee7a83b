/**
 * Where a record comes from: the option `otel`, the OpenTelemetry span that it belongs to, and the
 * option `caller`, where in the program the log call stands.
 */

import { type CallSiteStats, CallSites, loadOtelApi, TraceContext } from '../call-origin'
import type { Internals } from '../pino/context'
import {
  type CallerOptions,
  type FeatureOptions,
  failOption,
  isOptions,
  type OtelOptions,
  resolved,
  rules
} from './options'

const baggageRule = {
  allowed: 'an array of names, or true for all',
  accepts: (value: unknown) => value === true || rules.names.accepts(value)
}

/**
 * Correlation as the options ask for it; null if they do not.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a wrong option, or if the API is not installed
 */
export function traceContext({ otel }: FeatureOptions): TraceContext | null {
  if (otel === undefined || otel === null || otel === false) return null
  if (otel !== true && !isOptions(otel)) failOption('otel', otel, 'true, false or an object')
  const given = otel === true ? {} : otel
  const { baggage } = resolved<OtelOptions>('otel', given, { baggage: baggageRule }, {})
  return new TraceContext(loadOtelApi(), baggage ?? null)
}

/**
 * Key of the call site; null if none is wanted.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function callerField({ caller }: FeatureOptions): string | null {
  if (caller === undefined || caller === null || caller === false) return null
  if (caller !== true && !isOptions(caller)) failOption('caller', caller, 'true, false or an object')
  const given = caller === true ? {} : caller
  const { field } = resolved<Required<CallerOptions>>('caller', given, { field: rules.fieldName }, { field: 'caller' })
  return field
}

/** The program's calls of a logger's methods. */
export class CallerInfo {
  readonly field: string
  readonly #sites = new CallSites()

  constructor(field: string) {
    this.field = field
  }

  /** `file:line (function)` of the call that logs at `level`; undefined if it cannot be told. */
  find(logger: Internals, level: number): string | undefined {
    return this.#sites.find(methodOf(logger, level))
  }

  stats(): CallSiteStats {
    return this.#sites.stats()
  }
}

/** A logger's method for a level. */
export function methodOf(logger: Internals, level: number): (() => void) | undefined {
  const label = logger.levels.labels[level]
  return label === undefined ? undefined : (logger as unknown as Record<string, () => void>)[label]
}
