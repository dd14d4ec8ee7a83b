/**
 * Public types of the structured logger. Names and shapes are those of pino's declarations, so that
 * code typed for it compiles.
 */

import type { EventEmitter } from 'node:events'
import type { WorkerOptions } from 'node:worker_threads'
import type {
  SerializedError as StdSerializedError,
  SerializedRequest as StdSerializedRequest,
  SerializedResponse as StdSerializedResponse
} from 'pino-std-serializers'
import type { PrettyChoice } from '../pretty'
import type { needsMetadataGsym } from './symbols'

export type SerializedError = StdSerializedError
export type SerializedRequest = StdSerializedRequest
export type SerializedResponse = StdSerializedResponse

export type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace'
export type LevelOrString = Level | (string & {})
export type LevelWithSilent = Level | 'silent'
export type LevelWithSilentOrString = LevelWithSilent | (string & {})

/** Fields that every line of a logger carries. */
// biome-ignore lint/suspicious/noExplicitAny: code typed for pino reads bindings without a cast
export type Bindings = Record<string, any>
// biome-ignore lint/suspicious/noExplicitAny: a serializer's parameter may have any type
export type SerializerFn = (value: any) => any
/** Returns a part of a JSON object with the comma before it, such as `,"time":1493426328206`. */
export type TimeFn = () => string
export type WriteFn = (o: object) => void

/** A parsed log line. */
// biome-ignore lint/suspicious/noExplicitAny: transports of pino read any field of a parsed line
export type LogDescriptor = Record<string, any>

export type MixinMergeStrategyFn = (mergeObject: object, mixinObject: object) => object

export interface redactOptions {
  /** What to hide, in dot and bracket notation: `'req.headers["x-key"]'`, `'users[*].name'`. */
  paths: string[]
  /** What stands in its place, or a function that makes it. Default `'[Redacted]'`. */
  censor?: string | ((value: unknown, path: string[]) => unknown)
  /** Leave the key out too. Default false. */
  remove?: boolean
}

/** Level numbers by name and names by number. */
export interface LevelMapping {
  values: { [level: string]: number }
  labels: { [level: number]: string }
}

export interface BaseLogger {
  /** The lowest level that is written; `'silent'` writes none. Assigning an unknown one throws. */
  level: LevelWithSilentOrString
  fatal: LogFn
  error: LogFn
  warn: LogFn
  info: LogFn
  debug: LogFn
  trace: LogFn
  /** Does nothing. */
  silent: LogFn
  /** What stands before each message; a child's follows its parent's. */
  get msgPrefix(): string | undefined
}

/** Declared by way of a method, so that a listener may take a logger of a more particular type. */
export type LevelChangeEventListener<
  CustomLevels extends string = never,
  UseOnlyCustomLevels extends boolean = boolean
> = {
  listener(
    lvl: LevelWithSilentOrString,
    val: number,
    prevLvl: LevelWithSilentOrString,
    prevVal: number,
    logger: Logger<CustomLevels, UseOnlyCustomLevels>
  ): void
}['listener']

export interface LoggerExtras<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>
  extends EventEmitter {
  /** Version of this package. */
  readonly version: string
  levels: LevelMapping
  /** Kept for code typed for older versions of pino. */
  useLevelLabels: boolean
  /** Number of the current level. Read-only: assigning throws. */
  levelVal: number
  /**
   * A logger with the same destination whose lines carry `bindings` too. Serializers and redaction
   * apply to them, once.
   *
   * @throws without bindings
   */
  child<ChildCustomLevels extends string = never>(
    bindings: Bindings,
    options?: ChildLoggerOptions<ChildCustomLevels>
  ): Logger<CustomLevels | ChildCustomLevels>
  /** Called with each new child. */
  onChild(child: Logger<CustomLevels>): void
  on(event: 'level-change', listener: LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>): this
  addListener(event: 'level-change', listener: LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>): this
  once(event: 'level-change', listener: LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>): this
  prependListener(event: 'level-change', listener: LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>): this
  prependOnceListener(
    event: 'level-change',
    listener: LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>
  ): this
  removeListener(event: 'level-change', listener: LevelChangeEventListener<CustomLevels, UseOnlyCustomLevels>): this
  /** Whether a call at `level` would write. */
  isLevelEnabled(level: LevelWithSilentOrString): boolean
  /** The bindings as they are written, without `pid` and `hostname`. */
  bindings(): Bindings
  /** Adds to this logger's bindings; does not replace, so keys may repeat in its lines. */
  setBindings(bindings: Bindings): void
  /** Flushes a destination that buffers; `cb` is told when that is done. */
  flush(cb?: (err?: Error) => void): void
}

/**
 * The names themselves, in a form that is no place to infer them from: names of custom levels come
 * from options, or from a logger of this very type. Inferred from another package's logger, they
 * would be whatever names its properties have.
 */
export type LevelNames<Names extends string> = Names extends unknown ? Names : never

type CustomLevelLogger<CustomLevels extends string, UseOnlyCustomLevels extends boolean = boolean> = {
  customLevels: { [level in LevelNames<CustomLevels>]: number }
  useOnlyCustomLevels: UseOnlyCustomLevels
} & {
  [K in Exclude<Level, CustomLevels>]: UseOnlyCustomLevels extends true ? never : LogFn
} & {
  [level in LevelNames<CustomLevels>]: LogFn
}

export type Logger<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean> = BaseLogger &
  LoggerExtras<CustomLevels> &
  CustomLevelLogger<CustomLevels, UseOnlyCustomLevels>

/** A record as pino's build for browsers hands it on. */
export interface LogEvent {
  /** Milliseconds since 1970. */
  ts: number
  // biome-ignore lint/suspicious/noExplicitAny: whatever was logged
  messages: any[]
  bindings: Bindings[]
  level: { label: string; value: number }
}

/**
 * Options of pino's build for browsers, accepted so that configurations can be shared; without
 * effect here.
 */
export interface BrowserOptions {
  asObject?: boolean
  asObjectBindingsOnly?: boolean
  formatters?: Pick<FormattersOptions, 'level' | 'log'>
  reportCaller?: boolean
  write?: WriteFn | ({ [level in Level]?: WriteFn } & { [level: string]: WriteFn })
  serialize?: boolean | string[]
  transmit?: { level?: LevelOrString; send: (level: Level, logEvent: LogEvent) => void }
  disabled?: boolean
}

export interface FormattersOptions {
  /**
   * Shapes the level. Default `(label, number) => ({ level: number })`. Called once for each level.
   */
  level?: (label: string, number: number) => object
  /** Shapes the bindings. Called once for each logger. */
  bindings?: (bindings: Bindings) => object
  /** Shapes the logged object. Called for each record. */
  log?: (object: Record<string, unknown>) => Record<string, unknown>
}

export interface HooksOptions {
  /** Sees the arguments of each call and makes the call itself: `method.apply(this, args)`. */
  logMethod?(this: Logger, args: Parameters<LogFn>, method: LogFn, level: number): void
  /** Sees each finished line; must return valid JSON. */
  streamWrite?: (s: string) => string
}

/** Options of plug-ins, each of which adds its own by declaring more of this interface. */
// biome-ignore lint/suspicious/noEmptyInterface: plug-ins add to it
export interface PluginOptions {}

/** Methods that plug-ins give to loggers, as `PluginOptions`. */
// biome-ignore lint/suspicious/noEmptyInterface: plug-ins add to it
export interface PluginMethods {}

export interface EncoderOption {
  /**
   * What makes lines: 'native' (the destination's flusher, if it records), 'json' (JSON.stringify,
   * at the call). 'msgspec' is 'native'.
   */
  encoder?: 'native' | 'json' | 'msgspec'
}

export interface LoggerOptions<CustomLevels extends string = never, UseOnlyCustomLevels extends boolean = boolean>
  extends EncoderOption,
    PluginOptions {
  /** Sends lines to worker threads; short for passing `shardlog.transport(...)` as destination. */
  transport?: TransportSingleOptions | TransportMultiOptions | TransportPipelineOptions
  /**
   * Readable lines, by the package pino-pretty, made in this process: true, or its options; 'auto':
   * if no destination is given and standard output is a terminal and pino-pretty is installed. In
   * colours on a terminal. Default false.
   */
  pretty?: PrettyChoice
  /** Accepted for older code; circular values never fail. */
  safe?: boolean
  /** Written as `name` in each line. */
  name?: string
  /** Functions that shape the values logged under their keys. */
  serializers?: { [key: string]: SerializerFn }
  /**
   * The time in each line: false for none, or a function that makes it. Default true: `"time"` in
   * ms since 1970.
   */
  timestamp?: TimeFn | boolean
  /** The lowest level that is written. Default `'info'`. */
  level?: LevelWithSilentOrString
  /** Further levels by name. */
  customLevels?: { [level in CustomLevels]: number }
  /** Have no levels but `customLevels`. Default false. */
  useOnlyCustomLevels?: UseOnlyCustomLevels
  /** Whether higher or lower numbers weigh more, or a function that decides. Default `'ASC'`. */
  levelComparison?: 'ASC' | 'DESC' | ((current: number, expected: number) => boolean)
  /** Called for each record; its result's fields join the line, and may be changed. */
  mixin?(mergeObject: object, level: number, logger: Logger<CustomLevels>): object
  /** Joins the logged object and the mixin's result. By default the logged object wins. */
  mixinMergeStrategy?: MixinMergeStrategyFn
  /** Paths of values to hide. */
  redact?: string[] | redactOptions
  /** Kept for code typed for older versions of pino. */
  levelVal?: number
  /** Key of the message. Default `'msg'`. */
  messageKey?: string
  /** Key of an error that is logged by itself. Default `'err'`. */
  errorKey?: string
  /** Puts the logged object under this key. Default none. */
  nestedKey?: string
  /** False is short for `level: 'silent'`. Default true. */
  enabled?: boolean
  /** Accepted for configurations shared with browsers; without effect here. */
  browser?: BrowserOptions
  /** Bindings of the logger itself. Default `{ pid, hostname }`; null for none. */
  base?: Bindings | null
  formatters?: FormattersOptions
  /** Put before each message. */
  msgPrefix?: string
  hooks?: HooksOptions
  /** Deepest nesting written of a value that `JSON.stringify` refuses. Default 5. */
  depthLimit?: number
  /** Most entries written of each object or array in such a value. Default 100. */
  edgeLimit?: number
  /** Called with each new child, at once. */
  onChild?(child: Logger<CustomLevels>): void
  /**
   * Whether `loggingError`, which says where what kind of error kept a part of a record out of its
   * line, also has the text of what was thrown: it may hold the value that was to be hidden.
   * Default false.
   */
  loggingErrorText?: boolean
  /**
   * Whether a plain object or an error that is the one argument after a message without
   * placeholders joins the line. Default true; false in pino's place, which ignores it: in the
   * package installed as `pino`, and in `shardlog/pino`.
   */
  trailingFields?: boolean
  /**
   * Whether a line is written to standard output before its call returns, where no destination is
   * given. Default: where the environment says that the process may be frozen after it (AWS Lambda
   * and the like).
   */
  sync?: boolean
  /** End lines with CR LF. Default false. */
  crlf?: boolean
}

export interface ChildLoggerOptions<CustomLevels extends string = never> {
  level?: LevelOrString
  serializers?: { [key: string]: SerializerFn }
  customLevels?: { [level in CustomLevels]: number }
  formatters?: {
    level?: (label: string, number: number) => object
    bindings?: (bindings: Bindings) => object
    log?: (object: object) => object
  }
  /** Replaces the parent's; an empty array for none. */
  redact?: string[] | redactOptions
  /** Follows the parent's prefix. */
  msgPrefix?: string
}

// Log calls: the placeholders of a message say what arguments it takes.

type PlaceholderSpecifier = 'd' | 's' | 'j' | 'o' | 'O'
type PlaceholderTypeMapping<T extends PlaceholderSpecifier> = T extends 'd'
  ? number
  : T extends 's'
    ? unknown
    : T extends 'j' | 'o' | 'O'
      ? NonNullable<unknown> | null
      : never

/** The arguments that a message's placeholders ask for. */
export type ParseLogFnArgs<T, Acc extends unknown[] = []> = T extends `${infer _}%${infer Placeholder}${infer Rest}`
  ? Placeholder extends PlaceholderSpecifier
    ? ParseLogFnArgs<Rest, [...Acc, PlaceholderTypeMapping<Placeholder>]>
    : ParseLogFnArgs<Rest, Acc>
  : Acc

export interface LogFn {
  /** A message, and what its placeholders ask for. */
  <TMsg extends string = string>(msg: TMsg, ...args: ParseLogFnArgs<TMsg>): void
  /**
   * An object whose fields join the line (or an error), a message, and what its placeholders ask
   * for.
   */
  <T, TMsg extends string = string>(
    obj: [T] extends [object] ? T & LogFnFields : T,
    msg?: T extends string ? never : TMsg,
    ...args: ParseLogFnArgs<TMsg> | []
  ): void
  <T, TMsg extends string = string>(
    obj: [T] extends [object] ? T & LogFnFields : T,
    msg?: T extends string ? never : TMsg,
    ...args: ParseLogFnArgs<TMsg> extends [unknown, ...unknown[]] ? ParseLogFnArgs<TMsg> : unknown[]
  ): void
}

/**
 * What a call takes besides where `trailingFields` is on: a message, and an object whose fields
 * join the line (pino ignores it).
 */
export type TrailingFieldsFn = <TMsg extends string = string, TFields extends object = object>(
  msg: TMsg,
  ...args: [...ParseLogFnArgs<TMsg>, TFields & LogFnFields]
) => void

/**
 * Which fields log calls must or must not carry: what programs add to the interface of this name in
 * the package's modules, from which `scripts/public-surface.js` takes it.
 */
// biome-ignore lint/suspicious/noEmptyInterface: the declarations of the package extend it
export interface LogFnFields {}

// What lines are written to: streams, several of them, transports.

// biome-ignore lint/suspicious/noExplicitAny: each transport has options of its own
export type AnyTransportOptions = Record<string, any>

export interface TransportTargetOptions<TransportOptions = AnyTransportOptions> {
  /**
   * Absolute path, file URL or package name of the transport; `'pino/file'` writes to a file or
   * descriptor.
   */
  target: string
  options?: TransportOptions
  /** Least level sent there, where there are several targets. Default `'info'`. */
  level?: LevelWithSilentOrString
}

export interface TransportBaseOptions<TransportOptions = AnyTransportOptions> {
  options?: TransportOptions
  /** Options of the worker thread; `autoEnd: false` leaves ending it to the program. */
  worker?: WorkerOptions & { autoEnd?: boolean }
}

export interface TransportSingleOptions<TransportOptions = AnyTransportOptions>
  extends TransportBaseOptions<TransportOptions> {
  target: string
}

export interface TransportPipelineOptions<TransportOptions = AnyTransportOptions>
  extends TransportBaseOptions<TransportOptions> {
  pipeline: TransportSingleOptions<TransportOptions>[]
  level?: LevelWithSilentOrString
}

export interface TransportMultiOptions<TransportOptions = AnyTransportOptions>
  extends TransportBaseOptions<TransportOptions> {
  targets: readonly (TransportTargetOptions<TransportOptions> | TransportPipelineOptions<TransportOptions>)[]
  /** Numbers of levels beyond the standard ones. */
  levels?: Record<string, number>
  /** Send a record only to the targets of the highest level that takes it. */
  dedupe?: boolean
}

export interface MultiStreamOptions {
  levels?: Record<string, number>
  dedupe?: boolean
}

/** What lines can be written to. */
export interface DestinationStream {
  write(msg: string): void
}

interface DestinationStreamHasMetadata {
  [needsMetadataGsym]: true
  lastLevel: number
  lastTime: string
  lastMsg: string
  lastObj: object
  lastLogger: Logger
}

export type DestinationStreamWithMetadata = DestinationStream &
  ({ [needsMetadataGsym]?: false } | DestinationStreamHasMetadata)

export interface StreamEntry<TLevel = Level> {
  stream: DestinationStream
  level?: TLevel
}

export interface MultiStreamRes<TOriginLevel = Level> {
  // biome-ignore lint/suspicious/noExplicitAny: as pino declares it, the data goes on unchanged
  write: (data: any) => void
  add: <TLevel = Level>(dest: StreamEntry<TLevel> | DestinationStream) => MultiStreamRes<TOriginLevel & TLevel>
  remove: (id: number) => MultiStreamRes<TOriginLevel>
  flushSync: () => void
  end: () => void
  minLevel: number
  streams: StreamEntry<TOriginLevel>[]
  clone<const TLevel = Level>(level: TLevel): MultiStreamRes<TLevel>
}
