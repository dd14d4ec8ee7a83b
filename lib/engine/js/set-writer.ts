import type { BufferSet, Run } from './buffer-set'
import type { Counters } from './counters'
import type { FileForm } from './file-form'
import type { LogFile } from './log-file'
import type { Step, Writer } from './outlet'

/** Bytes of one write, and so the longest the event loop is held up at a time; larger only for one larger run. */
const BATCH_BYTES = 1 << 20
const ATTEMPTS = 3

/** Writes a sealed set run by run. Remembers how far it came, so that a failed write is taken up where it ended. */
export class SetWriter implements Writer {
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

  /** Writes the next batch, with bounded retries. Throws the error of `node:fs`; the runs that failed are written by the next call. */
  step(): Step {
    const { runs } = this.#set!
    if (this.#done < runs.length) this.#writeBatch(this.#set!)
    return this.#done === runs.length ? 'done' : 'more'
  }

  /** A file is never 'stalled'. */
  patience(): number {
    return 0
  }

  hurry(): void {
    // Writing to a file ends by itself.
  }

  abandon(): number {
    const runs = this.#set?.runs.slice(this.#done) ?? []
    this.#done += runs.length
    return runs.reduce((sum, run) => sum + run.entries, 0)
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
