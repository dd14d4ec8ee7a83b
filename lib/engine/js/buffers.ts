/**
 * The buffers of the JavaScript engine: how they are cut, the runs that become blocks, and the two
 * sets.
 */

import { alignUp, BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES, SECTOR_BYTES } from '../../format/constants'
import type { ResolvedConfig } from '../../types'

/**
 * What the file is made of: blocks of entries, or nothing but the entries, which are lines then.
 */
export type Format = 'shard' | 'ndjson'

const MIN_SEGMENT_BYTES = 4096
const MAX_SEGMENT_BYTES = 1 << 20
const SEGMENTS_AIMED_AT = 32

/**
 * How the buffer is cut: two sets of shards, shards of segments. The same arithmetic as
 * `native/engine/geometry.cc`.
 */
export interface Geometry {
  numShards: number
  segmentsPerShard: number
  /** A power of two. */
  segmentBytes: number
  shardBytes: number
  /** Bytes in front of each entry, for its length; none in a text. */
  prefixBytes: number
  /** Longest payload: what a shard holds without the block's header and the entry's length. */
  maxEntryBytes: number
}

export function geometryFor({ bufferSize, numShards }: ResolvedConfig, format: Format): Geometry {
  const bytes = Math.floor(bufferSize / 2 / numShards)
  const wanted = 2 ** Math.floor(Math.log2(bytes / SEGMENTS_AIMED_AT))
  const segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, wanted))
  const segmentsPerShard = Math.floor(bytes / segmentBytes)
  const shardBytes = segmentsPerShard * segmentBytes
  const prefixBytes = format === 'ndjson' ? 0 : ENTRY_PREFIX_BYTES
  return { numShards, segmentsPerShard, segmentBytes, shardBytes, prefixBytes, maxEntryBytes: shardBytes - 12 }
}

/**
 * A run of segments, which becomes one block: entries lie at [8, offset) as they will in the file.
 */
export class Run {
  readonly #prefixBytes: number
  entries = 0
  payload = 0
  firstTime = wallClock()
  lastTime = this.firstTime
  /** End of the last entry, from the start of the run. */
  offset = BLOCK_HEADER_BYTES
  /** Where the first one begins that is still to be written. */
  #from = BLOCK_HEADER_BYTES

  constructor(
    readonly shard: Shard,
    /** Index of its first segment in the shard. */
    readonly segment: number,
    readonly start: number,
    readonly capacity: number,
    /** Where it lies: the shard's, but for an entry that no shard has room for. */
    readonly memory: Buffer = shard.memory
  ) {
    this.#prefixBytes = shard.geometry.prefixBytes
  }

  get valid(): number {
    return this.offset - this.#from
  }

  /** So many entries of so many bytes, from the first on, are in the file. */
  leave(bytes: number, entries: number): void {
    this.#from += bytes
    this.entries -= entries
    this.payload -= bytes - entries * this.#prefixBytes
  }

  hasRoom(payload: number): boolean {
    return this.offset + this.#prefixBytes + payload <= this.capacity
  }

  /** Accepts the entry whose payload was written behind the length's place. */
  accept(payload: number): void {
    if (this.#prefixBytes > 0) this.memory.writeUInt32LE(payload, this.start + this.offset)
    this.offset += this.#prefixBytes + payload
    this.entries++
    this.payload += payload
  }

  /** The entries as they lie in memory. */
  get bytes(): Buffer {
    return this.memory.subarray(this.start + this.#from, this.start + this.offset)
  }

  /** Copies the entries. The number of their bytes. */
  copy(to: Buffer, at: number): number {
    return this.memory.copy(to, at, this.start + this.#from, this.start + this.offset)
  }

  /** Where in `memory` the next payload goes. */
  get payloadAt(): number {
    return this.start + this.offset + this.#prefixBytes
  }

  /** Ends the run's time. A clock that was set back does not turn its span around. */
  seal(): void {
    const now = wallClock()
    if (now > this.lastTime) this.lastTime = now
  }
}

function wallClock(): bigint {
  return BigInt(Date.now()) * 1_000_000n
}

/** One shard of a set. Its memory is allocated at the first entry and kept. */
export class Shard {
  #memory: Buffer | undefined
  claimed = 0
  current: Run | undefined

  constructor(
    readonly id: number,
    readonly geometry: Geometry
  ) {}

  get memory(): Buffer {
    this.#memory ??= Buffer.allocUnsafeSlow(this.geometry.shardBytes)
    return this.#memory
  }

  /**
   * A run with room for `payload` bytes, or undefined if the shard has none. A new one is also
   * added to `runs`.
   */
  place(payload: number, runs: Run[]): Run | undefined {
    if (this.current?.hasRoom(payload)) return this.current
    const { segmentBytes, segmentsPerShard, prefixBytes } = this.geometry
    const span = Math.ceil((BLOCK_HEADER_BYTES + prefixBytes + payload) / segmentBytes)
    if (this.claimed + span > segmentsPerShard) return undefined
    this.current?.seal()
    this.current = new Run(this, this.claimed, this.claimed * segmentBytes, span * segmentBytes)
    this.claimed += span
    runs.push(this.current)
    return this.current
  }

  /**
   * A run beside the shard for one entry of `payload` bytes; what is placed later stands behind it.
   * Throws if there is no memory for it.
   */
  aside(payload: number): Run {
    const { prefixBytes } = this.geometry
    const capacity = alignUp(BLOCK_HEADER_BYTES + prefixBytes + payload, SECTOR_BYTES)
    return new Run(this, this.claimed, 0, capacity, Buffer.allocUnsafeSlow(capacity))
  }

  /** The next entry begins a run. */
  endRun(): void {
    this.current?.seal()
    this.current = undefined
  }

  /**
   * Bytes of the shard that are taken: whole segments behind it, the filled part of the present
   * one.
   */
  get usedBytes(): number {
    if (this.current === undefined) return this.claimed * this.geometry.segmentBytes
    return this.current.start + this.current.valid
  }

  clear(): void {
    this.claimed = 0
    this.current = undefined
  }
}

/**
 * One of the two buffer sets. `runs` is in the order in which they were claimed, which is the order
 * in the file.
 */
export class BufferSet {
  readonly shards: Shard[]
  runs: Run[] = []
  generation = 0
  /** Bytes of entries that no shard has room for. */
  asideBytes = 0
  #next = 0

  constructor(
    geometry: Geometry,
    private readonly roundRobin: boolean
  ) {
    this.shards = Array.from({ length: geometry.numShards }, (_, id) => new Shard(id, geometry))
  }

  get isEmpty(): boolean {
    return this.runs.length === 0
  }

  /** The run that affinity writes to now, if it has room for `payload` bytes. */
  present(payload: number): Run | undefined {
    if (this.roundRobin) return undefined
    const run = this.shards[this.#next]!.current
    return run?.hasRoom(payload) ? run : undefined
  }

  /**
   * A run with room for `payload` bytes, or undefined if no shard has any. Affinity stays with a
   * shard until it is full; round-robin takes the next shard for each entry and tries the others
   * once.
   */
  place(payload: number): Run | undefined {
    const { shards } = this
    if (this.roundRobin) {
      const first = this.#next
      this.#next = (first + 1) % shards.length
      for (let i = 0; i < shards.length; i++) {
        const run = shards[(first + i) % shards.length]!.place(payload, this.runs)
        if (run !== undefined) return run
      }
      return undefined
    }
    for (; this.#next < shards.length; this.#next++) {
      const run = shards[this.#next]!.place(payload, this.runs)
      if (run !== undefined) return run
    }
    this.#next = shards.length - 1
    return undefined
  }

  /**
   * A run for one entry that is larger than a shard, behind what was placed before. Throws if there
   * is no memory for it.
   */
  placeAside(payload: number): Run {
    const run = this.shards[this.#next]!.aside(payload)
    for (const shard of this.shards) shard.endRun()
    this.runs.push(run)
    this.asideBytes += payload
    return run
  }

  seal(): void {
    for (const shard of this.shards) shard.current?.seal()
  }

  /** Forgets the entries and becomes the set of a later generation. */
  recycle(generation: number): void {
    for (const shard of this.shards) shard.clear()
    this.runs = []
    this.asideBytes = 0
    this.#next = 0
    this.generation = generation
  }
}

/** Share of a shard at which the set is handed to the flusher if the other one is free. */
const FILL_THRESHOLD = 0.9

/**
 * The two buffer sets: generation g lives in set g & 1; one accepts entries, the other is free or
 * being flushed.
 */
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
   * A run for an entry that is larger than a shard; undefined if `most` bytes of such entries wait
   * already, of which there may always be one. Throws if there is no memory for it.
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
