/** The flusher of the JavaScript engine, and the interface of the sinks that it writes to. */

import { fromSystemError, resumed, ShardlogError } from '../../errors'
import { clearTimeout, performance, setImmediate, setTimeout } from '../../timers'
import type { FlushMetrics } from '../../types'
import { pause } from '../engine'
import type { BufferSet, Buffers } from './buffers'
import { type Counters, FlushTimes } from './statistics'

/** What a step of writing came to. 'stalled': nobody takes anything at the moment. */
export type Step = 'done' | 'more' | 'stalled'

/** Writes sealed sets, one after the other, a step at a time. */
export interface SinkWriter {
  begin(set: BufferSet): void
  /**
   * Writes a part of the present set. 'done' when all of it is written, or nobody wants it any
   * more.
   *
   * @throws what kept it from being written; the next call goes on there
   */
  step(): Step
  /** After a step that is 'stalled': how many ms a call may still wait; 0: no longer. */
  waitBudget(): number
  /** The log is at its end: `waitBudget` is `exitTimeout` from now. */
  beginShutdown(): void
  /** Gives the rest of the present set up. The number of entries that are lost. */
  discard(): number
}

/** Where a log's entries go. */
export interface Sink {
  readonly writer: SinkWriter
  /** For messages. */
  readonly name: string
  /** Of a file. */
  readonly path: string | undefined
  readonly ioAlignment: number
  /** Why writes do not bypass the page cache. */
  readonly ioReason: string
  /** Lets other processes have it. */
  unlock(): void
  close(): void
}

/**
 * Nothing can be written any more, which is no reason to try again: entries are dropped and counted
 * from now on.
 */
export class SinkGone extends Error {
  constructor(
    readonly told: ShardlogError,
    /** Whether that is usual, and told by `lastError` alone. */
    readonly isUsual: boolean
  ) {
    super(told.message)
  }
}

/** Calls after a pause, which doubles until it is reset. */
class Retry {
  #timer: NodeJS.Timeout | undefined
  #delay: number

  /** @param least, most the pauses, ms */
  constructor(
    private readonly least: number,
    private readonly most: number,
    private readonly call: () => void
  ) {
    this.#delay = least
  }

  get isDue(): boolean {
    return this.#timer !== undefined
  }

  /** Calls once, a pause from now. `awaited`: it keeps the process alive. */
  later(awaited: boolean): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.call()
    }, this.#delay)
    if (!awaited) this.#timer.unref()
    this.#delay = Math.min(2 * this.#delay, this.most)
  }

  /** Calls no more, and pauses shortly the next time. */
  reset(): void {
    this.end()
    this.#delay = this.least
  }

  end(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** Timers know no less. */
const SOON_MS = 1
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 5_000
const FIRST_LOOK_MS = 1
const MAX_LOOK_MS = 20
/** The longest that a call under `onFull: 'drop'` writes. */
const AT_ONCE_MS = 5

interface Waiter {
  /** Settled when this generation is written, or cannot be. */
  generation: number
  resolve: () => void
  reject: (error: ShardlogError) => void
}

/**
 * Writes sets on the thread that logs: a step per turn of the event loop, or all at once where a
 * call waits for it. It keeps the process alive only while somebody waits for `flush()`.
 */
export class Flusher {
  lastError: ShardlogError | null = null
  /** While the log is being closed: the swap that ends it is not one of those that make room. */
  closing = false
  #waiters: Waiter[] = []
  #immediate: NodeJS.Immediate | undefined
  /** Runs while there is something that the flush interval is to write. */
  #tick: NodeJS.Timeout | undefined
  readonly #soon = new Retry(SOON_MS, SOON_MS, () => this.#turn())
  /** After a failure. */
  readonly #retry = new Retry(FIRST_RETRY_MS, MAX_RETRY_MS, () => this.#turn())
  /** While nobody takes anything. */
  readonly #look = new Retry(FIRST_LOOK_MS, MAX_LOOK_MS, () => this.#turn())
  /** The failure that logging has not recovered from. */
  #failure: ShardlogError | undefined
  /** Whether a call has waited for room as long as it may since then. */
  #isVain = false
  readonly #times: FlushTimes
  #spent = 0
  #triedAt = 0

  constructor(
    private readonly buffers: Buffers,
    private readonly sink: Sink,
    private readonly counters: Counters,
    private readonly flushInterval: number,
    private readonly report: (error: ShardlogError) => void
  ) {
    this.#times = new FlushTimes(counters)
  }

  /** How long flushes took. */
  metrics(): Omit<FlushMetrics, 'lastError'> {
    return this.#times.metrics()
  }

  /** Has what is buffered written from the event loop, soon. */
  request(): void {
    if (this.#isFree) this.#schedule()
  }

  /** Whether no pause is kept. */
  get #isFree(): boolean {
    return this.#failure === undefined && !this.#look.isDue
  }

  /** Something is buffered: it is written within the flush interval. */
  wind(): void {
    if (this.#tick !== undefined || this.flushInterval === 0) return
    this.#tick = setTimeout(() => {
      this.#tick = undefined
      if (this.buffers.active.isEmpty) return
      if (this.#isFree) this.#turn()
      // Again, in case that what is being written now, or fails, stands before it.
      this.wind()
    }, this.flushInterval)
    this.#tick.unref()
  }

  /**
   * Makes the other set active and begins to write the full one. Only while nothing is being
   * flushed.
   */
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

  /** @throws ShardlogError `ERR_SHARDLOG_WRITE`, `ERR_SHARDLOG_STALLED` */
  flushSync(): void {
    while (this.buffers.flushing !== undefined || !this.buffers.active.isEmpty) {
      if (this.buffers.flushing === undefined) this.#swap()
      if (this.#step() === 'stalled') this.#awaitReader()
    }
  }

  /** Writes the set being flushed. 'stalled' or 'failed': not to its end. */
  tryDrain(): 'done' | 'stalled' | 'failed' {
    return this.#drainUntil(Number.POSITIVE_INFINITY)
  }

  /**
   * As `tryDrain`, but no longer than a call may take, and no more often than makes sense. True if
   * the set is written.
   */
  drainAtOnce(): boolean {
    const now = performance.now()
    // A write to a file would wait for the device.
    if (this.sink.path !== undefined || this.#failure !== undefined || now < this.#triedAt + FIRST_LOOK_MS) return false
    if (this.#drainUntil(now + AT_ONCE_MS) === 'done') return true
    this.#triedAt = performance.now()
    return false
  }

  /**
   * A call has waited for room as long as it may. If writing fails, others would wait in vain, too.
   */
  giveUpWaiting(): void {
    this.#isVain = this.#failure !== undefined
  }

  /** Whether that was so, and writing fails still. */
  get waitingIsVain(): boolean {
    return this.#isVain
  }

  /** Ends all activity. Returns the number of entries that are given up. */
  stop(): number {
    clearTimeout(this.#tick)
    for (const timer of [this.#soon, this.#retry, this.#look]) timer.end()
    clearImmediate(this.#immediate)
    const { flushing, active } = this.buffers
    const unwritten = active.runs.reduce((sum, run) => sum + run.entries, 0)
    const lost = unwritten + (flushing === undefined ? 0 : this.sink.writer.discard())
    this.buffers.recycle()
    active.recycle(active.generation)
    return lost
  }

  #drainUntil(deadline: number): 'done' | 'stalled' | 'failed' {
    try {
      while (this.buffers.flushing !== undefined) {
        if (this.#step() === 'stalled' || performance.now() >= deadline) return 'stalled'
      }
      return 'done'
    } catch {
      return 'failed' // Recorded by #fail.
    }
  }

  #swap(): void {
    this.sink.writer.begin(this.buffers.swap())
    if (!this.closing) this.counters.add('setSwaps')
  }

  #schedule(): void {
    if (this.#waiters.length > 0) {
      this.#immediate ??= setImmediate(() => {
        this.#immediate = undefined
        this.#turn()
      })
    } else if (!this.#soon.isDue) {
      // A timer, since an immediate that does not keep the process alive does not wake an idle
      // event loop either.
      this.#soon.later(false)
    }
  }

  /** One turn of the event loop: a step, and another turn while there is more. */
  #turn(): void {
    const { buffers } = this
    if (buffers.flushing === undefined) {
      if (buffers.active.isEmpty) return
      this.#swap()
    }
    let step: Step
    try {
      step = this.#step()
    } catch {
      return // Recorded by #fail, which also told those who wait.
    }
    if (step === 'stalled') this.#lookLater()
    else if (buffers.flushing !== undefined || this.#waiters.length > 0) this.#schedule()
  }

  /** Writes a part of the set being flushed. */
  #step(): Step {
    const begun = performance.now()
    let step: Step
    try {
      step = this.sink.writer.step()
    } catch (error) {
      if (!(error instanceof SinkGone)) throw this.#fail(error)
      this.lastError = error.told
      if (!error.isUsual) this.report(error.told)
      step = 'more'
    }
    this.#spent += performance.now() - begun
    if (step === 'stalled') return step
    this.#look.reset()
    this.#recovered()
    if (step === 'done') this.#finish()
    return step
  }

  #finish(): void {
    const { generation } = this.buffers.flushing!
    this.buffers.recycle()
    this.counters.add('flushes')
    this.#times.record(this.#spent)
    this.#spent = 0
    const settled = this.#waiters.filter(waiter => waiter.generation <= generation)
    this.#waiters = this.#waiters.filter(waiter => waiter.generation > generation)
    for (const waiter of settled) waiter.resolve()
  }

  #stalled(): ShardlogError {
    const error = new ShardlogError(
      'ERR_SHARDLOG_STALLED',
      `nobody takes anything from ${this.sink.name} (${this.closing ? 'exitTimeout' : 'blockTimeout'})`
    )
    this.lastError = error
    return error
  }

  /** Waits in the call. @throws once that has been too long */
  #awaitReader(): void {
    const left = this.sink.writer.waitBudget()
    if (left === 0) throw this.#stalled()
    pause(Math.min(left, FIRST_LOOK_MS))
  }

  #lookLater(): void {
    if (this.#waiters.length > 0 && this.sink.writer.waitBudget() === 0) this.#refuse(this.#stalled())
    this.#look.later(this.#waiters.length > 0)
  }

  #refuse(error: ShardlogError): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const waiter of waiters) waiter.reject(error)
  }

  #fail(cause: unknown): ShardlogError {
    const { name, path } = this.sink
    const error = fromSystemError('ERR_SHARDLOG_WRITE', `cannot write ${name}`, cause, path)
    const isNew = this.#failure?.errno !== error.errno || this.#failure === undefined
    this.counters.add('flushErrors')
    this.lastError = error
    this.#failure = error
    if (isNew) this.report(error)
    this.#refuse(error)
    this.#retry.later(false)
    return error
  }

  #recovered(): void {
    if (this.#failure === undefined) return
    this.#failure = undefined
    this.#isVain = false
    this.#retry.reset()
    this.report(resumed(this.sink.name))
  }
}
