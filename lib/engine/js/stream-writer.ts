import { fromSystemError } from '../../errors'
import { performance } from '../../timers'
import type { BufferSet, Run } from './buffer-set'
import type { Counters } from './counters'
import type { Descriptor } from './descriptor'
import { OutletGone, type Step, type Writer } from './outlet'
import { countLines } from './text-form'

const NEWLINE = 0x0a
/** Bytes of one step, and so the longest that the event loop is held up at a time; more only for one longer line. */
const STEP_BYTES = 256 * 1024
const LEAST_PATIENCE_MS = 1

/** End of the part of [from, to) that goes out by one call: whole lines that are taken together, or else one line. */
function nextPart(bytes: Buffer, from: number, to: number, atomicBytes: number): number {
  if (to - from <= atomicBytes) return to
  const last = bytes.subarray(from, from + atomicBytes).lastIndexOf(NEWLINE)
  if (last >= 0) return from + last + 1
  const first = bytes.subarray(from + atomicBytes, to).indexOf(NEWLINE)
  return first < 0 ? to : from + atomicBytes + first + 1
}

/** Writes sealed sets as lines to a descriptor. A reader that takes nothing stops it, and nobody else. */
export class StreamWriter implements Writer {
  #set: BufferSet | undefined
  /** Runs of the set that are out. */
  #done = 0
  /** Bytes of the next one that are. */
  #delivered = 0
  #gone = false
  /** When the reader was first seen to take nothing; undefined: it takes. */
  #stalledSince: number | undefined
  #hurriedAt = 0

  constructor(
    private readonly descriptor: Descriptor,
    private readonly name: string,
    private readonly blockTimeout: number,
    private readonly exitTimeout: number | undefined,
    private readonly counters: Counters
  ) {}

  begin(set: BufferSet): void {
    set.seal()
    this.#set = set
    this.#done = 0
    this.#delivered = 0
  }

  step(): Step {
    const { runs } = this.#set!
    if (this.#gone) this.counters.add('droppedLogs', this.abandon())
    for (let sent = 0; this.#done < runs.length && sent < STEP_BYTES; ) {
      const taken = this.#send(runs[this.#done]!)
      if (taken === 0) return 'stalled'
      sent += taken
    }
    return this.#done === runs.length ? 'done' : 'more'
  }

  /** Writes the next part of a run. The bytes taken. */
  #send(run: Run): number {
    const { bytes } = run
    const end = nextPart(bytes, this.#delivered, bytes.length, this.descriptor.atomicBytes)
    const taken = this.#write(bytes, this.#delivered, end)
    if (taken === 0) {
      this.#stalledSince ??= performance.now()
      return 0
    }
    this.#stalledSince = undefined
    this.#delivered += taken
    this.counters.add('bytesWritten', taken)
    this.counters.add('payloadBytes', taken)
    if (this.#delivered === bytes.length) this.#finish(run, run.entries)
    return taken
  }

  #write(bytes: Buffer, start: number, end: number): number {
    try {
      return this.descriptor.write(bytes, start, end)
    } catch (cause) {
      if (this.descriptor.mayPass(cause)) throw cause
      throw this.#lose(cause)
    }
  }

  #finish(run: Run, entries: number): void {
    this.counters.add('writtenLogs', entries)
    this.counters.countWritten(run.shard.id, entries)
    this.#done++
    this.#delivered = 0
  }

  #lose(cause: unknown): OutletGone {
    this.#gone = true
    const told = fromSystemError(
      'ERR_SHARDLOG_WRITE',
      `${this.name} takes no more: lines are dropped from now on`,
      cause
    )
    // That a reader ends before its writer is usual: `| head`.
    return new OutletGone(told, told.errno === 'EPIPE')
  }

  patience(): number {
    const now = performance.now()
    if (this.#hurriedAt > 0) return Math.max(0, this.#hurriedAt + (this.exitTimeout ?? Number.POSITIVE_INFINITY) - now)
    return Math.max(0, (this.#stalledSince ?? now) + Math.max(LEAST_PATIENCE_MS, this.blockTimeout) - now)
  }

  hurry(): void {
    if (this.#hurriedAt === 0) this.#hurriedAt = performance.now()
  }

  abandon(): number {
    const runs = this.#set?.runs ?? []
    let lost = runs.slice(this.#done).reduce((sum, run) => sum + run.entries, 0)
    const run = runs[this.#done]
    if (run !== undefined && this.#delivered > 0) {
      const out = Math.min(run.entries, countLines(run.bytes.subarray(0, this.#delivered)))
      this.#finish(run, out)
      lost -= out
    }
    this.#done = runs.length
    return lost
  }
}
