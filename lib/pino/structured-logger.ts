/** The type of `shardlog()`'s loggers: pino's, and what they can do beyond. */

import type { StatsSnapshot } from '../types'
import type { EventOptions } from './event'
import type { TrailingFieldsFn } from './log-fn'
import type { Bindings, ChildLoggerOptions, Level, LevelNames, LogFn as PinoLogFn, Logger as PinoLogger } from './types'

/**
 * The module that there is only where this package is installed under the name `pino`; there, the types are pino's to the letter, as the
 * option `trailingFields` is off.
 */
// biome-ignore lint/suspicious/noTsIgnore: nowhere else is there such a module, which makes the type any
/** @ts-ignore */
type InPlaceOfPino = typeof import('pino/in-its-place')
type IsInPlaceOfPino = [0] extends [InPlaceOfPino] ? false : true

/** The type of what the package's function makes: pino's where the package is in pino's place. */
export type Logger<
  CustomLevels extends string = never,
  UseOnlyCustomLevels extends boolean = boolean
> = IsInPlaceOfPino extends true
  ? PinoLogger<CustomLevels, UseOnlyCustomLevels>
  : StructuredLogger<CustomLevels, UseOnlyCustomLevels>

/** The type of its log calls. */
export type LogFn = IsInPlaceOfPino extends true ? PinoLogFn : PinoLogFn & TrailingFieldsFn

/** A logger: pino's, with calls such as `log.info('user login', { userId: 123 })`, compiled events and contexts. */
export type StructuredLogger<
  CustomLevels extends string = never,
  UseOnlyCustomLevels extends boolean = boolean
> = TrailingFields<CustomLevels, UseOnlyCustomLevels> &
  StructuredExtras<CustomLevels> &
  PinoLogger<CustomLevels, UseOnlyCustomLevels>

type TrailingFields<CustomLevels extends string, UseOnlyCustomLevels extends boolean> = {
  [level in LevelNames<CustomLevels> | (UseOnlyCustomLevels extends true ? never : Level)]: TrailingFieldsFn
}

interface StructuredExtras<CustomLevels extends string> {
  /**
   * A logger with the same destination whose lines carry `bindings` too. Serializers and redaction apply to them, once.
   *
   * @throws without bindings
   */
  child<ChildCustomLevels extends string = never>(
    bindings: Bindings,
    options?: ChildLoggerOptions<ChildCustomLevels>
  ): StructuredLogger<CustomLevels | ChildCustomLevels>
  /**
   * A function that logs `message` with the values it is called with under `names`, and makes no object for them.
   *
   * @param names distinct, and no array indexes
   * @param options `level`: name of the level it is logged at, default 'info'
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
   */
  event<const Names extends readonly string[] = []>(
    message: string,
    names?: Names,
    options?: EventOptions
  ): (...values: { [Name in keyof Names]: unknown }) => void
  /**
   * Calls `fn`; until what it began has ended, across awaits and timers, records of this logger, its parents and its children carry
   * `fields`. Contexts nest; inner fields win, and logged fields win over both.
   *
   * @returns what `fn` returns
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the arguments are not an object and a function
   */
  withContext<Result>(fields: Bindings, fn: () => Result): Result
  /**
   * From now on records of this logger, its parents and its children carry `fields`, wherever they are logged, until `clearContext`. Those of
   * `withContext` win over them.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if `fields` is no object
   */
  addContext(fields: Bindings): void
  /** Takes back what `addContext` has added: the fields of these names, or all of them. */
  clearContext(...names: string[]): void
  /** A copy of the fields of the present context; empty outside of any. */
  context(): Bindings
  /** The counters of the destination, of several added up; null if it has none, as pino's streams. */
  getStatsSnapshot(): StatsSnapshot | null
  /** Writes what was logged so far before it returns, where the destination can. */
  flushSync(): void
  /** Writes what was logged so far, and ends the destination; of standard output, which loggers share, it is flushed only. */
  close(): Promise<void>
}
