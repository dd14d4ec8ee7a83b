import type { FlushMetrics, ShardStats, StatsSnapshot } from '../types'

/** What every log has, whatever is put into it. */
export interface EngineControls {
  readonly kind: 'native' | 'js'
  /** Resolves when everything accepted before the call is on the device; rejects with ERR_SHARDLOG_WRITE if it could not be written. */
  flush(): Promise<void>
  flushSync(): void
  /** Flushes, then gives the file up. A second call resolves too. */
  close(): Promise<void>
  closeSync(): void
  stats(): StatsSnapshot
  flushMetrics(): FlushMetrics
  shardStats(): ShardStats[]
}

/**
 * What a Logger stands on. Two implementations: native (`native-engine.ts`) and JavaScript (`js-engine.ts`); every behaviour test runs
 * on both. `log` and `logBytes` are properties, not methods: the Logger takes them over as they are, so that a call of
 * `logger.log` is the call of the native function itself.
 */
export interface Engine extends EngineControls {
  /** Returns true if accepted, false if dropped and counted. Never throws. */
  readonly log: (text: string) => boolean
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
}
