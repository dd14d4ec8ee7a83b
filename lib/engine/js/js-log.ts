import { constants } from 'node:buffer'
import fs from 'node:fs'
import { fromSystemError, ShardlogError } from '../../errors'
import { performance } from '../../timers'
import type { ResolvedConfig } from '../../types'
import { pause } from '../engine'
import { Buffers, type Format, type Geometry, geometryFor, type Run } from './buffers'
import { Flusher, type Sink } from './flusher'
import { Counters } from './statistics'

const STDERR = 2
const RETRY_PAUSE_MS = 10
const STALL_PAUSE_MS = 1
const MAX_BYTES_PER_UTF16_UNIT = 3
/** No block is larger than 1 GiB. */
const MAX_BLOCK_LINE = 2 ** 30 - 2 ** 20
const MARGIN_BYTES = 2 ** 20

/** What a log is made of. */
export interface LogKind {
  readonly format: Format
  /** Whether entries are lines, which may be larger than a shard. */
  readonly lines: boolean
}

/** A log opened by one thread, shared by the loggers of that thread. */
export class JsLog {
  readonly format: Format
  readonly geometry: Geometry
  readonly counters: Counters
  readonly buffers: Buffers
  readonly flusher: Flusher
  readonly sink: Sink
  /** After the exit hook nobody else will flush: each entry is written before its call returns. */
  writeThrough = false
  #toldOversized = false
  private readonly lines: boolean

  /**
   * @param key what tells the log from others in this process
   * @param open opens where the entries go; what it throws is passed on
   */
  constructor(
    key: string,
    readonly config: ResolvedConfig,
    kind: LogKind,
    open: (geometry: Geometry, counters: Counters) => Sink,
    private readonly report: (error: ShardlogError) => void
  ) {
    this.format = kind.format
    this.lines = kind.lines
    this.geometry = geometryFor(config, kind.format)
    this.counters = new Counters(key)
    this.buffers = new Buffers(this.geometry, config.shardSelection === 'round-robin')
    try {
      this.sink = open(this.geometry, this.counters)
    } catch (error) {
      this.counters.detach()
      throw error
    }
    this.flusher = new Flusher(this.buffers, this.sink, this.counters, config.flushInterval, report)
  }

  log(value: string): boolean {
    this.counters.call()
    const text = textOf(value)
    if (text === undefined) return this.counters.drop()
    const bound = text.length * MAX_BYTES_PER_UTF16_UNIT
    // Counting a string's bytes costs about as much as writing it: only where it may not fit.
    const run = (bound > 0 && this.buffers.active.present(bound)) || this.#roomFor(Buffer.byteLength(text))
    if (!run) return false
    const at = run.payloadAt
    run.accept(run.memory.write(text, at, 'utf8'))
    return this.#accepted(run)
  }

  logBytes(bytes: Uint8Array, start?: number, end?: number): boolean {
    this.counters.call()
    const part = partOf(bytes, start, end)
    if (part === undefined) return this.counters.drop()
    const run = this.#roomFor(part.length)
    if (run === undefined) return false
    run.memory.set(part, run.payloadAt)
    run.accept(part.length)
    return this.#accepted(run)
  }

  #accepted(run: Run): true {
    if (this.writeThrough) this.#flushQuietly()
    else {
      if (this.buffers.isNearlyFull(run)) this.flusher.request()
      this.flusher.wind()
    }
    return true
  }

  /**
   * A run with room for a payload, by swapping, waiting or not at all, as configured. Counts the
   * drop.
   */
  #roomFor(payload: number): Run | undefined {
    const { counters } = this
    if (payload === 0) counters.add('emptyLogs')
    else if (payload > this.#mostBytes) this.#countOversized(payload)
    else {
      const run = this.#place(payload) ?? this.#swapFor(payload) ?? this.#waitFor(payload)
      if (run !== undefined) return run
    }
    counters.drop()
    return undefined
  }

  /** The largest payload. Lines are refused only where a length would not fit its field. */
  get #mostBytes(): number {
    if (!this.lines) return this.geometry.maxEntryBytes
    return this.format === 'shard' ? MAX_BLOCK_LINE : constants.MAX_LENGTH - MARGIN_BYTES
  }

  #countOversized(payload: number): void {
    this.counters.add('oversizedLogs')
    if (this.#toldOversized) return
    this.#toldOversized = true
    const message =
      `an entry of ${payload} bytes was dropped, at most ${this.#mostBytes} are allowed` +
      `${this.lines ? '' : ' (bufferSize / 2 / numShards, less 12)'}; further ones are only counted, in oversizedLogs`
    const error = new ShardlogError('ERR_SHARDLOG_OVERSIZED', message, { path: this.sink.path })
    this.flusher.lastError = error
    this.report(error)
  }

  #place(payload: number): Run | undefined {
    if (payload <= this.geometry.maxEntryBytes) return this.buffers.active.place(payload)
    try {
      return this.buffers.placeAside(payload, this.config.bufferSize)
    } catch {
      return undefined // No memory: there may be some when what waits is written.
    }
  }

  #swapFor(payload: number): Run | undefined {
    if (this.buffers.flushing !== undefined) return undefined
    this.flusher.swap()
    return this.#place(payload)
  }

  /**
   * Where there is no room: makes some, by writing the other set here and now as far as `onFull`
   * lets it.
   */
  #waitFor(payload: number): Run | undefined {
    const made = this.config.onFull === 'block' ? this.#block() : this.flusher.drainAtOnce()
    return made ? (this.#place(payload) ?? this.#swapFor(payload)) : undefined
  }

  /**
   * Tries until `blockTimeout` is over; not if that was in vain before, and writing fails still.
   */
  #block(): boolean {
    if (this.flusher.waitingIsVain) return false
    this.counters.add('blockedLogs')
    const deadline = performance.now() + this.config.blockTimeout
    for (;;) {
      const end = this.flusher.tryDrain()
      if (end === 'done') return true
      const left = deadline - performance.now()
      if (left <= 0) {
        this.flusher.giveUpWaiting()
        return false
      }
      pause(Math.min(left, end === 'stalled' ? STALL_PAUSE_MS : RETRY_PAUSE_MS))
    }
  }

  /** What cannot be written by now never will be. */
  #giveUp(): void {
    const lost = this.flusher.stop()
    this.counters.add('droppedLogs', lost)
    if (lost === 0) return
    sayLost(`shardlog: ${lost} entries for ${this.sink.name} are lost: ${this.flusher.lastError?.message ?? ''}\n`)
  }

  #flushQuietly(): void {
    try {
      this.flusher.flushSync()
    } catch {
      // A log call never throws; the failure is in flushErrors and lastError.
    }
  }

  /** The process or thread ends: writes what there is, and from now on each entry at once. */
  atExit(): void {
    this.writeThrough = true
    this.flusher.closing = true
    this.sink.writer.beginShutdown()
    this.#flushQuietly()
    this.#giveUp()
    this.counters.detach()
    this.sink.unlock()
  }

  /** Gives the sink up. What could not be written by now is counted as dropped. */
  shut(): void {
    const { name, path } = this.sink
    this.#giveUp()
    try {
      this.sink.close()
    } catch (error) {
      throw fromSystemError('ERR_SHARDLOG_IO', `cannot close ${name}`, error, path)
    } finally {
      this.counters.detach()
      this.sink.unlock()
    }
  }
}

/** For what nobody may be left to ask about. */
function sayLost(line: string): void {
  try {
    fs.writeSync(STDERR, line)
  } catch {
    // Nobody reads that either.
  }
}

/**
 * What a value reads as, or undefined if it cannot be told (a symbol, an object whose toString
 * throws).
 */
function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  try {
    return `${value}`
  } catch {
    return undefined // Counted as dropped: a log call never throws.
  }
}

/**
 * An optional index as `subarray` takes it: negative from the end, clamped. What is not a number
 * counts as absent.
 */
function indexOf(value: unknown, length: number, otherwise: number): number {
  if (typeof value !== 'number') return otherwise
  const whole = Math.trunc(value) || 0
  return whole < 0 ? Math.max(0, length + whole) : Math.min(whole, length)
}

/** The bytes meant, or undefined if the first argument holds none. Never throws. */
function partOf(bytes: Uint8Array, start?: number, end?: number): Uint8Array | undefined {
  try {
    if (!ArrayBuffer.isView(bytes)) return undefined
    const from = indexOf(start, bytes.byteLength, 0)
    const to = indexOf(end, bytes.byteLength, bytes.byteLength)
    return new Uint8Array(bytes.buffer, bytes.byteOffset + from, Math.max(0, to - from))
  } catch {
    return undefined // Detached, or an object that only looks like bytes.
  }
}
