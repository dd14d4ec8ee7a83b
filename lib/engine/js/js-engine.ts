/** The JavaScript engine: the logs that are open in this thread, and each logger's view of one. */

import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../../errors'
import type { FlushMetrics, ResolvedConfig, ShardStats, StatsSnapshot } from '../../types'
import { awaitLock, deliver, type Engine, flushAtExit, forgetAtExit } from '../engine'
import type { Format } from './buffers'
import { FdSink, openDescriptor } from './fd-sink'
import { FileSink } from './file-sink'
import { JsLog, type LogKind } from './js-log'
import { checkNoArena } from './lock'

/** A logger, as the log that it shares sees it. */
interface Handle {
  readonly onError: ResolvedConfig['onError']
}

type OpenSink = ConstructorParameters<typeof JsLog>[3]

/** By real path, or by what the descriptor leads to. Each thread has its own. */
const registry = new Map<string, SharedLog>()

/** A log and the loggers of this thread that share it. */
class SharedLog {
  readonly handles = new Set<Handle>()
  readonly log: JsLog

  constructor(
    private readonly key: string,
    config: ResolvedConfig,
    kind: LogKind,
    open: OpenSink
  ) {
    this.log = new JsLog(key, config, kind, open, error => this.#report(error))
    registry.set(key, this)
    flushAtExit(this.log)
  }

  #report(error: ShardlogError): void {
    for (const { onError } of this.handles) if (onError !== undefined) deliver(onError, error)
  }

  /** The last one closes the log. */
  leave(handle: Handle): void {
    if (!this.handles.delete(handle) || this.handles.size > 0) return
    registry.delete(this.key)
    forgetAtExit(this.log)
    this.log.shut()
  }
}

/** The path without symbolic links; of a log that does not exist yet, its directory's. */
function realPathOf(file: string): string {
  try {
    if (fs.existsSync(file)) return fs.realpathSync(file)
    return path.join(fs.realpathSync(path.dirname(file)), path.basename(file))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot open ${file}`, error, file)
  }
}

const KINDS: Record<Format, string> = {
  shard: "a Logger or a destination with format 'shard'",
  ndjson: "a destination with format 'ndjson'"
}

function otherFormat(file: string, open: Format, wanted: Format): ShardlogError {
  const message = `${file} is open in this process for ${KINDS[open]}; ${KINDS[wanted]} needs a file of its own`
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message, { path: file })
}

/** The log at the config's path. */
function openFileLog(config: ResolvedConfig, kind: LogKind): SharedLog {
  return awaitLock(config.lockTimeout, () => tryToOpen(config, kind))
}

function tryToOpen(config: ResolvedConfig, kind: LogKind): SharedLog {
  const file = realPathOf(config.logFilePath)
  const known = registry.get(file)
  if (known !== undefined) {
    if (known.log.format !== kind.format) throw otherFormat(file, known.log.format, kind.format)
    return known
  }
  checkNoArena(config.logFilePath, config.arenaDir)
  return new SharedLog(
    file,
    config,
    kind,
    (geometry, counters) => new FileSink(config, file, kind.format, geometry, counters)
  )
}

/** The log of what a descriptor leads to. `logFilePath`: its name for messages. */
function openStreamLog(config: ResolvedConfig, fd: number): SharedLog {
  const name = config.logFilePath
  const descriptor = openDescriptor(fd, name)
  const known = registry.get(descriptor.key)
  if (known !== undefined) {
    descriptor.close()
    return known
  }
  return new SharedLog(
    descriptor.key,
    config,
    { format: 'ndjson', lines: true },
    (_geometry, counters) => new FdSink(descriptor, name, config, counters)
  )
}

/** One logger's view of a log in the JavaScript engine. */
class JsEngine implements Engine {
  readonly kind = 'js'
  readonly log: (text: string) => boolean
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
  readonly onError: ResolvedConfig['onError']
  readonly #shared: SharedLog
  /** Whether entries are refused. */
  #closed = false
  /** Whether a close has ended. */
  #left = false

  constructor(shared: SharedLog, onError: ResolvedConfig['onError']) {
    this.onError = onError
    this.#shared = shared
    shared.handles.add(this)
    const { log } = shared
    log.flusher.closing = false
    // Closures rather than methods, so that they can be passed around without their logger.
    this.log = text => (this.#closed ? refuse(log) : log.log(text))
    this.logBytes = (bytes, start, end) => (this.#closed ? refuse(log) : log.logBytes(bytes, start, end))
  }

  async flush(): Promise<void> {
    if (!this.#closed) await this.#shared.log.flusher.flush()
  }

  flushSync(): void {
    if (!this.#closed) this.#shared.log.flusher.flushSync()
  }

  async close(): Promise<void> {
    if (this.#left) return
    this.#beginClose()
    try {
      await this.#shared.log.flusher.flush()
    } finally {
      this.#leave()
    }
  }

  closeSync(): void {
    if (this.#left) return
    this.#beginClose()
    try {
      this.#shared.log.flusher.flushSync()
    } finally {
      this.#leave()
    }
  }

  #beginClose(): void {
    const { log, handles } = this.#shared
    this.#closed = true
    if (![...handles].every(handle => handle instanceof JsEngine && handle.#closed)) return
    log.flusher.closing = true
    log.sink.writer.beginShutdown()
  }

  #leave(): void {
    this.#left = true
    this.#shared.leave(this)
  }

  stats(): StatsSnapshot {
    const { log } = this.#shared
    return {
      ...log.counters.counted(),
      recoveredLogs: 0,
      producers: log.counters.producers,
      engine: 'js',
      crashSafe: false,
      arenaPath: null,
      directIO: false,
      directIOReason: log.sink.ioReason,
      ioAlignment: log.sink.ioAlignment,
      lastError: log.flusher.lastError
    }
  }

  flushMetrics(): FlushMetrics {
    const { log } = this.#shared
    return { ...log.flusher.metrics(), lastError: log.flusher.lastError }
  }

  shardStats(): ShardStats[] {
    const { log } = this.#shared
    const room = log.geometry.shardBytes - 8
    return log.buffers.active.shards.map(shard => ({
      shardId: shard.id,
      utilizationPct: Math.min(100, (shard.usedBytes / room) * 100),
      writeCount: log.counters.writtenOf(shard.id)
    }))
  }
}

/** A log call after close: counted, never an error. */
function refuse(log: JsLog): false {
  log.counters.call()
  return log.counters.drop()
}

function checkDirectIO({ directIO, logFilePath }: ResolvedConfig): void {
  if (directIO !== 'required') return
  const message =
    "option directIO is 'required', but the JavaScript engine writes through the page cache; " +
    "it needs engine 'native' or directIO 'auto' or 'off'"
  throw new ShardlogError('ERR_SHARDLOG_DIRECT_IO', message, { path: logFilePath })
}

/**
 * @param format what the file is made of
 * @param lines whether entries are lines, which may be larger than a shard
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if this process has the file open in another format,
 *   `ERR_SHARDLOG_DIRECT_IO`, `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_ARENA_LEFT`, `ERR_SHARDLOG_IO`
 */
export function openJsEngine(config: ResolvedConfig, format: Format = 'shard', lines = false): Engine {
  checkDirectIO(config)
  return new JsEngine(openFileLog(config, { format, lines }), config.onError)
}

/**
 * An engine whose entries are lines that go to a descriptor, which has to stay open. Of `config` it
 * reads sizes, `flushInterval`, `onFull`, `blockTimeout`, `onError`, and the descriptor's name in
 * place of the path.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`
 */
export function openJsDescriptor(config: ResolvedConfig, fd: number): Engine {
  return new JsEngine(openStreamLog(config, fd), config.onError)
}
