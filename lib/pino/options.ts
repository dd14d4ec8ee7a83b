/** The arguments of `shardlog(options?, destination?)`: which is which, what is wrong with them, what applies by default. */

import { hostname } from 'node:os'
import path from 'node:path'
import { ShardlogError } from '../errors'
import { checkPretty, isPretty, PrettyStream } from '../pretty/pretty-stream'
import { callers } from './caller'
import { destination, standardDestination } from './destination'
import { rootFormatters } from './formatters'
import type { Formatters, Serializers, Stream } from './internals'
import { rootSerializers } from './serializers'
import { transport } from './transport'
import type { Bindings, LoggerOptions } from './types'

export type Options = LoggerOptions<string, boolean>

/** Options with what applies by default filled in. */
export interface FullOptions extends Omit<Options, 'serializers' | 'formatters'> {
  base: Bindings | null
  serializers: Serializers
  formatters: Formatters
}

/** Whether the package is installed under pino's name; packages that depend on pino pass arguments that it ignores. */
const inPinosPlace = path.join(__dirname, '..', '..').endsWith(path.join(path.sep, 'node_modules', 'pino'))

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
function sortOut(first: unknown, second: unknown): { options: Options; stream: unknown } {
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

/** @throws naming the option that is wrong */
function check(options: Options): void {
  const { mixin, msgPrefix, useOnlyCustomLevels, customLevels: levels } = options
  if ((options as { prettyPrint?: unknown }).prettyPrint) {
    throw Error(
      'prettyPrint option is no longer supported, see the pino-pretty package (https://github.com/pinojs/pino-pretty)'
    )
  }
  checkPretty(options.pretty)
  if (useOnlyCustomLevels && !levels) throw Error('customLevels is required if useOnlyCustomLevels is set true')
  if (mixin && typeof mixin !== 'function') {
    throw Error(`Unknown mixin type "${typeof mixin}" - expected "function"`)
  }
  if (msgPrefix && typeof msgPrefix !== 'string') {
    throw Error(`Unknown msgPrefix type "${typeof msgPrefix}" - expected "string"`)
  }
}

/** The stream of a logger, with what makes its lines readable in front of it if the options ask for that. */
function outermost(options: Options, given: unknown): Stream {
  const { pretty, messageKey, errorKey, customLevels: levels } = options
  const stream = (given || standardDestination()) as Stream
  if (pretty === undefined || !isPretty(pretty, !given)) return stream
  return new PrettyStream(stream, pretty, { messageKey, errorKey, customLevels: levels, toStdout: !given })
}

/** The options' own properties, as in pino. One that is undefined is not given; only `base` says something by it: none. */
function givenOf(options: Options): Options {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options
  if (Object.hasOwn(options, 'base') && options.base === undefined) given.base = {}
  return given
}

function filled(options: Options): FullOptions {
  const base = { pid: process.pid, hostname: hostname() }
  return {
    base,
    ...defaults,
    ...options,
    serializers: rootSerializers(options.serializers as Serializers | undefined),
    formatters: rootFormatters(options.formatters as Partial<Formatters> | undefined)
  } as FullOptions
}

/**
 * Options and stream of a new logger. Names of options that are not known are ignored, as pino does.
 *
 * @throws if an option is wrong
 */
export function resolveArguments(
  first: unknown,
  second: unknown,
  fallback?: Partial<Options>
): { options: FullOptions; stream: Stream } {
  const { options: own, stream } = sortOut(first, second)
  const options = { ...fallback, ...givenOf(own) }
  check(options)
  return { options: filled(options), stream: outermost(options, stream) }
}
