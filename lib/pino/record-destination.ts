/**
 * Destinations that record: a file of lines, a shard file, or a descriptor, behind the engine's
 * buffers; and the sink by which loggers leave the making of JSON to them.
 */

import { EventEmitter } from 'node:events'
import { inspect } from 'node:util'
import { resolveConfig, resolveDescriptorConfig, SMALL_BUFFER } from '../config'
import { type EngineControls, engineReading } from '../engine/engine'
import { openJsDescriptor, openJsEngine } from '../engine/js/js-engine'
import { openNativeRecords } from '../engine/native-engine'
import { isNative } from '../engine/open-engine'
import { ShardlogError } from '../errors'
import type { Reading } from '../metrics'
import { descriptorOf, type WithPaths, withPaths } from '../path-like'
import { RecordEncoder, type RecordWriter } from '../record/record-encoder'
import { nextTick, setImmediate } from '../timers'
import type { Config, FlushMetrics, PlainConfig, ResolvedConfig, ShardStats, StatsSnapshot } from '../types'
import { type Fields, type Internals, type RecordSink, recordSinkSym, type StreamWithSink, type Write } from './context'
import { mixIn } from './fields'
import { asFields, errorMessage, hasSubscribers, write as plainWrite, recordTime, tracedAsJson } from './json-line'
import { LoggerFormat } from './line-format'
import {
  define,
  fastPathSym,
  formatSym,
  hasPlainLines,
  isProxied,
  keepFastPath,
  LogFastPath,
  shapesFields
} from './log-call'
import {
  asJsonSym,
  boundSym,
  formattersSym,
  hooksSym,
  levelValSym,
  mixinSym,
  readingsSym,
  stateWatch,
  streamSym,
  timeSym,
  writeSym
} from './symbols'

// The sink: it passes on the values of a record, before they are text.

interface Formatted {
  [formatSym]?: LoggerFormat | undefined
}

/** The first format of `logger`; of lines of `level`, unless it has one. */
function formatOf(logger: Internals & Formatted, level: number): LoggerFormat {
  const known = logger[formatSym]
  // A child finds its parent's.
  if (known?.isValidFor(logger)) return known
  const format = LoggerFormat.of(logger, level, known, false)
  try {
    logger[formatSym] = format
  } catch {
    define(logger, formatSym, format)
  }
  return format
}

/**
 * Lines that only their text can be: fields below a key of their own, other line ends, a hook or a
 * tool that sees each line, a logger behind a proxy.
 */
function wantsText(logger: Internals): boolean {
  return logger[asJsonSym] !== tracedAsJson || !hasPlainLines(logger) || hasSubscribers() || isProxied(logger)
}

function writeText(writer: RecordWriter, logger: Internals, fields: Fields, message: unknown, level: number): void {
  const line = logger[asJsonSym](fields, message, level, logger[timeSym]())
  const hook = logger[hooksSym].streamWrite
  writer.text(recordTime(), hook ? hook(line) : line)
}

/** Whether something sees the fields or the message between the call and the record. */
function hasHooks(logger: Internals): boolean {
  return shapesFields(logger) || wantsText(logger)
}

function write(
  writer: RecordWriter,
  logger: Internals,
  object: object | null | undefined,
  text: unknown,
  level: number
): void {
  const own = object ? asFields(logger, object) : null
  const message = text === undefined && object ? errorMessage(logger, object) : text
  const mixin = logger[mixinSym]
  const shaped = mixin ? (mixIn(logger, mixin, own ?? {}, level) as Fields) : own
  if (wantsText(logger)) {
    writeText(writer, logger, shaped ?? {}, message, level)
    return
  }
  const format = logger[formattersSym].log
  const fields = format ? format(shaped ?? {}) : shaped
  const first = formatOf(logger, level)
  const { shared } = first
  const converted = shared.serializers.messageOf(logger, message)
  writer.record(first.of(level), recordTime(), shared.timeOf(logger), fields, converted)
}

/**
 * Gives a logger whose calls need nothing of the above the fast path, if its destination is the
 * sink's alone.
 *
 * @param write what the logger does with a record; another is a stage's, which `writer` then stands
 *   for
 */
export function addFastPath(
  sink: RecordSink,
  writer: RecordWriter,
  logger: Internals,
  write: Write = plainWrite
): void {
  if (stateWatch.isComputed || logger[fastPathSym]?.isValidFor(logger) || !Object.isExtensible(logger)) return
  const isPlain = logger[writeSym] === write && !wantsText(logger)
  if (!isPlain || (logger[streamSym] as StreamWithSink)[recordSinkSym] !== sink) return
  const format = formatOf(logger, logger[levelValSym])
  keepFastPath(logger, LogFastPath.of(logger, format, writer))
  // A parent may never log itself, and its children for a line or two each: they take theirs from
  // it.
  const parent = Object.getPrototypeOf(logger) as Internals
  const isLogger = Object.hasOwn(parent, levelValSym) || Object.hasOwn(parent, boundSym)
  if (isLogger) addFastPath(sink, writer, parent, write)
}

/** The sink for a destination that records. */
export function recordSink(writer: RecordWriter): RecordSink {
  const sink: RecordSink = {
    write(logger, object, text, level) {
      write(writer, logger, object, text, level)
      addFastPath(sink, writer, logger)
    },
    prepare(logger) {
      addFastPath(sink, writer, logger)
      logger[fastPathSym]?.prepare(logger[levelValSym])
    },
    writer,
    event(logger, event, values) {
      const first = formatOf(logger, event.level)
      const { shared } = first
      const { serializers } = shared
      const isResolved = event.resolve(serializers.tree)
      if (!isResolved || serializers.convertMessage !== null || hasHooks(logger)) {
        write(writer, logger, event.fields(values), event.message, event.level)
        return
      }
      writer.event(first.of(event.level), recordTime(), shared.timeOf(logger), event, values)
      addFastPath(sink, writer, logger)
    }
  }
  return sink
}

// The destination.

type RecordFormat = 'ndjson' | 'shard'

/** Options of `shardlog.destination` with a `format`: those of `Logger`, but for the path. */
export interface RecordDestinationOptions extends Omit<Config, 'logFilePath'> {
  /**
   * File to append to, created if missing, in whose path `%p` becomes the process id; or the number
   * of an open descriptor.
   */
  dest: string | number | URL
  /**
   * 'ndjson': lines, nothing else; written within a second, to a descriptor at once. 'shard':
   * blocks with checksums; written within ten seconds; files only.
   */
  format: RecordFormat
}

/**
 * What differs from a `Logger`'s defaults: a structured logger waits for its flusher rather than
 * lose a line.
 */
const DEFAULTS: Record<RecordFormat, Partial<PlainConfig>> = {
  ndjson: { onFull: 'block', flushInterval: 1_000, bufferSize: SMALL_BUFFER },
  shard: { onFull: 'block', bufferSize: SMALL_BUFFER }
}
const FORMATS = Object.keys(DEFAULTS)

interface Opened {
  controls: EngineControls
  write: (line: string) => boolean
  writer: RecordWriter | null
}

function openNative(config: ResolvedConfig, format: RecordFormat): Opened {
  const records = openNativeRecords(config, format)
  const writer = new RecordEncoder(records.target)
  return {
    controls: records.controls(() => writer.close()),
    write: line => writer.text(recordTime(), line),
    writer
  }
}

function openJs(config: ResolvedConfig, format: RecordFormat): Opened {
  const { descriptor } = config
  const engine = descriptor === undefined ? openJsEngine(config, format, true) : openJsDescriptor(config, descriptor)
  return { controls: engine, write: engine.log, writer: null }
}

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

function checkOptions(options: RecordDestinationOptions): void {
  if (options.shardSelection === 'round-robin') {
    throw configError(
      "option shardSelection must be 'affinity' for a destination with a format, got 'round-robin': lines keep their thread's order"
    )
  }
  const formats = typeof options.dest === 'number' ? ['ndjson'] : FORMATS
  if (formats.includes(options.format)) return
  const where = typeof options.dest === 'number' ? ' for a descriptor' : ''
  const allowed = formats.length > 1 ? 'one of ' : ''
  throw configError(
    `option format must be ${allowed}${formats.map(format => inspect(format)).join(', ')}${where}, got ${inspect(options.format)}`
  )
}

/** A path that stands for a descriptor of lines is that descriptor. */
function withDescriptor(options: WithPaths<RecordDestinationOptions>): WithPaths<RecordDestinationOptions> {
  const { dest, format } = options
  const descriptor = typeof dest === 'string' && format === 'ndjson' ? descriptorOf(dest) : undefined
  return descriptor === undefined ? options : Object.assign({}, options, { dest: descriptor })
}

function resolve({ dest, format, ...rest }: WithPaths<RecordDestinationOptions>): ResolvedConfig {
  if (typeof dest === 'number') return resolveDescriptorConfig(rest, dest)
  return resolveConfig(Object.assign(rest, { logFilePath: dest as string }), DEFAULTS[format])
}

/**
 * Calls `open`; its errors speak of `dest`, which is the name of a `Logger`'s `logFilePath` here.
 */
function inOurWords<Result>(open: () => Result): Result {
  try {
    return open()
  } catch (error) {
    if (!(error instanceof ShardlogError)) throw error
    throw new ShardlogError(error.code, error.message.replace(/\blogFilePath\b/g, 'dest'), error)
  }
}

/**
 * A destination whose lines are made by the engine's flusher. Has what pino's destinations have
 * (`write`, `flush`, `flushSync`, `end`, `reopen`, the events 'close' and 'error') and the
 * statistics of a `Logger`.
 */
export class RecordDestination extends EventEmitter {
  /** By this loggers tell a stream from options. */
  readonly writable = true
  // What pino's streams have: here nothing is written in a call, and nothing is waited for to be
  // written with more.
  /** The descriptor that lines go to; -1 for a file, whose descriptor is the engine's. */
  readonly fd: number
  /** The path of a file; null for a descriptor. */
  readonly file: string | null
  readonly sync = false
  readonly minLength = 0
  readonly append = true
  readonly [recordSinkSym]: RecordSink | undefined
  readonly #controls: EngineControls
  readonly #path: string
  readonly #write: (line: string) => boolean
  #ended = false
  #owesDrain = false
  /** Of what `end` wrote. */
  #lastFailure: ShardlogError | null = null

  /** @throws ShardlogError as the constructor of `Logger` does */
  constructor(given: RecordDestinationOptions) {
    super()
    const options = withDescriptor(withPaths(given))
    checkOptions(options)
    const { format, onError = error => this.#tell(error) } = options
    let path = ''
    const opened = inOurWords(() => {
      // Assigned, not spread, for what lib/config.ts says of it.
      const config = resolve(Object.assign({}, options, { onError }))
      path = config.logFilePath
      return isNative(config) ? openNative(config, format) : openJs(config, format)
    })
    this.fd = typeof options.dest === 'number' ? options.dest : -1
    this.file = typeof options.dest === 'string' ? options.dest : null
    this.#controls = opened.controls
    this.#path = path
    this.#write = opened.write
    // pino's destinations say so when their file is open.
    nextTick(() => this.emit('ready'))
    this[recordSinkSym] = opened.writer === null ? undefined : recordSink(opened.writer)
  }

  // An 'error' event that nobody listens to would end the process; a failing disk should not.
  #tell(error: ShardlogError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }

  /**
   * Records lines that are made already, newline included. False: dropped, which is counted. Never
   * throws.
   */
  write(lines: string): boolean {
    const accepted = this.#write(lines)
    // Who takes it for a Node stream, as pipe() does, waits for the event before it goes on.
    if (!accepted && !this.#owesDrain) {
      this.#owesDrain = true
      setImmediate(() => this.#drain())
    }
    return accepted
  }

  // No function of its own in a field: with one, a destination that was closed outlives the young
  // collections of V8's, and all that it refers to.
  #drain(): void {
    this.#owesDrain = false
    this.emit('drain')
  }

  /**
   * Writes what was recorded so far; `callback` is called when it is on the device, or with the
   * error that kept it from there.
   */
  flush(callback: (error?: Error) => void = () => undefined): void {
    this.#controls.flush().then(() => callback(), callback)
  }

  /** As `flush`, but waits in the call. Throws `ERR_SHARDLOG_WRITE`. */
  flushSync(): void {
    this.#controls.flushSync()
  }

  /**
   * The file is looked up by its name at each flush: this flushes, so that a rotated log is begun
   * anew at once.
   */
  reopen(): void {
    this.flush()
  }

  /** Whether `end` or `closeSync` was called. */
  get ended(): boolean {
    return this.#ended
  }

  /** The same, under the name that pino's streams have for it. */
  get destroyed(): boolean {
    return this.#ended
  }

  /**
   * Flushes and gives the file up; emits 'finish' and 'close', or 'error'. Later lines are dropped
   * and counted.
   */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#controls.close().then(
      () => {
        this.emit('finish')
        this.emit('close')
      },
      (error: ShardlogError) => {
        this.#lastFailure = error
        this.#tell(error)
        this.emit('close')
      }
    )
  }

  /**
   * Resolves when a destination that is ended next is closed; rejects if what had been recorded
   * could not be written. An 'error' event says less: it may be of something long past.
   */
  async whenClosed(): Promise<void> {
    await new Promise(resolve => this.once('close', resolve))
    if (this.#lastFailure !== null) throw this.#lastFailure
  }

  /** As `end`: what was recorded is never thrown away. */
  destroy(): void {
    this.end()
  }

  /** As `end`, but waits in the call. Throws `ERR_SHARDLOG_WRITE`. */
  closeSync(): void {
    this.#ended = true
    this.#controls.closeSync()
  }

  getStatsSnapshot(): StatsSnapshot {
    return this.#controls.stats()
  }

  getFlushMetrics(): FlushMetrics {
    return this.#controls.flushMetrics()
  }

  getShardStats(): ShardStats[] {
    return this.#controls.shardStats()
  }

  /** @internal */
  [readingsSym](): Reading[] {
    return [engineReading(this.#path, this.#controls)]
  }
}
