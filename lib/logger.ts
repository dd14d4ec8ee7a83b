import { resolveConfig } from './config'
import { withIndexes } from './engine/direct-route'
import { type Engine, engineReading } from './engine/engine'
import { openEngine } from './engine/open-engine'
import { type MetricLabels, openMetrics, type Reading } from './metrics'
import { pathOf, withPaths } from './path-like'
import { readingsSym } from './pino/symbols'
// Made as it is loaded, for the workers that are started after that.
import './shared-memory'
// Kept as they are when it is loaded, before a test puts others in their place.
import './timers'
import type { Config, FlushMetrics, ShardStats, StatsSnapshot } from './types'

/**
 * Appends entries to a shard file. Several loggers of one file share one engine, across the threads
 * of a process if it is the native one; the options of the first opening then hold for all.
 */
export class Logger {
  readonly #engine: Engine
  readonly #path: string

  /**
   * Appends the text as UTF-8, verbatim: no newline is added. Lone surrogates become U+FFFD.
   *
   * @returns true if accepted; false if dropped, which is counted. Never throws.
   */
  readonly log: (text: string) => boolean

  /**
   * Appends `bytes`, or its part `[start, end)`; they are copied during the call and may be reused
   * after it.
   *
   * @returns true if accepted; false if dropped, which is counted. Never throws.
   */
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean

  /**
   * @param config the options, or the path (or file: URL) of the log alone
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_PATH`, `ERR_SHARDLOG_LOCKED`,
   *   `ERR_SHARDLOG_NO_NATIVE`, `ERR_SHARDLOG_DIRECT_IO`, `ERR_SHARDLOG_ARENA_…`, `ERR_SHARDLOG_IO`
   */
  constructor(config: Config | string | URL) {
    const path = pathOf(config, 'logFilePath') as Config | string
    const resolved = resolveConfig(withPaths(path))
    this.#path = resolved.logFilePath
    this.#engine = openEngine(resolved)
    this.log = this.#engine.log
    // The native engine's does that itself, off the way of whole buffers.
    this.logBytes = this.#engine.kind === 'js' ? withIndexes(this.#engine.logBytes) : this.#engine.logBytes
  }

  /**
   * Resolves when everything accepted before the call is on the device; rejects with
   * `ERR_SHARDLOG_WRITE` if it cannot be.
   */
  flush(): Promise<void> {
    return this.#engine.flush()
  }

  /** As `flush`, but waits in the call. Throws `ERR_SHARDLOG_WRITE`. */
  flushSync(): void {
    this.#engine.flushSync()
  }

  /**
   * Flushes and gives the file up. Later log calls are dropped and counted; a second close does
   * nothing.
   */
  close(): Promise<void> {
    return this.#engine.close()
  }

  /** As `close`, but waits in the call. */
  closeSync(): void {
    this.#engine.closeSync()
  }

  /** Counters since the log was opened, and what is in force. */
  getStatsSnapshot(): StatsSnapshot {
    return this.#engine.stats()
  }

  /** How long flushes took. */
  getFlushMetrics(): FlushMetrics {
    return this.#engine.flushMetrics()
  }

  /** One element per shard, by shard id. */
  getShardStats(): ShardStats[] {
    return this.#engine.shardStats()
  }

  /**
   * All counters, and a histogram of the flushes, as OpenMetrics text.
   *
   * @param labels of all samples; each has the log's `path`
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for labels that the format has no place for
   */
  metrics(labels: MetricLabels = {}): string {
    return openMetrics(this[readingsSym](), labels)
  }

  /** @internal */
  [readingsSym](): Reading[] {
    return [engineReading(this.#path, this.#engine)]
  }

  /** `using logger = new Logger(…)` */
  [Symbol.dispose](): void {
    this.closeSync()
  }

  /** `await using logger = new Logger(…)` */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
