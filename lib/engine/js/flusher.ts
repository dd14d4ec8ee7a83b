import { performance } from 'node:perf_hooks'
import { fromSystemError, resumed, type ShardlogError } from '../../errors'
import type { ResolvedConfig } from '../../types'
import type { Buffers } from './buffers'
import type { Counters } from './counters'
import type { FlushTimes } from './flush-times'
import type { SetWriter } from './set-writer'

const FIRST_RETRY_MS = 100
const LONGEST_RETRY_MS = 5_000

interface Waiter {
  /** Settled when this generation is written, or cannot be. */
  generation: number
  resolve: () => void
  reject: (error: ShardlogError) => void
}

/**
 * Writes sets on the thread that logs: a batch per turn of the event loop, or all at once where a call waits for it. It
 * keeps the process alive only while somebody waits for `flush()`.
 */
export class Flusher {
  lastError: ShardlogError | null = null
  /** While the log is being closed: the swap that ends it is not one of those that make room. */
  closing = false
  #waiters: Waiter[] = []
  #immediate: NodeJS.Immediate | undefined
  #retry: NodeJS.Timeout | undefined
  readonly #ticker: NodeJS.Timeout | undefined
  #retryDelay = FIRST_RETRY_MS
  /** The failure that logging has not recovered from. */
  #failure: ShardlogError | undefined
  #spent = 0

  constructor(
    private readonly buffers: Buffers,
    private readonly writer: SetWriter,
    private readonly counters: Counters,
    private readonly times: FlushTimes,
    private readonly config: ResolvedConfig,
    private readonly report: (error: ShardlogError) => void
  ) {
    if (config.flushInterval === 0) return
    this.#ticker = setInterval(() => this.request(), config.flushInterval)
    this.#ticker.unref()
  }

  /** Has what is buffered written from the event loop, soon. */
  request(): void {
    if (this.#failure === undefined) this.#schedule()
  }

  /** Makes the other set active and begins to write the full one. Only while nothing is being flushed. */
  swap(): void {
    this.#swap()
    this.request()
  }

  flush(): Promise<void> {
    const { active, flushing } = this.buffers
    const generation = active.isEmpty ? flushing?.generation : active.generation
    if (generation === undefined) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.#waiters.push({ generation, resolve, reject })
      this.#schedule()
    })
  }

  /** @throws ShardlogError `ERR_SHARDLOG_WRITE` */
  flushSync(): void {
    while (this.buffers.flushing !== undefined || !this.buffers.active.isEmpty) {
      if (this.buffers.flushing === undefined) this.#swap()
      while (!this.#step()) {
        // One batch a step.
      }
    }
  }

  /** Writes the set being flushed; false if it could not be. */
  tryDrain(): boolean {
    try {
      while (this.buffers.flushing !== undefined) this.#step()
      return true
    } catch {
      return false // Recorded by #fail.
    }
  }

  /** Ends all activity. Returns the number of entries that are given up. */
  stop(): number {
    clearInterval(this.#ticker)
    clearTimeout(this.#retry)
    clearImmediate(this.#immediate)
    const { flushing, active } = this.buffers
    const unwritten = active.runs.reduce((sum, run) => sum + run.entries, 0)
    const lost = unwritten + (flushing === undefined ? 0 : this.writer.entriesLeft)
    this.buffers.recycle()
    active.recycle(active.generation)
    return lost
  }

  #swap(): void {
    this.writer.begin(this.buffers.swap())
    if (!this.closing) this.counters.setSwaps++
  }

  #schedule(): void {
    this.#immediate ??= setImmediate(() => {
      this.#immediate = undefined
      this.#turn()
    })
    if (this.#waiters.length > 0) this.#immediate.ref()
    else this.#immediate.unref()
  }

  /** One turn of the event loop: a batch, and another turn while there is more. */
  #turn(): void {
    const { buffers } = this
    if (buffers.flushing === undefined) {
      if (buffers.active.isEmpty) return
      this.#swap()
    }
    try {
      this.#step()
    } catch {
      return // Recorded by #fail, which also told those who wait.
    }
    if (buffers.flushing !== undefined || this.#waiters.length > 0) this.#schedule()
  }

  /** Writes a batch of the set being flushed; true if that completed it. */
  #step(): boolean {
    const begun = performance.now()
    let complete: boolean
    try {
      complete = this.writer.step()
    } catch (error) {
      throw this.#fail(error)
    }
    this.#spent += performance.now() - begun
    this.#recovered()
    if (complete) this.#finish()
    return complete
  }

  #finish(): void {
    const { generation } = this.buffers.flushing!
    this.buffers.recycle()
    this.counters.flushes++
    this.times.record(this.#spent)
    this.#spent = 0
    const settled = this.#waiters.filter(waiter => waiter.generation <= generation)
    this.#waiters = this.#waiters.filter(waiter => waiter.generation > generation)
    for (const waiter of settled) waiter.resolve()
  }

  #fail(cause: unknown): ShardlogError {
    const path = this.config.logFilePath
    const error = fromSystemError('ERR_SHARDLOG_WRITE', `cannot write ${path}`, cause, path)
    const isNew = this.#failure?.errno !== error.errno || this.#failure === undefined
    this.counters.flushErrors++
    this.lastError = error
    this.#failure = error
    if (isNew) this.report(error)
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(error)
    this.#retryLater()
    return error
  }

  #retryLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#schedule(), this.#retryDelay)
    this.#retry.unref()
    this.#retryDelay = Math.min(2 * this.#retryDelay, LONGEST_RETRY_MS)
  }

  #recovered(): void {
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#retryDelay = FIRST_RETRY_MS
    clearTimeout(this.#retry)
    this.report(resumed(this.config.logFilePath))
  }
}
