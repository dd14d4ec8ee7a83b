/** The flight recorder: the latest events of a process, and snapshots of them. */

import { CallSites, loadOtelApi, type Top, TraceContext } from '../call-origin'
import { flushAtExit, forgetAtExit } from '../engine/engine'
import { isError, nearestName, ShardlogError } from '../errors'
import { joined } from '../joined'
import { type Added, RecordEncoder } from '../record/record-encoder'
import { performance } from '../timers'
import type { RecorderNumbers } from '../types'
import type { DrainedRun } from './arena'
import { installCapture, type Observe } from './capture'
import type { RecordedEvent } from './decode'
import {
  ALL_FIELDS,
  asText,
  checkedTime,
  EventBuilder,
  type EventDraft,
  type EventFields,
  EventWriter,
  FATAL,
  KeptFields,
  MESSAGE_KEY,
  timeOfNs
} from './events'
import { type RecorderOptions, type ResolvedOptions, resolveOptions } from './options'
import { type OpenRing, openRing } from './ring'
import { type Request, readEvents, type Watermark, writeSnapshot, writeSnapshotSync } from './snapshot'
import { harvest, installTriggers, watchLoop } from './triggers'
import { Uploader } from './upload'

export interface RecorderStats extends RecorderNumbers {
  /** Snapshots of this thread that were written, and that could not be. */
  snapshots: number
  snapshotErrors: number
  /** Uploads of this thread that succeeded, and that were given up. */
  uploads: number
  uploadErrors: number
  lastSnapshot: string | null
  lastError: ShardlogError | null
  /** 'js': the ring is in memory and does not outlive the process. */
  engine: 'native' | 'js'
  /** The ring's file; null: it is in memory. */
  path: string | null
}

export interface SnapshotOptions {
  /**
   * Takes the events out of the ring, so that later snapshots do not have them, also those of a
   * crash. Of two that overlap both may have them. Default false.
   */
  drain?: boolean
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
function isDrain(options: SnapshotOptions): boolean {
  const { drain = false, ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown === undefined && typeof drain === 'boolean') return drain
  const what = unknown === undefined ? 'drain must be true or false' : `${unknown} is not known, but drain`
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `option of a snapshot: ${what}`)
}

/** Levels of a recorder that stands alone. */
export const LEVELS: Readonly<Record<string, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: FATAL
}
/**
 * A snapshot after a fatal event is made no sooner than this after the last one; the same of what
 * the program handles that nobody has caught.
 */
const PAUSE_MS = 1000
const TARGET = 'process'
/** What events get on request, in the order that `completed` has. */
const CALLER_KEYS = ['caller']
const TRACE_KEYS = ['trace_id', 'span_id', 'trace_flags']
const ALL_KEYS = [...CALLER_KEYS, ...TRACE_KEYS]
const EVENT_LEVEL = 'the level of an event'

/** Why a value could not be had; also of one whose own reading fails. */
function reasonOf(thrown: unknown): string {
  try {
    return isError(thrown) ? String(thrown.message) : 'a value was thrown'
  } catch {
    return 'an error that cannot be shown'
  }
}

/** What a logger that records here says of itself. */
export interface Surroundings {
  /** Its levels, and their numbers. */
  levels: Readonly<Record<string, number>>
  messageKey: string
  /** Whether events of a level are kept, where its order is the logger's own. */
  isKept?: (level: number) => boolean
  /** What applies where the options say nothing. */
  defaults: Pick<RecorderOptions, 'service' | 'path'>
}

const ALONE: Surroundings = { levels: LEVELS, messageKey: MESSAGE_KEY, defaults: {} }

/** The recorder of one thread. Threads of a process that name one path share its ring. */
export class RingRecorder {
  readonly #options: ResolvedOptions
  readonly #ring: OpenRing
  /** Keeps events whole: what was capped before, and what the recorder says itself. */
  readonly #encoder: RecordEncoder
  readonly #writer: EventWriter
  /** Keeps `maxFields` fields. */
  readonly #capped: RecordEncoder
  readonly #cappedWriter: EventWriter
  readonly #levels: Readonly<Record<string, number>>
  readonly #cap: KeptFields
  readonly #least: number
  readonly #isKept: (level: number) => boolean
  readonly #sites: CallSites | null
  readonly #trace: TraceContext | null
  readonly #uploader: Uploader | null
  readonly #removeTriggers: () => void
  readonly #ending = { atExit: (): void => this.#end() }
  readonly #told: Watermark = new Map()
  #closed = false
  #keep = false
  #snapshots = 0
  #errors = 0
  #uploads = 0
  #uploadErrors = 0
  #lastSnapshot: string | null = null
  #lastError: ShardlogError | null = null
  #fatalAt = Number.NEGATIVE_INFINITY
  #crashAt = Number.NEGATIVE_INFINITY
  /** Why there is to be a snapshot at the end, of what came too soon after the last one. */
  #owed: string | null = null
  #incrementing = false
  #observing = false
  /** For loggers that record here: whether events get fields here that the log does not have. */
  readonly adds: boolean
  /** The level that was named last, and its number. */
  #recentLevel = ''
  #recentNumber = Number.NaN
  /**
   * Files of what earlier processes left, once they are written; those that could not be are told
   * on stderr and stay.
   */
  readonly harvested: Promise<string[]>

  /**
   * @param around of a logger that records here: its levels and the key of its messages
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_NO_NATIVE`,
   *   `ERR_SHARDLOG_ARENA_OWNER`, `ERR_SHARDLOG_IO`
   */
  constructor(options: RecorderOptions = {}, around: Surroundings = ALONE) {
    this.#options = resolveOptions(options, around.defaults)
    this.#levels = around.levels
    const { level } = this.#options
    this.#least = level === undefined ? Number.NEGATIVE_INFINITY : this.#number(level, 'option recorder.level')
    this.#isKept = around.isKept ?? (number => number >= this.#least)
    this.#sites = this.#options.caller ? new CallSites() : null
    this.#trace = this.#options.otel ? new TraceContext(loadOtelApi(), null) : null
    this.adds = this.#sites !== null || this.#trace !== null
    this.#ring = openRing(this.#options, { ...around.levels }, around.messageKey)
    const { target } = this.#ring
    this.#encoder = new RecordEncoder(target, new KeptFields(ALL_FIELDS, () => undefined))
    this.#writer = new EventWriter(this.#encoder)
    this.#cap = new KeptFields(this.#options.maxFields, () => this.#ring.countTruncated())
    this.#capped = new RecordEncoder(target, this.#cap)
    this.#cappedWriter = new EventWriter(this.#capped)
    const removeTriggers = installTriggers(this.#options, {
      crash: (error, reason, goesOn) => this.#crash(error, reason, goesOn),
      begin: reason => void this.snapshot(reason).catch(() => undefined),
      beginIncrement: () => void this.#increment()
    })
    const removeCapture = installCapture(this.#options.capture, this.#observe, watchLoop)
    this.#removeTriggers = () => {
      removeCapture()
      removeTriggers()
    }
    flushAtExit(this.#ending)
    this.#uploader = this.#openUploader()
    this.#uploader?.resume()
    this.harvested = this.#harvest()
  }

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
  #number(level: string, what: string): number {
    if (level === this.#recentLevel) return this.#recentNumber
    const number = this.#levels[level]
    // No name that every object has, either.
    if (typeof number === 'number') {
      this.#recentLevel = level
      this.#recentNumber = number
      return number
    }
    const names = Object.keys(this.#levels)
    // A number, where nobody checks types.
    const given = String(level)
    const near = nearestName(given, names)
    const message = `${what} must be one of ${names.join(', ')}, got ${given}${near ? `; did you mean ${near}?` : ''}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }

  /**
   * Keeps an event.
   *
   * @param level name of its level
   * @param target name of what it is of: a logger, a module
   * @param top the function that the program has called
   * @returns false: dropped and counted, below the recorder's level, or closed
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown level; what a getter of a field
   *   throws
   */
  record(level: string, target: string, message: string, fields: EventFields | null, top: Top): boolean {
    const number = this.#number(level, EVENT_LEVEL)
    if (!this.#takes(number)) return false
    const writer = this.adds ? this.#writer : this.#cappedWriter
    const kept = this.adds ? this.completed(fields, top) : fields
    return this.#noted(number, writer.write(number, asText(target), asText(message), kept, Number.NaN))
  }

  /** As `record`, of an event that was made before. */
  add({ level, target, message, fields, timestampNanos }: EventDraft, top: Top): boolean {
    const number = this.#number(level, EVENT_LEVEL)
    const time = timestampNanos === undefined ? Number.NaN : timeOfNs(checkedTime(timestampNanos))
    if (!this.#takes(number)) return false
    const kept = this.adds ? this.completed(fields, top) : this.kept(fields)
    return this.#noted(number, this.#writer.write(number, asText(target), asText(message), kept, time))
  }

  #noted(level: number, accepted: boolean): boolean {
    if (level >= FATAL) this.noteFatal()
    return accepted
  }

  #takes(level: number): boolean {
    return level >= this.#least && !this.#closed
  }

  /** An event to be made piece by piece. */
  event(): EventBuilder {
    return new EventBuilder(event => this.add(event, EventBuilder.prototype.record))
  }

  /** What others tell. What is told meanwhile, as by what is asked for its text, is left out. */
  readonly #observe: Observe = (level, target, tell) => {
    const number = this.#levels[level] ?? (LEVELS[level] as number)
    if (this.#observing || this.#closed || !this.#isKept(number)) return
    this.#observing = true
    try {
      const { message, fields } = tell()
      const all = this.#trace === null ? this.kept(fields) : joined(this.#trace.fields(), this.kept(fields))
      this.#writer.write(number, target, message, all, Number.NaN)
    } catch (thrown) {
      this.#writeFailed(number, '', thrown)
    } finally {
      this.#observing = false
    }
  }

  /**
   * The fields that are kept of an event, with call site and trace. Its own fields win.
   *
   * @param top the function that the program has called
   */
  completed<Fields extends object | null | undefined>(fields: Fields, top: Top): Fields {
    const kept = this.kept(fields)
    const place = this.#sites?.find(top)
    return joined(place === undefined ? null : { caller: place }, this.#trace?.fields(), kept) as Fields
  }

  /** For loggers that record here: what an event gets that its log does not have. */
  added(top: Top): Added | null {
    const place = this.#sites?.find(top)
    const trace = this.#trace?.fields() ?? null
    if (trace === null) return place === undefined ? null : { keys: CALLER_KEYS, values: [place] }
    const { trace_id, span_id, trace_flags } = trace
    const values = [trace_id, span_id, trace_flags]
    if (place === undefined) return { keys: TRACE_KEYS, values }
    return { keys: ALL_KEYS, values: [place, ...values] }
  }

  /** For loggers that record here. Keeps all fields that it is given. */
  get encoder(): RecordEncoder {
    return this.#encoder
  }

  /** For loggers that record here. Keeps `maxFields` fields, and counts events that had more. */
  get capped(): RecordEncoder {
    return this.#capped
  }

  /** For loggers that record here: the fields that are kept of an event. */
  kept<Fields extends object | null | undefined>(fields: Fields): Fields {
    return this.#cap.kept(fields)
  }

  /** For loggers that record here: whether an event with these fields is kept with all of them. */
  keepsWhole(fields: object | null | undefined): boolean {
    return this.#cap.keepsWhole(fields)
  }

  /** For loggers that record here: an event could not be made into a record. */
  noteUnrecorded(level: number, message: unknown, thrown: unknown): void {
    this.#writeFailed(level, typeof message === 'string' ? message : '', thrown)
    if (level >= FATAL) this.noteFatal()
  }

  #writeFailed(level: number, message: string, thrown: unknown): void {
    this.#writer.write(level, TARGET, message, { notRecorded: reasonOf(thrown) }, Number.NaN)
  }

  /** For loggers that record here: a fatal event is in the ring. */
  noteFatal(): void {
    if (!this.#options.onFatal || this.#closed) return
    const now = performance.now()
    if (now - this.#fatalAt < PAUSE_MS) return
    this.#fatalAt = now
    this.#takeSync('fatal')
  }

  /**
   * The events that the ring holds now, in the order of time. They stay in it but with `drain`.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown option
   */
  takeSnapshot(options: SnapshotOptions = {}): RecordedEvent[] {
    const read: DrainedRun[] | undefined = isDrain(options) ? [] : undefined
    const steps = readEvents({ arena: this.#ring.arena(), minAge: this.#options.minAge, read })
    for (;;) {
      const step = steps.next()
      if (!step.done) continue
      if (read !== undefined) this.#ring.drain(read)
      return step.value.events
    }
  }

  /**
   * Writes a file of the events that the ring holds at the call, in steps of some milliseconds.
   *
   * @param options `drain`: takes them out of the ring once the file is written
   * @returns its path. Rejects with ShardlogError `ERR_SHARDLOG_SNAPSHOT`, `ERR_SHARDLOG_PACKAGE`,
   *   which is also told on stderr once and counted; `ERR_SHARDLOG_CONFIG` for an unknown option
   */
  async snapshot(reason = 'manual', options: SnapshotOptions = {}): Promise<string> {
    const read: DrainedRun[] | undefined = isDrain(options) ? [] : undefined
    try {
      const file = (await writeSnapshot({ ...this.#request(reason), read }, this.#options)) as string
      if (read !== undefined && !this.#closed) this.#ring.drain(read)
      this.#noteWritten(file)
      return file
    } catch (error) {
      throw this.#noteFailure(error)
    }
  }

  #request(reason: string, watermark?: Watermark): Request {
    return { arena: this.#ring.arena(), reason: String(reason), minAge: this.#options.minAge, watermark }
  }

  #noteWritten(file: string): void {
    this.#snapshots++
    this.#lastSnapshot = file
    this.#uploader?.add(file)
  }

  #openUploader(): Uploader | null {
    const { upload, directory, service } = this.#options
    if (upload === null) return null
    return new Uploader(upload, directory, service, {
      uploaded: () => void this.#uploads++,
      failed: error => {
        if (this.#uploadErrors++ === 0)
          process.stderr.write(`shardlog: ${error.message} (${error.code}); further ones are counted\n`)
        this.#lastError = error
      }
    })
  }

  /**
   * Once what was written so far is uploaded, or given up until another upload succeeds or the next
   * start: whether all is uploaded. True if there is no option `upload`. Never rejects.
   */
  async uploaded(): Promise<boolean> {
    return this.#uploader === null || this.#uploader.settled()
  }

  #noteFailure(error: unknown): unknown {
    this.#errors++
    if (error instanceof ShardlogError) {
      if (this.#lastError === null)
        process.stderr.write(`shardlog: ${error.message} (${error.code}); further ones are counted\n`)
      this.#lastError = error
    }
    return error
  }

  /** Whether a snapshot has been written. */
  #takeSync(reason: string): boolean {
    try {
      this.#noteWritten(writeSnapshotSync(this.#request(reason), this.#options) as string)
      return true
    } catch (error) {
      this.#noteFailure(error)
      return false
    }
  }

  #crash(error: unknown, reason: string, goesOn: boolean): void {
    try {
      const fields = isError(error) ? { type: error.name, stack: error.stack } : null
      const message = isError(error) ? error.message : String(error)
      this.#writer.write(FATAL, TARGET, message, { origin: reason, ...fields }, Number.NaN)
    } catch (thrown) {
      // A getter of the error, or of what was thrown in its place.
      this.#writeFailed(FATAL, reason, thrown)
    }
    if (goesOn && performance.now() - this.#crashAt < PAUSE_MS) {
      this.#owed = reason
      return
    }
    this.#takeAtCrash(reason)
    this.#crashAt = performance.now()
  }

  /** What cannot be written can still be read from the ring's file. */
  #takeAtCrash(reason: string): void {
    this.#owed = null
    if (!this.#takeSync(reason)) this.#keep = true
  }

  async #increment(): Promise<void> {
    if (this.#incrementing) return
    this.#incrementing = true
    // If it cannot be written, the next one tells what this one would have.
    const told: Watermark = new Map(this.#told)
    try {
      const file = await writeSnapshot(this.#request('interval', told), this.#options)
      this.#told.clear()
      for (const [sequence, end] of told) this.#told.set(sequence, end)
      if (file !== null) this.#noteWritten(file)
    } catch (error) {
      this.#noteFailure(error)
    } finally {
      this.#incrementing = false
    }
  }

  async #harvest(): Promise<string[]> {
    const files: string[] = []
    if (this.#ring.path === null) return files
    for await (const result of harvest(this.#ring.path, this.#options)) {
      if (typeof result === 'string') {
        files.push(result)
        this.#noteWritten(result)
      } else this.#noteFailure(result)
    }
    return files
  }

  get stats(): RecorderStats {
    return {
      ...this.#ring.stats(),
      snapshots: this.#snapshots,
      snapshotErrors: this.#errors,
      uploads: this.#uploads,
      uploadErrors: this.#uploadErrors,
      lastSnapshot: this.#lastSnapshot,
      lastError: this.#lastError,
      engine: this.#ring.engine,
      path: this.#ring.path
    }
  }

  /** Events in the ring. */
  get length(): number {
    const { recorded, overwritten, drained } = this.#ring.stats()
    return recorded - overwritten - drained
  }

  /** See `Recorder.native`. */
  get native(): object | null {
    return this.#ring.native
  }

  /**
   * Events that the ring is laid out for; of one that is laid out for bytes, as many of the mean
   * size of those in it.
   */
  get capacity(): number {
    if (this.#options.capacity > 0) return this.#options.capacity
    const { recorded, overwritten, drained, usedBytes, bytes } = this.#ring.stats()
    const events = recorded - overwritten - drained
    return events === 0 ? 0 : Math.floor((events * bytes) / usedBytes)
  }

  /** Used share of the ring, 0 to 1. */
  get utilization(): number {
    const { usedBytes, bytes } = this.#ring.stats()
    return usedBytes / bytes
  }

  /**
   * The end of the process or thread: as `close`, but that listeners of 'exit' which come after
   * ours may record and throw, of which there is a snapshot.
   */
  #end(): void {
    if (this.#owed !== null) this.#takeAtCrash(this.#owed)
    this.#ring.leave(this.#keep)
    this.#uploader?.finish()
  }

  /**
   * Ends the recorder of this thread; its file is removed with the last one. Runs by itself at the
   * end of the process or thread. Idempotent.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    forgetAtExit(this.#ending)
    this.#removeTriggers()
    if (this.#owed !== null) this.#takeAtCrash(this.#owed)
    this.#encoder.close()
    this.#capped.close()
    this.#ring.close(this.#keep)
  }
}
