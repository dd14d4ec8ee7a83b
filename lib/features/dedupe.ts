/**
 * The option `dedupe`: a flood of the same record becomes that record and a line that counts its
 * repeats.
 */

import type { Internals } from '../pino/context'
import { boundSym } from '../pino/symbols'
import {
  type DedupeOptions,
  type FeatureOptions,
  failOption,
  isOptions,
  type KeptOption,
  type Rules,
  resolved,
  rules
} from './options'

// The end of the process: what is held back is written before it.

interface Held {
  finish(): void
}

const held = new Set<Held>()
let listens = false
let exiting = false

function finishAll(): void {
  for (const each of [...held]) each.finish()
}

function finishForGood(): void {
  exiting = true
  finishAll()
}

/**
 * From now on the end of the process is noticed, before the handlers by which destinations flush
 * themselves if they come later.
 */
function watchExit(): void {
  if (listens) return
  listens = true
  process.prependListener('beforeExit', finishAll)
  process.prependListener('exit', finishForGood)
}

/** Whether the 'exit' handlers run: what they hold back would never be written. */
function isExiting(): boolean {
  return exiting
}

/** Calls `finish` when the process ends, unless `release` came first. */
function holdUntilExit(what: Held): void {
  held.add(what)
}

export function release(what: Held): void {
  held.delete(what)
}

// Equal values: whether two print the same, as far as that can be told without printing them.

interface Coded {
  code?: unknown
}

/** Errors that tell the same, though each has a stack of its own. */
function sameError(a: Error & Coded, b: Error & Coded): boolean {
  return a.name === b.name && a.message === b.message && a.code === b.code
}

/**
 * Objects may have changed between two calls, even if they are the same; only errors are compared.
 */
function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Error && b instanceof Error) return sameError(a, b)
  const isReference = (typeof a === 'object' && a !== null) || typeof a === 'function'
  return !isReference && Object.is(a, b)
}

// The deduplicator.

export interface DedupeStats {
  /** Records that were counted instead of written. */
  repeated: number
  /** Lines that told their number. */
  summaries: number
}

/** What a record was, and how often it came again. */
export interface Flood {
  readonly logger: Internals
  readonly level: number
  readonly message: unknown
  readonly bindings: string
  readonly names: readonly string[]
  readonly values: readonly unknown[]
  readonly since: number
  /** What `pass` returned for the record itself. */
  share: number
  repeats: number
}

type ResolvedDedupe = { window: number; keys: readonly string[] | null; alwaysKeep: KeptOption | undefined }

const RULES: Rules<DedupeOptions> = { window: rules.milliseconds, keys: rules.names, alwaysKeep: rules.levelName }
const DEFAULT_WINDOW_MS = 1_000

/**
 * The options of the deduplicator; null if there is to be none.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function dedupeOptions({ dedupe }: FeatureOptions): ResolvedDedupe | null {
  if (dedupe === undefined || dedupe === null || dedupe === false) return null
  if (dedupe !== true && !isOptions(dedupe)) failOption('dedupe', dedupe, 'true, false or an object')
  const given = dedupe === true ? {} : dedupe
  const { window = DEFAULT_WINDOW_MS, keys = null, alwaysKeep } = resolved<DedupeOptions>('dedupe', given, RULES, {})
  return { window, keys, alwaysKeep }
}

/** Names of what an error that is logged by itself is compared by. */
const ERROR_ITSELF: readonly string[] = ['']

/** Holds back what is equal to the record before it. */
export class Deduplicator {
  readonly #window: number
  readonly #keys: readonly string[] | null
  readonly #summarize: (flood: Flood) => void
  #flood: Flood | null = null
  #timer: NodeJS.Timeout | null = null
  #repeated = 0
  #summaries = 0

  /** @param summarize writes the line that tells of a flood's repeats; must not throw */
  constructor({ window, keys }: ResolvedDedupe, summarize: (flood: Flood) => void) {
    this.#window = window
    this.#keys = keys
    this.#summarize = summarize
    watchExit()
  }

  /** Whether the record repeats the last one, and is only counted. */
  holds(logger: Internals, fields: object | null | undefined, message: unknown, level: number): boolean {
    const flood = this.#flood
    if (flood === null || isExiting() || !this.#repeats(flood, logger, fields, message, level)) return false
    this.#repeated++
    if (++flood.repeats === 1) this.#wait(flood)
    return true
  }

  #repeats(flood: Flood, logger: Internals, fields: object | null | undefined, message: unknown, level: number) {
    if (flood.level !== level || !Object.is(flood.message, message)) return false
    if (flood.bindings !== logger[boundSym].text) return false
    const age = Date.now() - flood.since
    if (age < 0 || age >= this.#window) return false
    const names = this.#namesIn(fields)
    if (names !== flood.names && names.length !== flood.names.length) return false
    return names.every((name, i) => name === flood.names[i] && sameValue(valueUnder(fields, name), flood.values[i]))
  }

  #namesIn(fields: object | null | undefined): readonly string[] {
    if (fields instanceof Error) return ERROR_ITSELF
    if (this.#keys !== null) return this.#keys
    return fields ? Object.keys(fields) : []
  }

  /** The record whose repeats are counted from now on. */
  begin(logger: Internals, fields: object | null | undefined, message: unknown, level: number): Flood {
    const names = this.#namesIn(fields)
    const values = names.map(name => valueUnder(fields, name))
    const bindings = logger[boundSym].text
    const flood = { logger, level, message, bindings, names, values, since: Date.now(), share: 1, repeats: 0 }
    this.#flood = flood
    return flood
  }

  #wait(flood: Flood): void {
    const rest = flood.since + this.#window - Date.now()
    this.#timer = setTimeout(() => this.finish(), Math.max(1, rest))
    this.#timer.unref()
    holdUntilExit(this)
  }

  /** Tells of the repeats held back so far, if there are any, and begins anew. */
  finish(): void {
    const flood = this.#flood
    this.#flood = null
    if (flood === null || flood.repeats === 0) return
    if (this.#timer) clearTimeout(this.#timer)
    this.#timer = null
    release(this)
    if (flood.share > 0) this.#summaries++
    this.#summarize(flood)
  }

  stats(): DedupeStats {
    return { repeated: this.#repeated, summaries: this.#summaries }
  }
}

function valueUnder(fields: object | null | undefined, name: string): unknown {
  if (fields instanceof Error) return fields
  return fields ? (fields as Record<string, unknown>)[name] : undefined
}
