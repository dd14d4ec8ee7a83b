/**
 * What stands in front of an appender without a destination: gathers lines into batches where it is
 * asked to, keeps a batch until it is taken, and counts what it has to give up.
 */

import { type Ending, flushAtExit, forgetAtExit } from '../engine/engine'
import { asShardlogError, ShardlogError } from '../errors'
import { clearTimeout, setTimeout } from '../timers'
import type { Appender, AppenderStats } from './kinds'

export interface BufferOptions {
  /** Lines of a batch; 1: each line is handed on at its call. */
  readonly batchSize: number
  /** Longest wait of a line, in ms. */
  readonly flushInterval: number
  readonly report: (error: ShardlogError) => void
}

/** So many batches are kept while none is taken; the oldest lines stay, later ones are dropped. */
const KEPT_BATCHES = 100
/** At least so many lines, however small a batch is. */
const KEPT_LINES = 10_000
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 30_000

/** Lines on their way to an appender's `writeRaw`. */
export class BatchBuffer implements Ending {
  #waiting: string[] = []
  #timer: NodeJS.Timeout | null = null
  #writing: Promise<void> | null = null
  #retryMs = 0
  #closed = false
  #accepted = 0
  #delivered = 0
  #dropped = 0
  #failures = 0
  readonly #most: number

  constructor(
    private readonly appender: Appender,
    private readonly options: BufferOptions
  ) {
    this.#most = Math.max(KEPT_LINES, options.batchSize * KEPT_BATCHES)
    flushAtExit(this)
  }

  /**
   * Hands on what waits to an appender that takes it in the call; of others it cannot be waited
   * for.
   */
  atExit(): void {
    while (this.#writing === null && this.#waiting.length > 0) {
      if (!this.#handOn(this.#waiting.slice(0, this.options.batchSize))) break
    }
  }

  /** Takes a line, newline included. Never throws. False: dropped and counted. */
  write(line: string): boolean {
    if (this.#closed || this.#waiting.length >= this.#most) {
      this.#dropped++
      if (!this.#closed && this.#dropped === 1) this.options.report(this.#full())
      return false
    }
    this.#accepted++
    this.#waiting.push(line)
    if (this.#waiting.length >= this.options.batchSize && this.#retryMs === 0) this.#begin()
    else this.#wake(this.options.flushInterval)
    return true
  }

  #full(): ShardlogError {
    return new ShardlogError(
      'ERR_SHARDLOG_WRITE',
      `${this.#most} lines wait and none is taken: later ones are dropped and counted`
    )
  }

  #wake(milliseconds: number): void {
    if (this.#timer !== null || this.#writing !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#begin()
    }, milliseconds)
    this.#timer.unref()
  }

  /** Hands on what waits, unless that is under way. */
  #begin(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    let isFirst = true
    while (this.#writing === null && this.#waiting.length > 0) {
      if (!isFirst && this.#waiting.length < this.options.batchSize) {
        this.#wake(this.options.flushInterval)
        return
      }
      isFirst = false
      if (!this.#handOn(this.#waiting.slice(0, this.options.batchSize))) return
    }
  }

  /** False: none was taken. */
  #handOn(batch: readonly string[]): boolean {
    try {
      const result = this.appender.writeRaw(batch)
      if (result === undefined) this.#taken(batch.length)
      else this.#writing = this.#settled(result, batch.length)
      return true
    } catch (error) {
      this.#failed(error)
      return false
    }
  }

  async #settled(result: Promise<void>, count: number): Promise<void> {
    try {
      await result
      this.#writing = null
      this.#taken(count)
      if (this.#waiting.length >= this.options.batchSize) this.#begin()
      else if (this.#waiting.length > 0) this.#wake(this.options.flushInterval)
    } catch (error) {
      this.#writing = null
      this.#failed(error)
    }
  }

  #taken(count: number): void {
    this.#waiting.splice(0, count)
    this.#delivered += count
    this.#retryMs = 0
  }

  /** The batch stays in front, and is given again after a while. */
  #failed(error: unknown): void {
    this.#failures++
    if (this.#retryMs === 0) this.options.report(asShardlogError(error))
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs === 0 ? FIRST_RETRY_MS : this.#retryMs * 2)
    if (!this.#closed) this.#wake(this.#retryMs)
  }

  /**
   * Hands on what waited at the call. Rejects with what the appender fails with; the lines are kept
   * then.
   */
  async flush(): Promise<void> {
    const until = this.#delivered + this.#waiting.length
    const failures = this.#failures
    while (this.#delivered < until && this.#waiting.length > 0) {
      this.#begin()
      if (this.#writing !== null) await this.#writing
      if (this.#failures > failures) {
        throw new ShardlogError('ERR_SHARDLOG_WRITE', `${this.#waiting.length} lines were not taken; they are kept`)
      }
    }
    await this.appender.flush()
  }

  /** What cannot be delivered now is counted as dropped. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    try {
      await this.flush()
    } finally {
      forgetAtExit(this)
      this.#dropped += this.#waiting.length
      this.#waiting = []
      await this.appender.close()
    }
  }

  stats(): AppenderStats {
    return {
      ...this.appender.stats?.(),
      accepted: this.#accepted,
      waiting: this.#waiting.length,
      delivered: this.#delivered,
      dropped: this.#dropped,
      failures: this.#failures
    }
  }
}
