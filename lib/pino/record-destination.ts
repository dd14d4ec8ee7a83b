/** Destinations that record: a file of lines, or a shard file, behind the engine's buffers. */

import { EventEmitter } from 'node:events'
import { inspect } from 'node:util'
import { resolveConfig } from '../config'
import type { EngineControls } from '../engine/engine'
import { openJsEngine } from '../engine/js/js-engine'
import { openNativeRecords } from '../engine/native-engine'
import { isNative } from '../engine/open-engine'
import { ShardlogError } from '../errors'
import { type RecordEncoder as Recorder, recordEncoder } from '../record/encode'
import type { Config, FlushMetrics, ResolvedConfig, ShardStats, StatsSnapshot } from '../types'
import { deferredEncoder } from './deferred-encoder'
import { type RecordEncoder, recordEncoderSym } from './encoder'

export type RecordFormat = 'ndjson' | 'shard'

/** Options of `shardlog.destination` with a `format`: those of `Logger`, but for the path. */
export interface RecordDestinationOptions extends Omit<Config, 'logFilePath'> {
  /** File to append to; created if missing. `%p` becomes the process id. */
  dest: string
  /** 'ndjson': lines, nothing else; written within a second. 'shard': blocks with checksums; written within ten seconds. */
  format: RecordFormat
}

/** What differs from a `Logger`'s defaults: a structured logger waits for its flusher rather than lose a line. */
const DEFAULTS: Record<RecordFormat, Partial<Config>> = {
  ndjson: { onFull: 'block', flushInterval: 1_000 },
  shard: { onFull: 'block' }
}
const FORMATS = Object.keys(DEFAULTS)

interface Opened {
  controls: EngineControls
  write: (line: string) => boolean
  recorder: Recorder | null
}

function openNative(config: ResolvedConfig, format: RecordFormat): Opened {
  const records = openNativeRecords(config, format === 'ndjson' ? 'text' : 'blocks')
  const recorder = recordEncoder(records.target)
  return {
    controls: records.controls(() => recorder.close()),
    write: line => recorder.text(Date.now(), line),
    recorder
  }
}

function openJs(config: ResolvedConfig, format: RecordFormat): Opened {
  const engine = openJsEngine(config, format === 'ndjson' ? 'text' : 'blocks')
  return { controls: engine, write: engine.log, recorder: null }
}

function checkOptions(options: RecordDestinationOptions): void {
  if (options.shardSelection === 'round-robin') {
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      "option shardSelection must be 'affinity' for a destination with a format, got 'round-robin': lines keep their thread's order"
    )
  }
  if (FORMATS.includes(options.format)) return
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `option format must be one of ${FORMATS.map(format => inspect(format)).join(', ')}, got ${inspect(options.format)}`
  )
}

/**
 * A destination whose lines are made by the engine's flusher. Has what pino's destinations have (`write`, `flush`, `flushSync`,
 * `end`, `reopen`, the events 'close' and 'error') and the statistics of a `Logger`.
 */
export class RecordDestination extends EventEmitter {
  /** By this loggers tell a stream from options. */
  readonly writable = true
  readonly [recordEncoderSym]: RecordEncoder | undefined
  readonly #controls: EngineControls
  readonly #write: (line: string) => boolean
  #ended = false

  /** @throws ShardlogError as the constructor of `Logger` does */
  constructor(options: RecordDestinationOptions) {
    super()
    checkOptions(options)
    const { dest, format, ...rest } = options
    const onError = rest.onError ?? (error => this.#tell(error))
    const config = resolveConfig({ ...DEFAULTS[format], ...rest, onError, logFilePath: dest })
    const opened = isNative(config) ? openNative(config, format) : openJs(config, format)
    this.#controls = opened.controls
    this.#write = opened.write
    this[recordEncoderSym] = opened.recorder === null ? undefined : deferredEncoder(opened.recorder)
  }

  // An 'error' event that nobody listens to would end the process; a failing disk should not.
  #tell(error: ShardlogError): void {
    if (this.listenerCount('error') > 0) this.emit('error', error)
  }

  /** Records lines that are made already, newline included. False: dropped, which is counted. Never throws. */
  write(lines: string): boolean {
    return this.#write(lines)
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
