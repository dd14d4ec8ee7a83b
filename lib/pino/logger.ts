/**
 * Making a logger out of its options, and the types of what is made.
 */

import type { BoundText } from '../record/definition'
import type { StatsSnapshot } from '../types'
import { type Internals, plugins, recordSinkSym, type Stream, type StreamWithSink } from './context'
import { timeFunction } from './json-line'
import { quote, redactionState, safeStringify, stringify } from './json-text'
import {
  assertDefaultLevel,
  cacheLineStarts,
  type EventOptions,
  levelComparison,
  levelMapping,
  STANDARD_LEVELS
} from './levels'
import { type FullOptions, type Options, resolveArguments } from './options'
import { boundWith, newRootLogger } from './prototype'
import {
  boundSym,
  boundText,
  endSym,
  errorKeySym,
  errorTextSym,
  formattersSym,
  hooksSym,
  jsonAtCallSym,
  levelCompSym,
  messageKeySym,
  mixinMergeStrategySym,
  mixinSym,
  msgPrefixSym,
  nestedKeyStrSym,
  nestedKeySym,
  serializersSym,
  setLevelSym,
  streamSym,
  stringifySafeSym,
  stringifySym,
  timeSliceIndexSym,
  timeSym,
  trailingFieldsSym,
  transportUsesMultistreamSym,
  useOnlyCustomLevelsSym
} from './symbols'
import type {
  Bindings,
  ChildLoggerOptions,
  DestinationStream,
  Level,
  LevelNames,
  LoggerOptions,
  LogFn as PinoLogFn,
  Logger as PinoLogger,
  PluginMethods,
  TrailingFieldsFn
} from './types'
// Made as it is loaded, for the workers that are started after that.
import '../shared-memory'
// Kept as they are when it is loaded, before a test puts others in their place.
import '../timers'

/**
 * The module that there is only where this package is installed under the name `pino`; there, the
 * types are pino's to the letter, as the option `trailingFields` is off.
 */
// biome-ignore lint/suspicious/noTsIgnore: elsewhere there is no such module, and the type any
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

/**
 * A logger: pino's, with calls such as `log.info('user login', { userId: 123 })`, compiled events
 * and contexts.
 */
export type StructuredLogger<
  CustomLevels extends string = never,
  UseOnlyCustomLevels extends boolean = boolean
> = TrailingFields<CustomLevels, UseOnlyCustomLevels> &
  StructuredExtras<CustomLevels> &
  PinoLogger<CustomLevels, UseOnlyCustomLevels>

type TrailingFields<CustomLevels extends string, UseOnlyCustomLevels extends boolean> = {
  [level in LevelNames<CustomLevels> | (UseOnlyCustomLevels extends true ? never : Level)]: TrailingFieldsFn
}

interface StructuredExtras<CustomLevels extends string> extends PluginMethods {
  /**
   * A logger with the same destination whose lines carry `bindings` too. Serializers and redaction
   * apply to them, once.
   *
   * @throws without bindings
   */
  child<ChildCustomLevels extends string = never>(
    bindings: Bindings,
    options?: ChildLoggerOptions<ChildCustomLevels>
  ): StructuredLogger<CustomLevels | ChildCustomLevels>
  /**
   * A function that logs `message` with the values it is called with under `names`, and makes no
   * object for them.
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
   * The counters of the destination, of several added up; null if it has none, as pino's streams.
   */
  getStatsSnapshot(): StatsSnapshot | null
  /** Writes what was logged so far before it returns, where the destination can. */
  flushSync(): void
  /**
   * Writes what was logged so far, and ends the destination; of standard output, which loggers
   * share, it is flushed only.
   */
  close(): Promise<void>
}

const noop = (): void => {}

function levelOption({ enabled, level, customLevels, useOnlyCustomLevels }: FullOptions): string | number {
  if (enabled === false) return 'silent'
  if (typeof level !== 'string') return level as unknown as number
  if (useOnlyCustomLevels && customLevels && Object.hasOwn(customLevels, level)) return level
  // Names of custom levels are taken as they are.
  const standard = level.toLowerCase()
  return Object.hasOwn(STANDARD_LEVELS, standard) ? standard : level
}

/**
 * The bindings of the logger itself; with `base` null there are none for a formatter to see.
 */
function baseBindings(logger: Internals, { base, name }: FullOptions): BoundText {
  if (base === null) return logger[boundSym]
  return boundWith(logger, name === undefined ? base : { ...(base as Bindings), name })
}

function setLevels(logger: Internals, options: FullOptions): void {
  const only = Boolean(options.useOnlyCustomLevels)
  logger.levels = levelMapping(options.customLevels, only)
  Object.assign(logger, { silent: noop, onChild: options.onChild || noop })
  logger[levelCompSym] = levelComparison(options.levelComparison)
  logger[useOnlyCustomLevelsSym] = only
}

function setRecords(logger: Internals, options: FullOptions, stream: Stream): void {
  const time = timeFunction(options.timestamp)
  logger[streamSym] = stream
  logger[timeSym] = time
  logger[timeSliceIndexSym] = time().indexOf(':') + 1
  logger[mixinSym] = options.mixin as Internals[typeof mixinSym]
  logger[mixinMergeStrategySym] = options.mixinMergeStrategy as Internals[typeof mixinMergeStrategySym]
  logger[hooksSym] = (options.hooks ?? {}) as Internals[typeof hooksSym]
  logger[errorTextSym] = options.loggingErrorText
  logger[trailingFieldsSym] = options.trailingFields as Internals[typeof trailingFieldsSym]
  logger[jsonAtCallSym] = options.encoder === 'json'
  logger[msgPrefixSym] = options.msgPrefix
}

function setText(logger: Internals, options: FullOptions): void {
  const safe = safeStringify(options.depthLimit as number, options.edgeLimit as number)
  logger[stringifySym] = stringify
  logger[stringifySafeSym] = safe
  Object.assign(logger, redactionState(options.redact, safe))
  logger[endSym] = options.crlf ? '}\r\n' : '}\n'
  logger[serializersSym] = options.serializers
  logger[formattersSym] = options.formatters
  logger[boundSym] = boundText('')
}

function setKeys(logger: Internals, { messageKey, errorKey, nestedKey }: FullOptions): void {
  logger[messageKeySym] = messageKey as string
  logger[errorKeySym] = errorKey as string
  logger[nestedKeySym] = nestedKey
  logger[nestedKeyStrSym] = nestedKey ? `,${quote(nestedKey)}:{` : ''
}

/** Tells a transport how the lines it will get are made up. */
function emitConfig(logger: Internals, stream: Stream, given: unknown): void {
  const { emit } = stream as { emit?: unknown }
  if (typeof emit === 'function') {
    const config = { levels: logger.levels, messageKey: logger[messageKeySym], errorKey: logger[errorKeySym] }
    emit.call(stream, 'message', { code: 'PINO_CONFIG', config })
  }
  const { formatters } = (given ?? {}) as { formatters?: { level?: unknown } }
  const several = (stream as { [transportUsesMultistreamSym]?: boolean })[transportUsesMultistreamSym]
  if (several && typeof formatters?.level === 'function') warnOfLevelFormatter()
}

function installPlugins(logger: Internals, options: FullOptions): void {
  const given = (name: string): boolean => (options as unknown as Record<string, unknown>)[name] !== undefined
  for (const plugin of plugins) if (plugin.options.some(given)) plugin.install(logger, options)
}

/**
 * A new logger.
 *
 * @param first options, or the destination
 * @param second the destination: a stream, or a path; default standard output
 * @param defaults in place of what applies where options say nothing
 * @throws if an option is wrong
 */
function createLogger(first: unknown, second: unknown, defaults?: Partial<Options>): Internals {
  const { options, stream } = resolveArguments(first, second, defaults)
  const logger = newRootLogger()
  setLevels(logger, options)
  setRecords(logger, options, stream)
  setText(logger, options)
  setKeys(logger, options)
  const level = levelOption(options)
  assertDefaultLevel(level, logger.levels)
  logger[boundSym] = baseBindings(logger, options)
  // Inherited by children, whose formatters shape their own bindings only.
  cacheLineStarts(logger)
  logger[setLevelSym](level)
  installPlugins(logger, options)
  if (!logger[jsonAtCallSym]) (stream as StreamWithSink)[recordSinkSym]?.prepare?.(logger)
  emitConfig(logger, stream, first)
  return logger
}

/**
 * Lines without a numeric level cannot be told apart by level in the worker of a transport with
 * several targets.
 */
function warnOfLevelFormatter(): void {
  process.emitWarning(
    'The custom level formatter is incompatible with a transport with several targets: their levels are told apart by the numeric "level" field.',
    { code: 'PINO_TRANSPORT_MULTI_TARGETS_LEVEL_FORMATTER' }
  )
}

/**
 * A structured logger.
 *
 * @param optionsOrStream options, or the destination
 * @param stream where lines go: a stream, the result of `destination`, `multistream` or
 *   `transport`, or a path. Default standard output
 * @throws if an option is wrong
 */
export function logger<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>(
  optionsOrStream?: LoggerOptions<CustomLevels, UseOnlyCustomLevels> | DestinationStream | string | null,
  stream?: DestinationStream | string
): StructuredLogger<CustomLevels, UseOnlyCustomLevels> {
  return createLogger(optionsOrStream, stream) as unknown as StructuredLogger<CustomLevels, UseOnlyCustomLevels>
}

/**
 * As `logger`, but by default a call's last argument does not join the line, as in pino: see the
 * option `trailingFields`.
 */
export const loggerInPinosPlace: typeof logger = (optionsOrStream, stream) =>
  createLogger(optionsOrStream, stream, { trailingFields: false }) as never
