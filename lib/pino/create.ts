/** Making a logger out of its options. */

import { installFeatures } from '../features/features'
import { namesFeatures } from '../features/options'
// Made as it is loaded, for the workers that are started after that.
import '../shared-memory'
// Kept as they are when it is loaded, before a test puts others in their place.
import '../timers'
import { appendBindings } from './bindings'
import { warnOfLevelFormatter } from './deprecations'
import type { Internals, Stream } from './internals'
import { assertDefaultLevel, cacheLineStarts, levelComparison, levelMapping, STANDARD_LEVELS } from './levels'
import { type FullOptions, type Options, resolveArguments } from './options'
import { loggerPrototype } from './proto'
import { redactionState } from './redaction'
import { quote, safeStringify, stringify } from './stringify'
import {
  chindingsSym,
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
import { timeFunction } from './time'
import type { Bindings } from './types'

const noop = (): void => {}

function levelOption({ enabled, level, customLevels, useOnlyCustomLevels }: FullOptions): string | number {
  if (enabled === false) return 'silent'
  if (typeof level !== 'string') return level as unknown as number
  if (useOnlyCustomLevels && customLevels && Object.hasOwn(customLevels, level)) return level
  // Names of custom levels are taken as they are.
  const standard = level.toLowerCase()
  return Object.hasOwn(STANDARD_LEVELS, standard) ? standard : level
}

/** The bindings of the logger itself, as they are printed; with `base` null there are none for a formatter to see. */
function baseBindings(logger: Internals, { base, name }: FullOptions): string {
  if (base === null) return ''
  return appendBindings(logger, name === undefined ? base : { ...(base as Bindings), name })
}

function levelState(options: FullOptions) {
  const only = Boolean(options.useOnlyCustomLevels)
  return {
    levels: levelMapping(options.customLevels, only),
    silent: noop,
    onChild: options.onChild || noop,
    [levelCompSym]: levelComparison(options.levelComparison),
    [useOnlyCustomLevelsSym]: only
  }
}

function keyState({ messageKey, errorKey, nestedKey }: FullOptions) {
  return {
    [messageKeySym]: messageKey as string,
    [errorKeySym]: errorKey as string,
    [nestedKeySym]: nestedKey,
    [nestedKeyStrSym]: nestedKey ? `,${quote(nestedKey)}:{` : ''
  }
}

function textState(options: FullOptions) {
  const safe = safeStringify(options.depthLimit as number, options.edgeLimit as number)
  return {
    [stringifySym]: stringify,
    [stringifySafeSym]: safe,
    ...redactionState(options.redact, safe),
    [endSym]: options.crlf ? '}\r\n' : '}\n',
    [serializersSym]: options.serializers,
    [formattersSym]: options.formatters,
    [chindingsSym]: ''
  }
}

function recordState(options: FullOptions, stream: Stream) {
  const time = timeFunction(options.timestamp)
  return {
    [streamSym]: stream,
    [timeSym]: time,
    [timeSliceIndexSym]: time().indexOf(':') + 1,
    [mixinSym]: options.mixin,
    [mixinMergeStrategySym]: options.mixinMergeStrategy,
    [hooksSym]: options.hooks ?? {},
    [errorTextSym]: options.loggingErrorText,
    [trailingFieldsSym]: options.trailingFields,
    [jsonAtCallSym]: options.encoder === 'json',
    [msgPrefixSym]: options.msgPrefix
  }
}

/** Tells a transport how the lines it will get are made up. */
function announce(logger: Internals, stream: Stream, given: unknown): void {
  const { emit } = stream as { emit?: unknown }
  if (typeof emit === 'function') {
    const config = { levels: logger.levels, messageKey: logger[messageKeySym], errorKey: logger[errorKeySym] }
    emit.call(stream, 'message', { code: 'PINO_CONFIG', config })
  }
  const { formatters } = (given ?? {}) as { formatters?: { level?: unknown } }
  const several = (stream as { [transportUsesMultistreamSym]?: boolean })[transportUsesMultistreamSym]
  if (several && typeof formatters?.level === 'function') warnOfLevelFormatter()
}

/**
 * A new logger.
 *
 * @param first options, or the destination
 * @param second the destination: a stream, or a path; default standard output
 * @param defaults in place of what applies where options say nothing
 * @throws if an option is wrong
 */
export function createLogger(first: unknown, second: unknown, defaults?: Partial<Options>): Internals {
  const { options, stream } = resolveArguments(first, second, defaults)
  const state = { ...levelState(options), ...recordState(options, stream), ...textState(options), ...keyState(options) }
  const shared = Object.assign(Object.create(loggerPrototype()) as object, state) as unknown as Internals
  const level = levelOption(options)
  assertDefaultLevel(level, shared.levels)
  shared[chindingsSym] = baseBindings(shared, options)
  // Inherited by children, whose formatters shape their own bindings only.
  cacheLineStarts(shared)
  // The state stands one step behind the logger, as a parent's behind its child: V8 keeps the properties of prototypes in slots, however many
  // they are, but those of other objects, beyond some twelve, in a hash table, where each of a log call's look-ups costs nanoseconds more.
  const logger = Object.create(shared) as Internals
  // What pino's loggers have of their own, for those who list it.
  const { levels, silent, onChild } = state
  Object.assign(logger, { levels, silent, onChild })
  logger[setLevelSym](level)
  if (namesFeatures(options)) installFeatures(logger, options)
  announce(logger, stream, first)
  return logger
}
