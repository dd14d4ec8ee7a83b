import { randomBytes } from 'node:crypto'
import { countEntries, finishBlock, finishedBytes, wholeEntriesPrefix } from '../../format/block'
import { BLOCK_HEADER_BYTES, FLAG_JS, SECTOR_BYTES } from '../../format/constants'
import { blankBlock, prepareAppend } from './append-point'
import type { BufferSet, Run } from './buffer-set'
import type { FileForm, Whole } from './file-form'

const newStream = (): bigint => randomBytes(8).readBigUInt64LE()

/** A shard file: each run is a block. */
export class BlockForm implements FileForm {
  readonly alignment = SECTOR_BYTES
  #stream = newStream()
  #sequence = 0n

  constructor(private readonly segmentsPerShard: number) {}

  isWhole(_path: string, size: number): boolean {
    return size % SECTOR_BYTES === 0
  }

  mend(path: string): number {
    return prepareAppend(path)
  }

  size(run: Run): number {
    return finishedBytes(run.valid)
  }

  put(run: Run, set: BufferSet, to: Buffer, at: number, index: number): number {
    run.copy(to, at + BLOCK_HEADER_BYTES)
    const size = finishBlock(to, at, run.capacity, run.valid, {
      flags: FLAG_JS,
      stream: this.#stream,
      sequence: this.#sequence + BigInt(index),
      firstTime: run.firstTime,
      lastTime: run.lastTime,
      entries: run.entries,
      generation: set.generation >>> 0,
      segment: run.shard.id * this.segmentsPerShard + run.segment,
      producer: 1
    })
    return at + size
  }

  whole(run: Run, out: number): Whole {
    const { bytes } = run
    const whole = wholeEntriesPrefix(bytes, 0, Math.min(bytes.length, Math.max(0, out - BLOCK_HEADER_BYTES)))
    return { bytes: whole, entries: countEntries(bytes, 0, whole) }
  }

  cutOff(_run: Run, path: string, offset: number, out: number): Whole {
    // What others have put where its padding or its trailer would be makes damage of all of it.
    blankBlock(path, offset, out)
    return { bytes: 0, entries: 0 }
  }

  wrote(runs: number): void {
    this.#sequence += BigInt(runs)
  }

  /** Blocks of another file are numbered from 0 under a stream of their own. */
  startFile(): void {
    this.#stream = newStream()
    this.#sequence = 0n
  }
}
