import type { BufferSet, Run } from './buffer-set'
import type { Counters } from './counters'
import type { FileForm } from './file-form'
import type { LogFile } from './log-file'

/** Bytes of one write, and so the longest the event loop is held up at a time; larger only for one larger run. */
const BATCH_BYTES = 1 << 20
const ATTEMPTS = 3

/** Writes a sealed set run by run. Remembers how far it came, so that a failed write is taken up where it ended. */
export class SetWriter {
  #set: BufferSet | undefined
  #done = 0
  readonly #batch = Buffer.allocUnsafeSlow(BATCH_BYTES)

  constructor(
    private readonly file: LogFile,
    private readonly form: FileForm,
    private readonly counters: Counters
  ) {}

  begin(set: BufferSet): void {
    set.seal()
    this.#set = set
    this.#done = 0
  }

  /** Entries of the present set that are not in the file. */
  get entriesLeft(): number {
    return this.#set?.runs.slice(this.#done).reduce((sum, run) => sum + run.entries, 0) ?? 0
  }

  /**
   * Writes the next batch, with bounded retries. True when the set is complete.
   *
   * @throws the error of `node:fs`; the runs that failed are written by the next call.
   */
  step(): boolean {
    const set = this.#set
    if (set === undefined) return true
    if (this.#done < set.runs.length) this.#writeBatch(set)
    return this.#done === set.runs.length
  }

  #writeBatch(set: BufferSet): void {
    if (this.file.check()) this.#startFile()
    const { runs, bytes } = this.#fill(set)
    let result = this.file.append(bytes)
    for (let i = 1; i < ATTEMPTS && result.error !== undefined; i++) result = this.file.append(bytes)
    if (result.error !== undefined) throw result.error
    this.form.wrote(runs.length)
    this.#done += runs.length
    this.#count(runs, result.written)
  }

  #startFile(): void {
    this.form.startFile()
    this.counters.reopens++
  }

  #fill(set: BufferSet): { runs: Run[]; bytes: Buffer } {
    const runs: Run[] = []
    let size = 0
    for (let i = this.#done; i < set.runs.length; i++) {
      const more = this.form.size(set.runs[i]!)
      if (runs.length > 0 && size + more > BATCH_BYTES) break
      runs.push(set.runs[i]!)
      size += more
    }
    const bytes = size <= BATCH_BYTES ? this.#batch.subarray(0, size) : Buffer.allocUnsafeSlow(size)
    let at = 0
    for (const [i, run] of runs.entries()) at = this.form.put(run, set, bytes, at, i)
    return { runs, bytes }
  }

  #count(runs: Run[], bytes: number): void {
    this.counters.bytesWritten += bytes
    for (const run of runs) {
      this.counters.writtenLogs += run.entries
      this.counters.payloadBytes += run.payload
      this.counters.writesOfShard[run.shard.id]! += run.entries
    }
  }
}
