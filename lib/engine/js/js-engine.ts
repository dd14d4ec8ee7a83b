import { ShardlogError } from '../../errors'
import type { FlushMetrics, ResolvedConfig, ShardStats, StatsSnapshot } from '../../types'
import type { Engine } from '../engine'
import type { Form } from './geometry'
import type { JsLog } from './js-log'
import { openFileLog, openStreamLog, type SharedLog } from './shared-log'

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
    log.outlet.writer.hurry()
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
      directIOReason: log.outlet.ioReason,
      ioAlignment: log.outlet.ioAlignment,
      lastError: log.flusher.lastError
    }
  }

  flushMetrics(): FlushMetrics {
    const { log } = this.#shared
    return { ...log.times.metrics(), lastError: log.flusher.lastError }
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
 * @param form what the file is made of
 * @param lines whether entries are lines, which may be larger than a shard
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if this process has the file open in another form, `ERR_SHARDLOG_DIRECT_IO`,
 *   `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_ARENA_LEFT`, `ERR_SHARDLOG_IO`
 */
export function openJsEngine(config: ResolvedConfig, form: Form = 'blocks', lines = false): Engine {
  checkDirectIO(config)
  return new JsEngine(openFileLog(config, form, lines), config.onError)
}

/**
 * An engine whose entries are lines that go to a descriptor, which has to stay open. Of `config` it reads sizes, `flushInterval`, `onFull`,
 * `blockTimeout`, `onError`, and the descriptor's name in place of the path.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`
 */
export function openJsDescriptor(config: ResolvedConfig, fd: number): Engine {
  return new JsEngine(openStreamLog(config, fd), config.onError)
}
