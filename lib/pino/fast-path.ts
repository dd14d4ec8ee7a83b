/**
 * The fast path of plain calls: what the lines of a logger have in common is looked up once, not at each call. It takes dozens of properties
 * from a chain of prototypes as long as the logger's ancestry, which is most of the cost of a call.
 *
 * Loggers behind a proxy have none: a tool's puts a property of its own in the place of one of the logger's, an application's stands for another
 * logger in each request. What such a logger has may be otherwise at each call, so that nothing is kept of it.
 */

import { types } from 'node:util'
import type { RecordSink } from '../record/record-encoder'
import { tracedAsJson } from './as-json'
import { isTaken, lineChannels } from './diagnostics'
import type { CompiledEvent } from './event'
import { loggedObject } from './http-objects'
import type { Internals } from './internals'
import type { LineFormats } from './line-format'
import { recordTime } from './own-clock'
import { heed, shadowed, stateChanges, stateWatch } from './state-access'
import { asJsonSym, formattersSym, msgPrefixSym, writeSym } from './symbols'
import { trailingFields } from './trailing-fields'

/** Where a logger keeps its fast path. A child finds its parent's, which is not for it. */
export const fastPathSym: unique symbol = Symbol('shardlog.fastPath')
/** Where a logger keeps the formats of its lines. */
export const formatsSym: unique symbol = Symbol('shardlog.formats')

// The child that was made last, until it has a fast path.
let newest: Internals | null = null

/** A child has been made. One that logs right away, as most do, need not be asked whether it is a proxy, which takes longer than all else. */
export function noteChild(child: Internals): void {
  newest = child
}

function isProxy(logger: Internals): boolean {
  if (logger !== newest) return types.isProxy(logger)
  newest = null
  return false
}

/** For a logger whose records are made of its formats, fields and message alone. */
export class LogFastPath {
  readonly #logger: Internals | null
  readonly #write: Internals[typeof writeSym] | null
  readonly #changes = stateChanges.count
  readonly #formats: LineFormats
  readonly #sink: RecordSink

  /** @param logger null: nobody's */
  constructor(logger: Internals | null, formats: LineFormats, sink: RecordSink) {
    this.#logger = logger
    this.#write = logger === null ? null : logger[writeSym]
    this.#formats = formats
    this.#sink = sink
  }

  /** Whether it was made for `logger`, which no proxy answers for then. */
  isOf(logger: Internals): boolean {
    return this.#logger === logger
  }

  /** Whether it is that of `logger` as it is now: nothing has been put in the place of what it was made of. */
  isValidFor(logger: Internals): boolean {
    return this.#logger === logger && this.#isCurrent(logger)
  }

  #isCurrent(logger: Internals): boolean {
    if (stateWatch.isActive) heed(logger)
    if (this.#changes !== stateChanges.count || this.#write !== logger[writeSym]) return false
    // Tools that follow lines are given text; written out (`isFollowed`), as this is in the path of every call.
    const { start, end, error } = lineChannels
    const isFollowed = isTaken || start.hasSubscribers || end.hasSubscribers || error.hasSubscribers
    return logger[asJsonSym] === tracedAsJson && !isFollowed
  }

  /** That of a logger which has inherited this one: a child. Null if it differs by more than its bindings and levels. */
  deriveForChild(logger: Internals): LogFastPath | null {
    if (this.#logger === null) return null
    const isPlain = typeof logger[msgPrefixSym] !== 'string' && !logger[formattersSym].log
    if (!isPlain || isProxy(logger) || !this.#isCurrent(logger)) return null
    const formats = this.#formats.deriveForChild(logger)
    if (formats === null) return null
    const path = new LogFastPath(logger, formats, this.#sink)
    if (Object.isExtensible(logger)) logger[fastPathSym] = path
    return path
  }

  /**
   * Records a call of `(message)`, `(fields, message)` or `(message, fields)`.
   *
   * @param count the number of arguments
   * @returns false if the call takes more than that; nothing has been done then
   */
  take(logger: Internals, level: number, count: number, first: unknown, second: unknown): boolean {
    if (this.#logger !== logger || !this.#isCurrent(logger)) {
      const own = this.deriveForChild(logger)
      return own !== null && own.take(logger, level, count, first, second)
    }
    let fields: object | null = null
    let message = second
    if (count === 2 && typeof first === 'object') {
      if (first === null || typeof second !== 'string') return false
      fields = first
      // An object of no class is neither an error, a request nor a response; the encoder looks at keys that make it one.
      if (fields.constructor !== Object) {
        if (fields instanceof Error) return false
        fields = loggedObject(fields)
      }
    } else {
      if (typeof first !== 'string' || count > 2) return false
      message = first
      if (count === 2) {
        fields = first.includes('%') ? null : trailingFields(logger, level, first, second)
        if (fields === null || fields instanceof Error) return false
      }
    }
    const { recent } = this.#formats
    const format = recent !== null && recent.level === level ? recent : this.#formats.of(level)
    this.#sink.record(format, recordTime(), '', fields, message)
    return true
  }

  /** Records a compiled event. False if one of its values has to be converted. */
  event(event: CompiledEvent, values: readonly unknown[]): boolean {
    const formats = this.#formats
    if (!event.resolve(formats.shared.serializers.tree)) return false
    this.#sink.event(formats.of(event.level), recordTime(), '', event, values)
    return true
  }
}

/** The fast path of `logger`; null if it has none, or none any more. */
export function fastPathOf(logger: Internals): LogFastPath | null {
  const path = logger[fastPathSym]
  return path === null || path.isValidFor(logger) ? path : path.deriveForChild(logger)
}

/** In the place of a fast path, for loggers that must not have one: it is nobody's. */
const NO_FAST_PATH = new LogFastPath(null, null as unknown as LineFormats, null as unknown as RecordSink)

const behindProxy: PropertyDescriptorMap = { [fastPathSym]: { get: () => NO_FAST_PATH, set: () => {} } }

/** An object for a child of a logger behind a proxy: it and its children have no fast path, and are told by that. */
export function childBehindProxy(parent: Internals): object {
  return Object.create(parent, behindProxy)
}

/** Whether a proxy answers for `logger`, or for one that it descends from. */
export function isProxied(logger: Internals): boolean {
  const path = logger[fastPathSym]
  // What has a fast path of its own is no proxy, and need not be looked at.
  if (path?.isOf(logger)) return false
  return path === NO_FAST_PATH || types.isProxy(logger)
}

/**
 * `logger` as it is to be read. The proxy answers to pino's symbols, which do not hold the state here: what it says is put where the state is
 * looked for, on an object that inherits all else from it.
 */
export function viewOf(logger: Internals): Internals {
  if (!isProxied(logger) || !types.isProxy(logger)) return logger
  const answers = shadowed(logger)
  return answers === null ? logger : (Object.create(logger, answers) as Internals)
}
