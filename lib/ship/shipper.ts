/**
 * Ships one log to one sink: gathers records into batches, sends them one after the other until
 * each was taken or set aside, and writes down how far it has come.
 */

import { CircuitState } from '../circuit-state'
import { ShardlogError } from '../errors'
import { timeOfLine } from '../reader/lines'
import { clearTimeout, performance, setTimeout } from '../timers'
import { DeadLetters } from './dead-letters'
import { LogSource, type ReadRecord, type SourceOptions } from './log-source'
import { lagOf } from './marks'
import { type Batch, idOf, partOf, type Sink, SinkError } from './sink'
import { Cursor, type FileMark, type ShipCounts } from './state'

export interface ShipperOptions extends SourceOptions {
  /** The cursor's file, absolute. */
  cursor: string
  deadLetters: string
  deadLetterBytes: number
  batchSize: number
  batchBytes: number
  /** Longest wait of a record for others, in ms. */
  flushInterval: number
  /** How often the log is looked at, in ms. */
  pollInterval: number
  /** Longest time between an acknowledgement and the writing of the cursor, in ms. */
  commitInterval: number
  /** Of one send, in ms. */
  timeout: number
  retry: {
    /** First and longest wait after a failure, in ms; a random part of it is waited. */
    base: number
    cap: number
    /** After so many failures in a row a batch is set aside; 0: never. */
    attempts: number
    /** Longest wait that the other side can ask for, in ms. */
    afterCap: number
  }
  circuit: { failures: number; recovery: number; successes: number }
  /** How long `close` goes on to ship what is in the log, in ms. */
  closeTimeout: number
}

/** What a shipper counts, for metrics and the status. */
export interface ShipperStats extends ShipCounts {
  log: string
  target: string
  stream: string
  /** Records that were given an id so far. */
  sequence: number
  circuit: 'closed' | 'open' | 'half-open'
  opened: number
  failuresInARow: number
  /** Bytes of the log that have not been taken. */
  lagBytes: number
  /** Age of the oldest record that has not been taken, in s; 0: all have. */
  lagSeconds: number
  lastError: { time: number; message: string } | null
}

const MS_PER_S = 1_000
/** How often deleted files are looked for. */
const OBSERVE_MS = 1_000
/** Among very many files that takes long: no more than this part of the time. */
const OBSERVE_SHARE = 20
/** A part that fails so often and may be too large is split. */
const SPLIT_AFTER = 3
const NS_PER_MS = 1_000_000n

/** Records on their way into a batch. */
interface Gathered {
  records: ReadRecord[]
  /** Files that they end, or that had none. */
  passed: FileMark[]
  /** Where reading goes on behind the last one of these; null: a record has been taken there. */
  place: FileMark | null
  bytes: number
  since: number
  time: number
}

interface Ready {
  batch: Batch
  mark: FileMark
  passed: readonly FileMark[]
}

type Step = Ready | 'switch' | 'idle'

export class Shipper {
  private readonly source: LogSource
  private readonly letters: DeadLetters
  private readonly circuit: CircuitState
  private readonly stopping = new AbortController()
  private gathered: Gathered = none()
  /** What the source gave and is not gathered yet. */
  private given: readonly ReadRecord[] = []
  private givenAt = 0
  /** 'switch' follows what is gathered. */
  private ended = false
  /** Given ids, not taken yet. */
  private pending: Batch | null = null
  private savedAt = Number.NEGATIVE_INFINITY
  private saveTimer: NodeJS.Timeout | null = null
  /** The cursor is being written; and it could not be, so far. */
  private saving: Promise<void> = Promise.resolve()
  private isUnsaved = false
  private observeTimer: NodeJS.Timeout | null = null
  private draining = false
  /** How often nothing was left to be read or sent. */
  private idles = 0
  private wakeUp: (() => void) | null = null
  private running: Promise<void> | null = null
  /** Something has been sent, or the cursor moved. */
  private begun = false
  /** What waits goes at once. */
  private hurried = false

  private constructor(
    private readonly options: ShipperOptions,
    private readonly cursor: Cursor,
    private readonly sink: Sink,
    private readonly onProblem: (error: Error) => void
  ) {
    this.letters = new DeadLetters(options.deadLetters, options.deadLetterBytes)
    this.circuit = new CircuitState(options.circuit, () => undefined)
    this.source = new LogSource(options, cursor.state, {
      damage: damage => this.setAside(damage),
      problem: error => this.tell(error)
    })
  }

  /**
   * Takes the cursor and begins to ship. Nobody is waited for: neither the log nor the other side
   * need be there.
   *
   * @throws ShardlogError `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_SHIP_CURSOR`
   */
  static async start(options: ShipperOptions, sink: Sink, onProblem: (error: Error) => void): Promise<Shipper> {
    const cursor = await Cursor.open(options.cursor, options.log, options.rotated)
    const shipper = new Shipper(options, cursor, sink, onProblem)
    try {
      await shipper.source.prepare()
    } catch (error) {
      await cursor.close()
      throw error
    }
    shipper.running = shipper.run()
    shipper.observe()
    return shipper
  }

  private observe(): void {
    const began = performance.now()
    const again = (): void => {
      if (this.stopping.signal.aborted) return
      const next = Math.max(OBSERVE_MS, OBSERVE_SHARE * (performance.now() - began))
      this.observeTimer = setTimeout(() => this.observe(), next)
      this.observeTimer.unref()
    }
    this.source.observe().then(again, error => {
      this.tell(error as Error)
      again()
    })
  }

  /** Resolves when all that is in the log's files now has been taken or set aside. */
  async flush(): Promise<void> {
    const after = this.idles + 2
    while (this.idles < after && !this.stopping.signal.aborted) {
      this.hurry()
      await pause(this.options.pollInterval)
    }
  }

  /**
   * Ships what is in the log, for as long as `closeTimeout`, writes the cursor and ends.
   *
   * @throws ShardlogError `ERR_SHARDLOG_SHIP_CURSOR` if the cursor cannot be written
   */
  async close(): Promise<void> {
    this.draining = true
    this.hurry()
    const timer = setTimeout(() => this.stopping.abort(), this.options.closeTimeout)
    await this.running
    clearTimeout(timer)
    this.stopping.abort()
    for (const timer of [this.saveTimer, this.observeTimer]) if (timer) clearTimeout(timer)
    await this.source.close()
    await this.letters.close()
    await this.sink.close()
    const { state } = this.cursor
    // What was sent and not answered may have arrived; its ids must not be given to others.
    if (this.begun) state.clean = this.pending === null
    try {
      await this.cursor.save()
    } finally {
      await this.cursor.close()
    }
  }

  /** What is counted, and how far it is behind. */
  async stats(): Promise<ShipperStats> {
    const { counts, log, stream, sequence, lastError } = this.cursor.state
    const waiting = this.pending ?? (this.gathered.records.length > 0 ? this.gathered : null)
    const lagBytes = await lagOf(this.cursor.state, log, this.options.rotated)
    return {
      ...counts,
      log,
      target: this.sink.target,
      stream,
      sequence,
      circuit: this.circuit.name,
      opened: this.circuit.opened,
      failuresInARow: this.circuit.failuresInARow,
      lagBytes,
      lagSeconds: waiting === null ? 0 : Math.max(0, Date.now() - waiting.time) / MS_PER_S,
      lastError
    }
  }

  // The loop.

  private async run(): Promise<void> {
    this.cursor.state.target = this.sink.target
    let underway: Promise<void> | null = null
    for (let ends = false; !ends && !this.stopping.signal.aborted; ) {
      try {
        const step = await this.collect()
        if (typeof step === 'object') this.prepare(step.batch)
        await underway
        underway = null
        if (this.stopping.signal.aborted) break
        if (step === 'idle') ends = await this.idle()
        else if (step === 'switch') await this.goOn()
        else {
          await this.begin()
          // The next one is gathered meanwhile.
          underway = this.deliver(step)
        }
      } catch (error) {
        // A disk that cannot be read: nothing is lost, it is tried again.
        this.tell(error as Error)
        await this.rest()
      }
    }
    await underway
  }

  /** Nothing is left. True if that is the end. */
  private async idle(): Promise<boolean> {
    this.idles++
    this.settle()
    if (this.draining) return true
    await this.rest()
    return false
  }

  private async goOn(): Promise<void> {
    await this.begin()
    this.settle()
    const isThere = await this.source.advance()
    await this.save()
    this.source.saved()
    if (!isThere) await this.rest()
  }

  /** All has been delivered: the cursor goes behind files that were passed without a record. */
  private settle(): void {
    const { records, passed, place } = this.gathered
    if (place === null || records.length > 0) return
    this.source.settle(passed)
    this.cursor.state.current = place
    this.gathered = none()
  }

  /** From now on ids may have been given that are not written down. */
  private async begin(): Promise<void> {
    if (this.begun) return
    this.begun = true
    this.cursor.state.clean = false
    await this.save()
  }

  /** What comes next: a batch as it is to be sent, a switch of files, or nothing. */
  private async collect(): Promise<Step> {
    const { flushInterval, pollInterval } = this.options
    for (;;) {
      if (this.stopping.signal.aborted) return 'idle'
      if (this.gather()) return this.ready()
      if (this.ended) {
        if (this.gathered.records.length > 0) return this.ready()
        this.ended = false
        return 'switch'
      }
      const next = await this.source.next()
      if (next === 'switch') this.ended = true
      else if (next !== null && 'passed' in next) {
        this.gathered.passed.push(next.passed)
        this.gathered.place = next.place
      } else if (next !== null) {
        this.given = next
        this.givenAt = 0
      } else {
        if (this.gathered.records.length === 0) return 'idle'
        const left = this.gathered.since + flushInterval - performance.now()
        if (left <= 0 || this.draining || this.hurried) return this.ready()
        await this.rest(Math.min(left, pollInterval))
      }
    }
  }

  /** Lets what waits go at once. */
  private hurry(): void {
    this.hurried = true
    this.wakeUp?.()
  }

  /** Waits for more, or to be woken. */
  private rest(ms = this.options.pollInterval): Promise<void> {
    this.hurried = false
    return new Promise(resolve => {
      const done = (): void => {
        clearTimeout(timer)
        this.stopping.signal.removeEventListener('abort', done)
        this.wakeUp = null
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.wakeUp = done
      this.stopping.signal.addEventListener('abort', done, { once: true })
    })
  }

  /** Takes what was given into the batch; true when that is full. */
  private gather(): boolean {
    const { batchSize } = this.options
    const batchBytes = Math.min(this.options.batchBytes, this.sink.batchBytes ?? Number.POSITIVE_INFINITY)
    const { gathered, given } = this
    while (this.givenAt < given.length) {
      const record = given[this.givenAt]!
      const bytes = record.end - record.start
      const { length } = gathered.records
      if (length >= batchSize || (length > 0 && gathered.bytes + bytes > batchBytes)) return true
      if (length === 0) {
        gathered.since = performance.now()
        gathered.time = timeOf(record)
      }
      gathered.records.push(record)
      gathered.place = null
      gathered.bytes += bytes
      this.givenAt++
    }
    this.given = []
    this.givenAt = 0
    return gathered.records.length >= batchSize
  }

  /** Has the next batch made ready while the one before it is on its way. */
  private prepare(batch: Batch): void {
    // What is wrong with it is told when it is sent.
    this.sink.prepare?.(batch).catch(() => undefined)
  }

  private async ready(): Promise<Ready> {
    const { records, bytes, time, passed, place } = this.gathered
    const mark = place ?? (await this.source.markAt(records[records.length - 1]!))
    this.gathered = none()
    const { stream, sequence } = this.cursor.state
    const first = this.pending ? this.pending.first + this.pending.records.length : sequence
    return { batch: { stream, first, records, bytes, time }, mark, passed }
  }

  // Delivery.

  /** Sends a batch until it is taken, as a whole or in parts, or set aside. */
  private async deliver({ batch, mark, passed }: Ready): Promise<void> {
    const { state } = this.cursor
    this.pending = batch
    const parts = [batch]
    let failures = 0
    while (parts.length > 0) {
      const part = parts[0]!
      const error = await this.attempt(part)
      if (this.stopping.signal.aborted && error) return
      failures++
      const many = part.records.length > 1 && error?.whole !== true
      if (error === null) {
        this.count(part)
        parts.shift()
        failures = 0
      } else if (many && (error.refused || (error.smaller && failures >= SPLIT_AFTER))) {
        const half = part.records.length >> 1
        parts.splice(0, 1, partOf(part, 0, half), partOf(part, half, part.records.length))
        failures = 0
      } else if ((error.refused || this.isGivenUp(failures)) && (await this.setPartAside(part, error))) {
        parts.shift()
        failures = 0
      } else await this.backOff(failures, error.retryAfter)
    }
    this.pending = null
    state.sequence = batch.first + batch.records.length
    state.current = mark
    this.source.settle(passed)
    state.counts.batches++
    await this.saveSoon()
  }

  private count(part: Batch): void {
    const { counts } = this.cursor.state
    counts.records += part.records.length
    counts.bytes += part.bytes
  }

  private isGivenUp(failures: number): boolean {
    const { attempts } = this.options.retry
    return attempts > 0 && failures >= attempts
  }

  /** Sends once; null: it was taken. */
  private async attempt(part: Batch): Promise<SinkError | null> {
    const { signal } = this.stopping
    const { counts } = this.cursor.state
    while (!this.circuit.admits()) {
      await pause(Math.min(this.options.circuit.recovery, MS_PER_S / 4), signal)
      if (signal.aborted) return new SinkError('the shipper ends')
    }
    const over = new AbortController()
    const stop = (): void => over.abort()
    const timer = setTimeout(stop, this.options.timeout)
    signal.addEventListener('abort', stop, { once: true })
    counts.attempts++
    try {
      await this.sink.send(part, over.signal)
      this.circuit.succeed()
      return null
    } catch (thrown) {
      const error =
        thrown instanceof SinkError ? thrown : new SinkError(String((thrown as Error).message), { cause: thrown })
      counts.failures++
      // What refuses answers: it is there.
      if (error.refused) this.circuit.succeed()
      else this.circuit.fail()
      if (!signal.aborted) this.tell(error)
      return error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
    }
  }

  /** Waits a random part of a time that doubles with each failure, but as long as was asked for. */
  private backOff(failures: number, retryAfter: number | undefined): Promise<void> {
    const { base, cap, afterCap } = this.options.retry
    const most = Math.min(cap, base * 2 ** Math.min(failures - 1, 30))
    const asked = Math.min(retryAfter ?? 0, afterCap)
    return pause(asked + Math.random() * most, this.stopping.signal)
  }

  private async setPartAside(part: Batch, error: SinkError): Promise<boolean> {
    const letters = part.records.map(({ data, start, end }, index) => ({
      id: idOf(part, index),
      reason: error.message,
      target: this.sink.target,
      bytes: data.subarray(start, end)
    }))
    try {
      await this.letters.add(letters)
      this.cursor.state.counts.deadLetters += letters.length
      return true
    } catch (thrown) {
      this.tell(thrown as Error)
      return false
    }
  }

  /** Notes what could not be read. */
  private async setAside(damage: {
    path: string
    offset: number
    length: number
    reason: string
    bytes?: Buffer
  }): Promise<void> {
    const { path, offset, length, reason, bytes = null } = damage
    this.cursor.state.counts.damaged++
    this.tell(new ShardlogError('ERR_SHARDLOG_CORRUPT', `${path}, offset ${offset}: ${reason}`, { path }))
    const letter = { id: null, reason, target: this.sink.target, bytes, place: { path, offset, length } }
    for (let failures = 1; !this.stopping.signal.aborted; failures++) {
      try {
        await this.letters.add([letter])
        return
      } catch (error) {
        this.tell(error as Error)
        await this.backOff(failures, undefined)
      }
    }
  }

  // The cursor.

  private async save(): Promise<void> {
    if (this.saveTimer) clearTimeout(this.saveTimer)
    this.saveTimer = null
    this.savedAt = performance.now()
    for (let failures = 1; ; failures++) {
      try {
        await this.cursor.save()
        this.isUnsaved = false
        return
      } catch (error) {
        this.isUnsaved = true
        this.tell(error as Error)
        if (this.stopping.signal.aborted) return
        await this.backOff(failures, undefined)
      }
    }
  }

  /** The next batch need not wait for the disk, but those after the interval do. */
  private async saveSoon(): Promise<void> {
    const left = this.savedAt + this.options.commitInterval - performance.now()
    if (left <= 0 || this.isUnsaved) await this.saving
    if (left <= 0) this.saving = this.save()
    else this.saveTimer ??= setTimeout(() => this.saveLater(), left)
  }

  private saveLater(): void {
    this.saving = this.saving.then(() => this.save())
  }

  private tell(error: Error): void {
    this.cursor.state.lastError = { time: Date.now(), message: error.message }
    this.onProblem(error)
  }
}

const none = (): Gathered => ({ records: [], passed: [], place: null, bytes: 0, since: 0, time: 0 })

/** ms since the epoch that a record tells, or else now. */
function timeOf({ data, start, end }: ReadRecord): number {
  const time = timeOfLine(data, start, end)
  return time === undefined ? Date.now() : Number(time / NS_PER_MS)
}

/** Waits, or until the signal fires. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal?.addEventListener('abort', done, { once: true })
  })
}
