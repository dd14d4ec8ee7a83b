/**
 * What stands between a family of loggers and its sink while it uses a feature.
 */

import { AsyncLocalStorage } from 'node:async_hooks'
import { inspect } from 'node:util'
import type { TraceContext } from '../call-origin'
import { ShardlogError } from '../errors'
import { joined } from '../joined'
import type { Internals, Stage, Write } from '../pino/context'
import { writeRecordErrorLine } from '../pino/error-line'
import { boundSym, boundText, errorKeySym, levelCompSym, streamSym } from '../pino/symbols'
import type { Bindings } from '../pino/types'
import { Deduplicator, dedupeOptions, type Flood } from './dedupe'
import type { FeatureOptions, KeptOption } from './options'
import { CallerInfo, callerField, traceContext } from './origin'
import { logNameOf } from './rate-limit'
import { AdaptiveSampler, samplingOptions } from './sampling'

// Levels that are too grave for sampling or de-duplication to hold back, whatever a logger calls
// and numbers its levels.

/** Names of grave levels, the least grave first. */
const FATAL = ['fatal', 'critical', 'crit', 'alert', 'emergency', 'emerg', 'panic']
const WARN = ['warn', 'warning', 'error', 'err', ...FATAL]
/** Names of levels that are not grave, even if their numbers are those of grave ones. */
const LIGHT = ['silly', 'trace', 'verbose', 'debug', 'http', 'info', 'notice']

/** The names that the least grave level that is kept may have by default. */
const KEPT_BY_DEFAULT = { warn: WARN, fatal: FATAL } as const

class KeptLevels {
  readonly #names: readonly string[]
  readonly #least: number
  readonly #isGiven: boolean
  // A child may have levels of its own.
  readonly #known = new WeakMap<object, Map<number, boolean>>()

  private constructor(least: number, names: readonly string[], isGiven: boolean) {
    this.#least = least
    this.#names = names
    this.#isGiven = isGiven
  }

  /**
   * @param option its name, for messages
   * @param given name of the least grave level that is kept; false: none is; undefined: the first
   *   that the logger has of `names`
   * @returns null if none is kept
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the logger has no such level
   */
  static of(
    logger: Internals,
    option: string,
    given: KeptOption | undefined,
    names: readonly string[]
  ): KeptLevels | null {
    if (given === false) return null
    const { values } = logger.levels
    const found = given ?? names.find(name => Object.hasOwn(values, name))
    if (found !== undefined && Object.hasOwn(values, found)) {
      return new KeptLevels(values[found] as number, names, given !== undefined)
    }
    const own = Object.keys(values).join(', ')
    const message =
      given === undefined
        ? `option ${option} is needed, since no level of ${own} is called ${names.slice(0, 3).join(' or ')}: the name of the least grave level that is always kept, or false`
        : `option ${option} must be the name of a level (${own}) or false, got ${inspect(given)}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }

  has(logger: Internals, level: number): boolean {
    const { levels } = logger
    const known = this.#known.get(levels) ?? new Map<number, boolean>()
    this.#known.set(levels, known)
    const answer = known.get(level)
    if (answer !== undefined) return answer
    const kept = this.#weigh(logger, level)
    known.set(level, kept)
    return kept
  }

  #weigh(logger: Internals, level: number): boolean {
    const name = logger.levels.labels[level] ?? ''
    if (!this.#isGiven && this.#names.includes(name)) return true
    if (!this.#isGiven && LIGHT.includes(name)) return false
    return logger[levelCompSym](level, this.#least)
  }
}

// Bindings: no line has a key twice because a feature adds it.

type Bound = Record<string, unknown>

interface Unbound {
  bindings: string
  logger: Internals
}

const unbound = new WeakMap<Internals, Unbound>()

function bindingsOf(logger: Internals): Bound {
  return JSON.parse(`{${logger[boundSym].text.slice(1)}}`) as Bound
}

/** Whether a binding has the key; of what is nested in one the text alone cannot tell. */
function isBound(logger: Internals, key: string): boolean {
  const mayBe = logger[boundSym].text.includes(`${JSON.stringify(key)}:`)
  return mayBe && Object.hasOwn(bindingsOf(logger), key)
}

/** The fields without those that are bound: the binding is the logger's own. */
function withoutBound<Added extends object | null>(logger: Internals, added: Added): Added {
  if (added === null || logger[boundSym].text === '') return added
  const bound = Object.keys(added).filter(key => isBound(logger, key))
  if (bound.length === 0) return added
  return Object.fromEntries(Object.entries(added).filter(([key]) => !bound.includes(key))) as Added
}

/** The logger, or one without its binding of `key`. */
function withoutBinding(logger: Internals, key: string): Internals {
  const bindings = logger[boundSym].text
  const known = unbound.get(logger)
  if (known?.bindings === bindings) return known.logger
  if (!isBound(logger, key)) return logger
  const made = Object.create(logger) as Internals
  const rest = Object.entries(bindingsOf(logger)).filter(([name]) => name !== key)
  const text = rest.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`).join('')
  made[boundSym] = boundText(text)
  unbound.set(logger, { bindings, logger: made })
  return made
}

// The stage.

type Fields = object | null | undefined

/** The contexts of one family of loggers. */
class LogContext {
  readonly #storage = new AsyncLocalStorage<Bindings>()
  /** Of all records; null for none. */
  #everywhere: Bindings | null = null
  #entered = 0

  /** Calls `fn` within the present context and `fields`, which win. */
  run<Result>(fields: Bindings, fn: () => Result): Result {
    this.#entered++
    return this.#storage.run(joined(this.#storage.getStore(), fields), fn)
  }

  /** undefined outside of any. */
  get present(): Bindings | undefined {
    const here = this.#storage.getStore()
    return this.#everywhere === null ? here : joined(this.#everywhere, here)
  }

  /** From now on all records carry `fields`. */
  add(fields: Bindings): void {
    this.#everywhere = joined(this.#everywhere, fields)
  }

  /** Takes back fields that were added: those of these names, or all of them. */
  clear(names: readonly string[]): void {
    const kept = Object.entries(this.#everywhere ?? {}).filter(([name]) => !names.includes(name))
    this.#everywhere = names.length === 0 || kept.length === 0 ? null : Object.fromEntries(kept)
  }

  /** Number of `run`s. */
  get entered(): number {
    return this.#entered
  }
}

/**
 * The order is: context, repeats, sampling, trace and call site. What is not written costs none of
 * what comes after.
 */
export class Features implements Stage {
  #context: LogContext | null = null
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

  /** The contexts of the family: none before the first is made. */
  get context(): LogContext | null {
    return this.#context
  }

  /** The contexts, made if there are none. */
  ownContext(): LogContext {
    this.#context ??= new LogContext()
    return this.#context
  }

  /** Writes what is held back. */
  flush(): void {
    this.deduplicator?.finish()
  }

  write(logger: Internals, logged: Fields, message: unknown, level: number): void {
    const present = this.#context?.present
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

  /**
   * The fields of a record that is not written to the log, for the recorder: with those of the
   * context, the trace and the call site.
   */
  completed(logger: Internals, logged: Fields, level: number): Fields {
    const present = this.#context?.present
    const fields = present === undefined ? logged : joined(withoutBound(logger, present), asFields(logger, logged))
    const added = withoutBound(logger, this.#added(logger, level))
    return added ? joined(added, asFields(logger, fields)) : fields
  }

  /**
   * Writes a record unless it is sampled out. Returns the share that is kept of its like, 0 if it
   * was not.
   */
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
      writeRecordErrorLine(logger, fields, message, level, thrown)
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
