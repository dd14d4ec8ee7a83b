import { BufferSet, type Run } from './buffer-set'
import type { Geometry } from './geometry'

/** Share of a shard at which the set is handed to the flusher if the other one is free. */
const FILL_THRESHOLD = 0.9

/** The two buffer sets: generation g lives in set g & 1; one accepts entries, the other is free or being flushed. */
export class Buffers {
  readonly #sets: [BufferSet, BufferSet]
  /** The set being written, if any. */
  flushing: BufferSet | undefined
  active: BufferSet
  readonly #threshold: number

  constructor(geometry: Geometry, roundRobin: boolean) {
    this.#sets = [new BufferSet(geometry, roundRobin), new BufferSet(geometry, roundRobin)]
    this.active = this.#sets[0]
    this.#threshold = FILL_THRESHOLD * geometry.shardBytes
  }

  /**
   * A run for an entry that is larger than a shard; undefined if `most` bytes of such entries wait already, of which there may always be one.
   * Throws if there is no memory for it.
   */
  placeAside(payload: number, most: number): Run | undefined {
    const waiting = this.active.asideBytes + (this.flushing?.asideBytes ?? 0)
    return waiting > 0 && waiting + payload > most ? undefined : this.active.placeAside(payload)
  }

  /** Makes the other set active. Only while nothing is being flushed. */
  swap(): BufferSet {
    const full = this.active
    this.active = this.#sets[(full.generation + 1) & 1]!
    this.active.recycle(full.generation + 1)
    this.flushing = full
    return full
  }

  /** The set being flushed is free again. */
  recycle(): void {
    this.flushing?.recycle(this.flushing.generation)
    this.flushing = undefined
  }

  isNearlyFull(run: Run): boolean {
    return run.start + run.offset >= this.#threshold
  }
}
