/**
 * The arguments of `shardlog(options?, destination?)`: which is which, what is wrong with them,
 * what applies by default.
 */

import { hostname } from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { ENGINE_OPTIONS } from '../config'
import { nearestName, ShardlogError } from '../errors'
import { ownFolder } from '../own-place'
import { pathOf } from '../path-like'
import { checkPretty, isPretty, PrettyStream } from '../pretty'
import { type Formatters, plugins, type Serializers, type Stream } from './context'
import { destination, standardDestination } from './destination'
import { rootFormatters, rootSerializers } from './fields'
import { RecordDestination } from './record-destination'
import { callers, transport } from './transport'
import type { Bindings, LoggerOptions } from './types'

export type Options = LoggerOptions<string, boolean>

/** Options with what applies by default filled in. */
export interface FullOptions extends Omit<Options, 'serializers' | 'formatters'> {
  base: Bindings | null
  serializers: Serializers
  formatters: Formatters
}

/**
 * Whether the package is installed under pino's name; packages that depend on pino pass arguments
 * that it ignores.
 */
const inPinosPlace = ownFolder?.endsWith(path.join(path.sep, 'node_modules', 'pino', 'dist', path.sep)) ?? false

const defaults = {
  level: 'info',
  levelComparison: 'ASC',
  useOnlyCustomLevels: false,
  messageKey: 'msg',
  errorKey: 'err',
  nestedKey: null,
  enabled: true,
  timestamp: true,
  depthLimit: 5,
  edgeLimit: 100,
  loggingErrorText: false,
  trailingFields: !inPinosPlace
} as const

interface StreamLike {
  write?: unknown
  writable?: unknown
  _writableState?: unknown
}

function isStream(value: unknown): value is Stream {
  if (typeof value !== 'object' || value === null) return false
  const stream = value as StreamLike
  return typeof stream.write === 'function' || Boolean(stream.writable || stream._writableState)
}

/** The stream that the option `transport` asks for. */
function transportStream(options: Options): Stream {
  const asked = options.transport as NonNullable<Options['transport']>
  if (isStream(asked)) {
    throw Error('option.transport do not allow stream, please pass to option directly. e.g. pino(transport)')
  }
  if ('targets' in asked && asked.targets?.length && typeof options.formatters?.level === 'function') {
    throw Error('option.transport.targets do not allow custom level formatters')
  }
  return transport({ caller: callers(), ...asked, ...customLevels(options) })
}

function customLevels({ customLevels: levels }: Options): object {
  return levels ? { levels } : {}
}

/** Tells options and destination apart: either may be left out, a destination may be a path. */
function sortOut(given: unknown, givenStream: unknown): { options: Options; stream: unknown } {
  const first = pathOf(given, 'dest')
  const second = pathOf(givenStream, 'dest')
  if (typeof first === 'string') return { options: {}, stream: destination(first) }
  if (isStream(first)) return { options: {}, stream: first }
  const options = (first ?? {}) as Options
  if (options.transport && second !== undefined && second !== null) {
    throw Error('only one of option.transport or stream can be specified')
  }
  if (options.transport && options.pretty && options.pretty !== 'auto') {
    const message =
      "options pretty and transport exclude each other; as a transport, pino-pretty is the target 'pino-pretty'"
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }
  if (typeof second === 'string') return { options, stream: destination(second) }
  if (options.transport) return { options, stream: transportStream(options) }
  return { options, stream: second }
}

const ENCODERS: readonly unknown[] = ['native', 'json', 'msgspec', undefined]

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
function checkEncoder(encoder: unknown): void {
  if (ENCODERS.includes(encoder)) return
  const message = `option encoder must be one of 'native', 'json', 'msgspec', got ${inspect(encoder)}`
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
}

/** @throws naming the option that is wrong */
function check(options: Options): void {
  const { mixin, msgPrefix, useOnlyCustomLevels, customLevels: levels } = options
  if ((options as { prettyPrint?: unknown }).prettyPrint) {
    throw Error(
      'prettyPrint option is no longer supported, see the pino-pretty package (https://github.com/pinojs/pino-pretty)'
    )
  }
  if (options.pretty !== undefined) checkPretty(options.pretty)
  checkEncoder(options.encoder)
  if (options.sync !== undefined && typeof options.sync !== 'boolean') {
    throw configError(`option sync must be true or false, got ${inspect(options.sync)}`)
  }
  if (useOnlyCustomLevels && !levels) throw Error('customLevels is required if useOnlyCustomLevels is set true')
  if (mixin && typeof mixin !== 'function') {
    throw Error(`Unknown mixin type "${typeof mixin}" - expected "function"`)
  }
  if (msgPrefix && typeof msgPrefix !== 'string') {
    throw Error(`Unknown msgPrefix type "${typeof msgPrefix}" - expected "string"`)
  }
}

/** Options of this folder's own. */
const OWN_OPTIONS = ['encoder', 'loggingErrorText', 'pretty', 'sync', 'trailingFields']
/** pino's, as its types have them, and those of older versions that programs still pass. */
const PINO_OPTIONS = [
  ...Object.keys(defaults),
  'base',
  'browser',
  'crlf',
  'customLevels',
  'formatters',
  'hooks',
  'levelVal',
  'levels',
  'mixin',
  'mixinMergeStrategy',
  'msgPrefix',
  'name',
  'onChild',
  'prettifier',
  'prettify',
  'prettyPrint',
  'redact',
  'safe',
  'serializers',
  'transport'
]

/** Options of this package's own; a name that is nearly one of them is taken for a slip. */
const ownOptions = (): string[] => [...OWN_OPTIONS, ...plugins.flatMap(plugin => plugin.options)].sort()

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

/**
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an option that belongs elsewhere, or is nearly
 * one of ours
 */
function checkName(name: string, value: unknown): void {
  const own = ownOptions()
  if (own.includes(name) || PINO_OPTIONS.includes(name)) return
  const shown = inspect(value, { depth: 0, maxStringLength: 80 })
  if (name === 'dest' || name === 'format' || name === 'logFilePath' || ENGINE_OPTIONS.includes(name)) {
    const raw =
      name === 'logFilePath' ? ', where it is dest, or of new Logger({ logFilePath }), which takes finished lines' : ''
    throw configError(
      `option ${name} (value ${shown}) is of the destination${raw}: shardlog(options, shardlog.destination({ dest, format: 'ndjson' }))`
    )
  }
  const near = nearestName(name, [...own, ...PINO_OPTIONS])
  if (near !== undefined && own.includes(near)) {
    throw configError(`unknown option ${name} (value ${shown}): did you mean ${near}?`)
  }
}

/**
 * The second argument as a destination.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it cannot be one
 */
function checkDestination(stream: unknown): void {
  if (!stream || typeof (stream as StreamLike).write === 'function') return
  const isOptions = typeof stream === 'object' && ('dest' in stream || 'format' in stream || 'logFilePath' in stream)
  const isRaw = typeof (stream as { logBytes?: unknown }).logBytes === 'function'
  const hint = isOptions
    ? 'write shardlog(options, shardlog.destination({ dest, format }))'
    : isRaw
      ? 'a Logger takes finished lines; write shardlog(options, shardlog.destination({ dest, format }))'
      : 'a destination is a path, a stream, or the result of shardlog.destination, multistream or transport'
  const shown = inspect(stream, { depth: 0, maxStringLength: 80 })
  throw configError(`the second argument must have a method write, got ${shown}: ${hint}`)
}

/**
 * The stream of a logger, with what makes its lines readable in front of it if the options ask for
 * that.
 */
function outermost(options: Options, given: unknown): Stream {
  const { pretty, messageKey, errorKey, customLevels: levels } = options
  const stream = (given || standardDestination(options.sync)) as Stream
  if (pretty === undefined || !isPretty(pretty, !given)) return stream
  return new PrettyStream(stream, pretty, { messageKey, errorKey, customLevels: levels, toStdout: !given })
}

/**
 * The options' own properties, as in pino. One that is undefined is not given; only `base` says
 * something by it: none.
 */
function givenOf(options: Options): Options {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options
  if (Object.hasOwn(options, 'base') && options.base === undefined) given.base = {}
  return given
}

function filled(options: Options): FullOptions {
  // Not spread: V8 makes a shape for each literal that is, which stays until a full collection.
  return Object.assign({ base: { pid: process.pid, hostname: hostname() } }, defaults, options, {
    serializers: rootSerializers(options.serializers as Serializers | undefined),
    formatters: rootFormatters(options.formatters as Partial<Formatters> | undefined)
  }) as FullOptions
}

/**
 * Options and stream of a new logger. Names of options that are not known are ignored, as pino
 * does.
 *
 * @throws if an option is wrong
 */
export function resolveArguments(
  first: unknown,
  second: unknown,
  fallback?: Partial<Options>
): { options: FullOptions; stream: Stream } {
  const { options: own, stream } = sortOut(first, second)
  const options = Object.assign({}, fallback, givenOf(own))
  const isPino = inPinosPlace || fallback?.trailingFields === false
  // What pino would ignore may be anything, where programs were written for it.
  if (!isPino) for (const [name, value] of Object.entries(options)) checkName(name, value)
  checkDestination(stream)
  // A stream of text is given each line in its call anyway.
  if (options.sync && stream instanceof RecordDestination) {
    throw configError(
      'option sync (value true) is for standard output, where no destination is given; of a destination flushSync() waits'
    )
  }
  check(options)
  return { options: filled(options), stream: outermost(options, stream) }
}
