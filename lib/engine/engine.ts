/**
 * What both engines offer, and what they share: waiting for a lock, sharing a flush, calling
 * `onError`, the end of the thread.
 */

import { ShardlogError } from '../errors'
import type { Reading } from '../metrics'
import { performance, setImmediate } from '../timers'
import type { FlushMetrics, ShardStats, StatsSnapshot } from '../types'

/** Upper ends of the buckets that durations of flushes are told in, in ms. */
export const FLUSH_BOUNDS_MS: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000
]

/** What every log has, whatever is put into it. */
export interface EngineControls {
  readonly kind: 'native' | 'js'
  /**
   * Resolves when everything accepted before the call is on the device; rejects with
   * ERR_SHARDLOG_WRITE if it could not be written.
   */
  flush(): Promise<void>
  flushSync(): void
  /** Flushes, then gives the file up. A second call resolves too. */
  close(): Promise<void>
  closeSync(): void
  stats(): StatsSnapshot
  flushMetrics(): FlushMetrics
  shardStats(): ShardStats[]
}

/** What a log counts, for lib/metrics.ts. Threads that have it open share the counters. */
export function engineReading(path: string, log: EngineControls): Reading {
  return { kind: 'engine', of: path, path, stats: log.stats(), flushes: log.flushMetrics(), shards: log.shardStats() }
}

/**
 * What a Logger stands on. Two implementations: native (`native-engine.ts`) and JavaScript
 * (`js-engine.ts`); every behaviour test runs on both. `log` and `logBytes` are properties, not
 * methods: the Logger takes them over as they are, so that a call of `logger.log` is the call of
 * the native function itself.
 */
export interface Engine extends EngineControls {
  /** Returns true if accepted, false if dropped and counted. Never throws. */
  readonly log: (text: string) => boolean
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
}

/**
 * Lets calls of `run` that come while one is under way share the next one: whatever was accepted
 * before such a call is covered by a run that begins after it.
 */
export function coalesced(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  function begin(): Promise<void> {
    const started = run().finally(() => {
      running = null
    })
    running = started
    return started
  }

  function beginNext(): Promise<void> {
    next = null
    // Begun by somebody else since: later than the call that asked for this one.
    return running ?? begin()
  }

  return () => {
    if (running === null) return begin()
    // How the run under way ends is told to those who asked for it.
    next ??= running.then(beginNext, beginNext)
    return next
  }
}

/**
 * Calls `onError` from the event loop, without keeping it alive. On a turn of its own, so that what
 * the callback throws is an uncaught exception of the application, and not lost between the addon's
 * frames.
 */
export function deliver(onError: (error: ShardlogError) => void, error: ShardlogError): void {
  setImmediate(() => onError(error)).unref()
}

/** What has to be written before the thread ends. */
export interface Ending {
  /** Writes everything, or gives it up and counts it. Never throws. */
  atExit(): void
}

const open = new Set<Ending>()
let installed = false

/** One listener for all logs of the thread; it runs on every way out but a signal. */
function endAll(): void {
  for (const log of open) log.atExit()
}

/** Whether 'exit' is being emitted: a listener added now would not be called any more. */
const isExiting = (): boolean => (process as { _exiting?: boolean })._exiting === true

/**
 * Has `log` written when the thread ends, before those handlers of 'exit' look at its counters that
 * were there when it was opened.
 */
export function flushAtExit(log: Ending): void {
  open.add(log)
  if (isExiting()) log.atExit()
  if (installed) return
  installed = true
  process.prependListener('exit', endAll)
}

/** Forgets a closed log. */
export function forgetAtExit(log: Ending): void {
  open.delete(log)
  if (open.size > 0) return
  process.off('exit', endAll)
  installed = false
}

// Made when it is first needed: a start-up snapshot is built where there are no shared buffers.
let cell: Int32Array | undefined

/** Blocks this thread. For the few waits that a synchronous call cannot do otherwise. */
export function pause(milliseconds: number): void {
  cell ??= new Int32Array(new SharedArrayBuffer(4))
  Atomics.wait(cell, 0, 0, milliseconds)
}

const FIRST_PAUSE_MS = 2
const MAX_PAUSE_MS = 50

const isLocked = (error: unknown): boolean => error instanceof ShardlogError && error.code === 'ERR_SHARDLOG_LOCKED'

/**
 * Calls `open` until nobody else has the log open, for `timeoutMs` at the most, sleeping between
 * the attempts: the kernel has no lock that can be waited for up to a time.
 *
 * @throws ShardlogError what `open` throws, `ERR_SHARDLOG_LOCKED` only when the time is over
 */
export function awaitLock<T>(timeoutMs: number, open: () => T): T {
  const deadline = performance.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS)) {
    try {
      return open()
    } catch (error) {
      const left = deadline - performance.now()
      if (!isLocked(error) || left <= 0) throw error
      pause(Math.min(pauseMs, left))
    }
  }
}
