/** The sink for a log file: locked, and written in batches of whole runs. */

import { ENTRY_PREFIX_BYTES } from '../../format/constants'
import type { ResolvedConfig } from '../../types'
import type { BufferSet, Format, Geometry, Run } from './buffers'
import { BlockEncoder, type FileEncoder, LineEncoder } from './encoders'
import type { Sink, SinkWriter, Step } from './flusher'
import { Lock } from './lock'
import { type Change, type LogFile, openLogFile } from './log-file'
import type { Counters } from './statistics'

/**
 * Bytes of one write, and so the longest the event loop is held up at a time; larger only for one
 * larger run.
 */
const BATCH_BYTES = 1 << 20
const ATTEMPTS = 3

/** Runs that are written by one call, if the kernel lets it. */
interface Batch {
  runs: Run[]
  bytes: Buffer
  /** Bytes that are in the file. */
  done: number
}

const entriesOf = (runs: readonly Run[]): number => runs.reduce((sum, run) => sum + run.entries, 0)

/**
 * Writes a sealed set run by run. Remembers how far it came: what a failed write has left in the
 * file stays there, and the next goes on behind it, or, where somebody else has written there, or
 * the file is another one, behind what of it is whole.
 */
class FileWriter implements SinkWriter {
  #set: BufferSet | undefined
  /** Runs of the set that are in the file. */
  #done = 0
  #batch: Batch | undefined
  readonly #memory = Buffer.allocUnsafeSlow(BATCH_BYTES)

  constructor(
    private readonly file: LogFile,
    private readonly encoder: FileEncoder,
    private readonly counters: Counters
  ) {}

  begin(set: BufferSet): void {
    set.seal()
    this.#set = set
    this.#done = 0
    this.#batch = undefined
  }

  /**
   * Writes the next batch, with bounded retries. Throws the error of `node:fs`; what failed is gone
   * on with by the next call.
   */
  step(): Step {
    const set = this.#set!
    if (this.#done < set.runs.length) this.#writeBatch(set)
    return this.#done === set.runs.length ? 'done' : 'more'
  }

  /** A file is never 'stalled'. */
  waitBudget(): number {
    return 0
  }

  beginShutdown(): void {
    // Writing to a file ends by itself.
  }

  discard(): number {
    this.#divide('file')
    const runs = this.#set?.runs.slice(this.#done) ?? []
    this.#done += runs.length
    return entriesOf(runs)
  }

  #writeBatch(set: BufferSet): void {
    for (let failures = 0; ; ) {
      const change = this.file.check(this.#batch !== undefined && this.#batch.done > 0)
      const divided = change !== 'none' && this.#divide(change)
      if (change === 'file') this.#startFile()
      if (divided) continue
      if (this.#done === set.runs.length) return
      this.#batch ??= this.#fill(set)
      const { bytes, done } = this.#batch
      const { written, error } = this.file.append(bytes, done)
      this.#batch.done = written
      this.counters.add('bytesWritten', written - done)
      if (written === bytes.length) {
        this.#finish(this.#batch.runs)
        this.#batch = undefined
        return
      }
      if (error !== undefined && ++failures === ATTEMPTS) throw error
    }
  }

  /**
   * Ends a batch that is half in the file: what is whole of it counts as written, the rest will be
   * written anew. Whether there was one.
   */
  #divide(change: Change): boolean {
    const batch = this.#batch
    this.#batch = undefined
    if (batch === undefined || batch.done === 0) return false
    let out = batch.done
    let whole = 0
    while (whole < batch.runs.length && this.encoder.size(batch.runs[whole]!) <= out) {
      out -= this.encoder.size(batch.runs[whole]!)
      whole++
    }
    this.#finish(batch.runs.slice(0, whole))
    const run = batch.runs[whole]
    if (run === undefined || out === 0) return true
    const { file, encoder } = this
    const left = change === 'other' ? encoder.cutOff(run, file.path, file.end - out, out) : encoder.whole(run, out)
    this.#countRun(
      run,
      left.entries,
      left.bytes - left.entries * (this.encoder.alignment === 1 ? 0 : ENTRY_PREFIX_BYTES)
    )
    run.leave(left.bytes, left.entries)
    if (run.valid === 0) this.#done++
    return true
  }

  #startFile(): void {
    this.encoder.startFile()
    this.counters.add('reopens')
  }

  #fill(set: BufferSet): Batch {
    const runs: Run[] = []
    let size = 0
    for (let i = this.#done; i < set.runs.length; i++) {
      const more = this.encoder.size(set.runs[i]!)
      if (runs.length > 0 && size + more > BATCH_BYTES) break
      runs.push(set.runs[i]!)
      size += more
    }
    const bytes = size <= BATCH_BYTES ? this.#memory.subarray(0, size) : Buffer.allocUnsafeSlow(size)
    let at = 0
    for (const [i, run] of runs.entries()) at = this.encoder.put(run, set, bytes, at, i)
    return { runs, bytes, done: 0 }
  }

  #finish(runs: readonly Run[]): void {
    this.encoder.wrote(runs.length)
    this.#done += runs.length
    for (const run of runs) this.#countRun(run, run.entries, run.payload)
  }

  #countRun(run: Run, entries: number, payload: number): void {
    this.counters.add('writtenLogs', entries)
    this.counters.add('payloadBytes', payload)
    this.counters.countWritten(run.shard.id, entries)
  }
}

/** A log's file, locked against other processes. */
export class FileSink implements Sink {
  readonly writer: FileWriter
  readonly name: string
  readonly path: string
  readonly ioAlignment = 512
  readonly ioReason = 'the JavaScript engine writes through the page cache'
  readonly #lock: Lock
  readonly #file: LogFile

  /**
   * @param realPath the log's path without symbolic links, by which it is locked
   * @throws ShardlogError `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_IO`
   */
  constructor(config: ResolvedConfig, realPath: string, format: Format, geometry: Geometry, counters: Counters) {
    this.path = config.logFilePath
    this.name = this.path
    const encoder = format === 'ndjson' ? new LineEncoder() : new BlockEncoder(geometry.segmentsPerShard)
    this.#lock = new Lock(realPath)
    try {
      this.#lock.checkNative()
      this.#file = openLogFile(this.path, config.dsync, encoder, this.#lock.first)
      this.#lock.ready()
    } catch (error) {
      this.#lock.release()
      throw error
    }
    this.writer = new FileWriter(this.#file, encoder, counters)
  }

  unlock(): void {
    this.#lock.release()
  }

  close(): void {
    this.#file.close()
  }
}
