/** Destinations that record: a file of lines, a shard file, or a descriptor, behind the engine's buffers. */

import { EventEmitter } from 'node:events'
import { inspect } from 'node:util'
import { resolveConfig, resolveDescriptorConfig, SMALL_BUFFER } from '../config'
import type { EngineControls } from '../engine/engine'
import { openJsDescriptor, openJsEngine } from '../engine/js/js-engine'
import { openNativeRecords } from '../engine/native-engine'
import { isNative } from '../engine/open-engine'
import { ShardlogError } from '../errors'
import { type WithPaths, withPaths } from '../path-like'
import { RecordEncoder as Recorder } from '../record/record-encoder'
import { nextTick, setImmediate } from '../timers'
import type { Config, FlushMetrics, PlainConfig, ResolvedConfig, ShardStats, StatsSnapshot } from '../types'
import { deferredEncoder } from './deferred-encoder'
import { type RecordEncoder, recordEncoderSym } from './encoder'
import { recordTime } from './own-clock'
import { refusePinoOptions } from './pino-options'

export type RecordFormat = 'ndjson' | 'shard'

/** Options of `shardlog.destination` with a `format`: those of `Logger`, but for the path. */
export interface RecordDestinationOptions extends Omit<Config, 'logFilePath'> {
  /** File to append to, created if missing, in whose path `%p` becomes the process id; or the number of an open descriptor. */
  dest: string | number | URL
  /**
   * 'ndjson': lines, nothing else; written within a second, to a descriptor at once. 'shard': blocks with checksums; written within
   * ten seconds; files only.
   */
  format: RecordFormat
}

/** What differs from a `Logger`'s defaults: a structured logger waits for its flusher rather than lose a line. */
const DEFAULTS: Record<RecordFormat, Partial<PlainConfig>> = {
  ndjson: { onFull: 'block', flushInterval: 1_000, bufferSize: SMALL_BUFFER },
  shard: { onFull: 'block', bufferSize: SMALL_BUFFER }
}
const FORMATS = Object.keys(DEFAULTS)

interface Opened {
  controls: EngineControls
  write: (line: string) => boolean
  recorder: Recorder | null
}

function openNative(config: ResolvedConfig, format: RecordFormat): Opened {
  const records = openNativeRecords(config, format === 'ndjson' ? 'text' : 'blocks')
  const recorder = new Recorder(records.target)
  return {
    controls: records.controls(() => recorder.close()),
    write: line => recorder.text(recordTime(), line),
    recorder
  }
}

function openJs(config: ResolvedConfig, format: RecordFormat): Opened {
  const { descriptor } = config
  const form = format === 'ndjson' ? 'text' : 'blocks'
  const engine = descriptor === undefined ? openJsEngine(config, form, true) : openJsDescriptor(config, descriptor)
  return { controls: engine, write: engine.log, recorder: null }
}

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

function checkOptions(options: RecordDestinationOptions): void {
  refusePinoOptions(options)
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

function resolve({ dest, format, ...rest }: WithPaths<RecordDestinationOptions>): ResolvedConfig {
  if (typeof dest === 'number') return resolveDescriptorConfig(rest, dest)
  return resolveConfig({ ...rest, logFilePath: dest as string }, DEFAULTS[format])
}

/** Calls `open`; its errors speak of `dest`, which is the name of a `Logger`'s `logFilePath` here. */
function inOurWords<Result>(open: () => Result): Result {
  try {
    return open()
  } catch (error) {
    if (!(error instanceof ShardlogError)) throw error
    throw new ShardlogError(error.code, error.message.replace(/\blogFilePath\b/g, 'dest'), error)
  }
}

/**
 * A destination whose lines are made by the engine's flusher. Has what pino's destinations have (`write`, `flush`, `flushSync`,
 * `end`, `reopen`, the events 'close' and 'error') and the statistics of a `Logger`.
 */
export class RecordDestination extends EventEmitter {
  /** By this loggers tell a stream from options. */
  readonly writable = true
  // What pino's streams have: here nothing is written in a call, and nothing is waited for to be written with more.
  /** The descriptor that lines go to; -1 for a file, whose descriptor is the engine's. */
  readonly fd: number
  /** The path of a file; null for a descriptor. */
  readonly file: string | null
  readonly sync = false
  readonly minLength = 0
  readonly append = true
  readonly [recordEncoderSym]: RecordEncoder | undefined
  readonly #controls: EngineControls
  readonly #write: (line: string) => boolean
  #ended = false
  #owesDrain = false

  /** @throws ShardlogError as the constructor of `Logger` does */
  constructor(given: RecordDestinationOptions) {
    super()
    const options = withPaths(given)
    checkOptions(options)
    const { format, onError = error => this.#tell(error) } = options
    const opened = inOurWords(() => {
      const config = resolve({ ...options, onError })
      return isNative(config) ? openNative(config, format) : openJs(config, format)
    })
    this.fd = typeof options.dest === 'number' ? options.dest : -1
    this.file = typeof options.dest === 'string' ? options.dest : null
    this.#controls = opened.controls
    this.#write = opened.write
    // pino's destinations say so when their file is open.
    nextTick(() => this.emit('ready'))
    this[recordEncoderSym] = opened.recorder === null ? undefined : deferredEncoder(opened.recorder)
  }

  // An 'error' event that nobody listens to would end the process; a failing disk should not.
  #tell(error: ShardlogError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }

  /** Records lines that are made already, newline included. False: dropped, which is counted. Never throws. */
  write(lines: string): boolean {
    const accepted = this.#write(lines)
    // Who takes it for a Node stream, as pipe() does, waits for the event before it goes on.
    if (!accepted && !this.#owesDrain) {
      this.#owesDrain = true
      setImmediate(this.#drain)
    }
    return accepted
  }

  readonly #drain = (): void => {
    this.#owesDrain = false
    this.emit('drain')
  }

  /** Writes what was recorded so far; `callback` is called when it is on the device, or with the error that kept it from there. */
  flush(callback: (error?: Error) => void = () => undefined): void {
    this.#controls.flush().then(() => callback(), callback)
  }

  /** As `flush`, but waits in the call. Throws `ERR_SHARDLOG_WRITE`. */
  flushSync(): void {
    this.#controls.flushSync()
  }

  /** The file is looked up by its name at each flush: this flushes, so that a rotated log is begun anew at once. */
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

  /** Flushes and gives the file up; emits 'finish' and 'close', or 'error'. Later lines are dropped and counted. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#controls.close().then(
      () => {
        this.emit('finish')
        this.emit('close')
      },
      (error: ShardlogError) => {
        this.#tell(error)
        this.emit('close')
      }
    )
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
}
