/** What stands between a family of loggers and its encoder while it uses a feature. */

import type { Internals } from '../pino/internals'
import { writeRescuedRecord } from '../pino/rescue'
import { errorKeySym, levelCompSym, writeSym } from '../pino/symbols'
import { AdaptiveSampler, samplingOptions } from './adaptive-sampler'
import { CallerInfo, callerField } from './caller-info'
import { Deduplicator, dedupeOptions, type Flood } from './deduplicator'
import { joined } from './joined'
import type { LogContext } from './log-context'
import type { FeatureOptions } from './options'
import { familySym, featuresSym } from './symbols'
import { type TraceContext, traceContext } from './trace-context'

type Fields = object | null | undefined
type Write = (this: Internals, ...record: Parameters<Internals[typeof writeSym]>) => void

/** Numbers of standard levels, for loggers whose own levels lack them. */
const WARN = 40
const FATAL = 60

/** The order is: context, repeats, sampling, trace and call site. What is not written costs none of what comes after. */
export class Features {
  /** Made by the first `withContext`. */
  context: LogContext | null = null
  readonly sampler: AdaptiveSampler | null
  readonly deduplicator: Deduplicator | null
  readonly trace: TraceContext | null
  readonly caller: CallerInfo | null
  readonly #write: Write

  /**
   * @param write what loggers do without features
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
   */
  constructor(options: FeatureOptions, write: Write) {
    const sampling = samplingOptions(options)
    const dedupe = dedupeOptions(options)
    const field = callerField(options)
    this.sampler = sampling && new AdaptiveSampler(sampling)
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
    const fields = present === undefined ? logged : joined(present, asFields(logger, logged))
    const { deduplicator } = this
    if (deduplicator === null || reaches(logger, level, 'fatal', FATAL)) {
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
    const share = sampler === null || reaches(logger, level, 'warn', WARN) ? 1 : sampler.decide()
    if (share === 0) return 0
    const added = this.#added(logger, level)
    const sampled = sampler === null ? null : { [sampler.field]: share }
    const all = added || sampled ? joined(added, asFields(logger, fields), sampled) : fields
    this.#writeOn(logger, all, message, level)
    return share
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

/** Whether `level` weighs as much as the level called `name`, in the order of the logger's levels. */
function reaches(logger: Internals, level: number, name: string, standard: number): boolean {
  return logger[levelCompSym](level, logger.levels.values[name] ?? standard)
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
  const features = new Features(options, family[writeSym])
  if (features.any) install(family, features)
}

/** The features of a logger's family, which it has from now on. */
export function featuresOf(logger: Internals): Features {
  const family = familyOf(logger)
  const known = family[featuresSym]
  if (known) return known
  const features = new Features({}, family[writeSym])
  install(family, features)
  return features
}
