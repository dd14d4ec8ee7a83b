/** What stands between a family of loggers and its encoder while it uses a feature. */

import type { Internals } from '../pino/internals'
import { writeRescuedRecord } from '../pino/rescue'
import { errorKeySym, streamSym, writeSym } from '../pino/symbols'
import { AdaptiveSampler, samplingOptions } from './adaptive-sampler'
import { withoutBinding, withoutBound } from './bound-keys'
import { CallerInfo, callerField } from './caller-info'
import { Deduplicator, dedupeOptions, type Flood } from './deduplicator'
import { joined } from './joined'
import { KEPT_BY_DEFAULT, KeptLevels } from './kept-levels'
import type { LogContext } from './log-context'
import { logNameOf } from './log-name'
import type { FeatureOptions } from './options'
import { familySym, featuresSym } from './symbols'
import { type TraceContext, traceContext } from './trace-context'

type Fields = object | null | undefined
type Write = (this: Internals, ...record: Parameters<Internals[typeof writeSym]>) => void

/** The order is: context, repeats, sampling, trace and call site. What is not written costs none of what comes after. */
export class Features {
  /** Made by the first `withContext`. */
  context: LogContext | null = null
  readonly sampler: AdaptiveSampler | null
  readonly deduplicator: Deduplicator | null
  readonly trace: TraceContext | null
  readonly caller: CallerInfo | null
  readonly #write: Write
  /** Levels that are never sampled, and never held back. */
  readonly #keptWhole: KeptLevels | null
  readonly #neverHeld: KeptLevels | null

  /**
   * @param logger the first of the family
   * @param write what loggers do without features
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
   */
  constructor(logger: Internals, options: FeatureOptions, write: Write) {
    const sampling = samplingOptions(options)
    const dedupe = dedupeOptions(options)
    const field = callerField(options)
    const { warn, fatal } = KEPT_BY_DEFAULT
    this.#keptWhole = sampling && KeptLevels.of(logger, 'sampling.alwaysKeep', sampling.alwaysKeep, warn)
    this.#neverHeld = dedupe && KeptLevels.of(logger, 'dedupe.alwaysKeep', dedupe.alwaysKeep, fatal)
    const stream = logger[streamSym]
    this.sampler = sampling && new AdaptiveSampler(sampling, stream, logNameOf(stream))
    this.deduplicator = dedupe && new Deduplicator(dedupe, flood => this.#summarize(flood))
    this.caller = field === null ? null : new CallerInfo(field)
    this.trace = traceContext(options)
    this.#write = write
  }

  /** Whether the options asked for anything. */
  get any(): boolean {
    return Boolean(this.sampler || this.deduplicator || this.caller || this.trace)
  }

  write(logger: Internals, logged: Fields, message: unknown, level: number): void {
    const present = this.context?.present
    const fields = present === undefined ? logged : joined(withoutBound(logger, present), asFields(logger, logged))
    const { deduplicator } = this
    if (deduplicator === null || this.#neverHeld?.has(logger, level)) {
      deduplicator?.finish()
      this.#pass(logger, fields, message, level)
      return
    }
    if (deduplicator.holds(logger, fields, message, level)) return
    deduplicator.finish()
    const flood = deduplicator.begin(logger, fields, message, level)
    flood.share = this.#pass(logger, fields, message, level)
  }

  /** Writes a record unless it is sampled out. Returns the share that is kept of its like, 0 if it was not. */
  #pass(logger: Internals, fields: Fields, message: unknown, level: number): number {
    const { sampler } = this
    const share = sampler === null ? 1 : this.#share(sampler, logger, message, level)
    if (share === 0) return 0
    const added = withoutBound(logger, this.#added(logger, level))
    const sampled = sampler === null ? null : { [sampler.field]: share }
    const all = added || sampled ? joined(added, asFields(logger, fields), sampled) : fields
    // The binding of that name is not the share by which this record was kept.
    this.#writeOn(sampler === null ? logger : withoutBinding(logger, sampler.field), all, message, level)
    return share
  }

  #share(sampler: AdaptiveSampler, logger: Internals, message: unknown, level: number): number {
    if (!this.#keptWhole?.has(logger, level)) return sampler.decide(level, message)
    sampler.note()
    return 1
  }

  /** A record that fails is rescued here, where what features add to it is known. */
  #writeOn(logger: Internals, fields: Fields, message: unknown, level: number): void {
    try {
      this.#write.call(logger, fields, message, level)
    } catch (thrown) {
      writeRescuedRecord(logger, fields, message, level, thrown)
    }
  }

  #added(logger: Internals, level: number): Record<string, unknown> | null {
    const traced = this.trace === null ? null : this.trace.fields()
    const place = this.caller === null ? undefined : this.caller.find(logger, level)
    return place === undefined ? traced : { ...traced, [this.caller!.field]: place }
  }

  /** Repeats share the fate of the record that they repeat. */
  #summarize({ logger, level, repeats, share }: Flood): void {
    if (share === 0) {
      this.sampler?.addSampledOut(repeats)
      return
    }
    const text = `last message repeated ${repeats} times`
    const fields = this.sampler === null ? { repeated: repeats } : { repeated: repeats, [this.sampler.field]: share }
    this.#writeOn(logger, fields, text, level)
  }
}

function isError(logged: Fields): boolean {
  try {
    return logged instanceof Error
  } catch {
    return false // A proxy that has been revoked.
  }
}

function asFields(logger: Internals, logged: Fields): object {
  if (isError(logged)) return { [logger[errorKeySym]]: logged }
  return logged ?? {}
}

interface Family {
  [writeSym]: Write
  [featuresSym]?: Features
  flush: (this: Internals, ...callback: Parameters<Internals['flush']>) => void
}

function familyOf(logger: Internals): Family {
  return logger[familySym] as Family
}

/** Puts `features` between the loggers of a family and their encoder. */
function install(family: Family, features: Features): void {
  const { deduplicator } = features
  family[featuresSym] = features
  family[writeSym] = function write(fields, message, level) {
    features.write(this, fields, message, level)
  }
  if (deduplicator === null) return
  const { flush } = family
  family.flush = function flushAll(callback) {
    deduplicator.finish()
    flush.call(this, callback)
  }
}

/**
 * Gives a new logger the features that its options ask for; without any it stays as it is.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function installFeatures(logger: Internals, options: FeatureOptions): void {
  const family = familyOf(logger)
  const features = new Features(logger, options, family[writeSym])
  if (features.any) install(family, features)
}

/** The features of a logger's family, which it has from now on. */
export function featuresOf(logger: Internals): Features {
  const family = familyOf(logger)
  const known = family[featuresSym]
  if (known) return known
  const features = new Features(logger, {}, family[writeSym])
  install(family, features)
  return features
}
