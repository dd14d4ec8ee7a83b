/**
 * The ring where there is no native engine: the same layout in memory of one thread, written by the
 * same encoder.
 */

import { LEASE, LEASE_WORDS, RENEWAL } from '../engine/direct-route'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import type { RecordTarget } from '../record/record-encoder'
import {
  type DrainedRun,
  drainedOf,
  drainedWord,
  FIRST_OFFSET,
  HEADER,
  layoutFor,
  MAGIC,
  MOST_RUN,
  SEGMENT_BYTES,
  SLOT,
  SLOT_BYTES,
  VERSION
} from './arena'

const SEQUENCE_SHIFT = 21n
const CLOSED = 1n << 20n
const LESSEE = 1n
const EVENT_BITS = 24n
const EVENT_MASK = (1n << EVENT_BITS) - 1n
const SEALED = 0x80000000
const { WORD, START, LIMIT, SERIAL, END, TIME } = LEASE

/** Nanoseconds of `performance`, which tells microseconds. */
const now = (): bigint => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e3)) * 1000n

/** Ring of one thread; pages of it are touched as they are used. */
export class JsRing {
  readonly target: RecordTarget
  readonly #segments: number
  readonly #slotsAt: number
  readonly #dataAt: number
  readonly #bytes: Buffer
  readonly #words: Int32Array
  readonly #lease = new Int32Array(LEASE_WORDS)
  readonly #thread: number
  #segment = -1
  #span = 0
  #head = 0

  constructor(segments: number, about: Buffer, thread: number) {
    const { slotsAt, dataAt, fileBytes } = layoutFor(segments)
    const memory = new ArrayBuffer(fileBytes)
    this.#segments = segments
    this.#slotsAt = slotsAt
    this.#dataAt = dataAt
    this.#bytes = Buffer.from(memory)
    this.#words = new Int32Array(memory, 0, dataAt / Int32Array.BYTES_PER_ELEMENT)
    this.#thread = thread
    this.#writeHeader(about, fileBytes)
    for (let i = 0; i < segments; i++) {
      this.#bytes.writeBigUInt64LE(CLOSED, this.#slot(i) + SLOT.OWNER)
    }
    this.#lease[WORD] = HEADER.NOWHERE / Int32Array.BYTES_PER_ELEMENT
    this.target = {
      direct: { lease: this.#lease, words: this.#words, buffer: () => memory },
      logBytes: (bytes, start, end) => this.#append(bytes, start, end),
      publish: () => this.#publish(),
      renew: size => this.#renew(size)
    }
  }

  /** A copy of the bytes that the file would have. */
  image(): Buffer {
    return Buffer.from(this.#bytes)
  }

  countTruncated(): void {
    this.#addTo(HEADER.TRUNCATED)
  }

  /** Takes out what has been read of these runs, but for what has been overwritten meanwhile. */
  drain(runs: readonly DrainedRun[]): void {
    const bytes = this.#bytes
    for (const { sequence, end, events } of runs) {
      const at = this.#slot((sequence - 1) % this.#segments)
      const own = BigInt(sequence)
      if (bytes.readBigUInt64LE(at + SLOT.OWNER) >> SEQUENCE_SHIFT !== own) continue
      const before = drainedOf(bytes.readBigUInt64LE(at + SLOT.DRAINED_EVENTS), own)
      if (events <= before) continue
      bytes.writeBigUInt64LE(drainedWord(sequence, events), at + SLOT.DRAINED_EVENTS)
      bytes.writeBigUInt64LE(drainedWord(sequence, end), at + SLOT.DRAINED)
      const drained = bytes.readBigUInt64LE(HEADER.DRAINED) + BigInt(events - before)
      bytes.writeBigUInt64LE(drained, HEADER.DRAINED)
    }
  }

  #writeHeader(about: Buffer, fileBytes: number): void {
    const bytes = this.#bytes
    MAGIC.copy(bytes)
    bytes.writeUInt32LE(VERSION, HEADER.VERSION)
    bytes.writeUInt32LE(this.#segments, HEADER.SEGMENTS)
    bytes.writeBigUInt64LE(BigInt(fileBytes), HEADER.FILE_BYTES)
    bytes.writeBigUInt64LE(BigInt(this.#slotsAt), HEADER.SLOTS_AT)
    bytes.writeBigUInt64LE(BigInt(this.#dataAt), HEADER.DATA_AT)
    bytes.writeUInt32LE(SEGMENT_BYTES, HEADER.SEGMENT_BYTES)
    bytes.writeUInt32LE(process.pid, HEADER.PID)
    bytes.writeBigUInt64LE(now(), HEADER.CREATED)
    bytes.writeUInt32LE(SEALED, HEADER.NOWHERE)
    bytes.writeUInt32LE(about.length, HEADER.ABOUT_BYTES)
    about.copy(bytes, HEADER.ABOUT)
  }

  #slot(index: number): number {
    return this.#slotsAt + index * SLOT_BYTES
  }

  #addTo(place: number): void {
    this.#bytes.writeBigUInt64LE(this.#bytes.readBigUInt64LE(place) + 1n, place)
  }

  /** Takes the oldest segments, `least` of them at the least; the lease before them is over. */
  #claim(least: number): boolean {
    const segments = this.#segments
    const longest = Math.max(1, Math.min(MOST_RUN, segments >> 3))
    if (least > longest) return false
    this.#giveUp()
    // What is left before the end is passed by.
    if (segments - (this.#head % segments) < least) this.#head += segments - (this.#head % segments)
    const first = this.#head % segments
    const count = Math.min(longest, segments - first)
    for (let i = 0; i < count; i++) this.#take(first + i, this.#head + i + 1)
    this.#open(first, count)
    return true
  }

  #giveUp(): void {
    if (this.#segment < 0) return
    const owner = this.#slot(this.#segment) + SLOT.OWNER
    this.#bytes.writeBigUInt64LE(this.#bytes.readBigUInt64LE(owner) & ~LESSEE, owner)
  }

  /** What began in the segment is over. */
  #take(segment: number, sequence: number): void {
    const at = this.#slot(segment)
    const counts = this.#bytes.readBigUInt64LE(at + SLOT.COUNTS)
    const retired = ((counts >> EVENT_BITS) + (counts & EVENT_MASK)) << EVENT_BITS
    this.#bytes.writeBigUInt64LE(retired, at + SLOT.COUNTS)
    this.#bytes.writeBigUInt64LE((BigInt(sequence) << SEQUENCE_SHIFT) | CLOSED, at + SLOT.OWNER)
  }

  #open(first: number, count: number): void {
    const bytes = this.#bytes
    const lease = this.#lease
    const at = this.#slot(first)
    bytes.writeUInt32LE(FIRST_OFFSET, at + SLOT.OFFSET)
    bytes.writeUInt32LE(count, at + SLOT.SPAN)
    bytes.writeUInt32LE(1, at + SLOT.PRODUCER)
    bytes.writeUInt32LE(this.#thread, at + SLOT.THREAD)
    bytes.writeBigUInt64LE((BigInt(this.#head + 1) << SEQUENCE_SHIFT) | LESSEE, at + SLOT.OWNER)
    this.#segment = first
    this.#span = count
    this.#head += count
    bytes.writeBigUInt64LE(BigInt(this.#head), HEADER.HEAD)
    lease[WORD] = at / Int32Array.BYTES_PER_ELEMENT
    // The buffer that the encoder is given begins with the header.
    lease[START] = this.#dataAt + first * SEGMENT_BYTES
    lease[LIMIT] = this.#span * SEGMENT_BYTES
    lease[SERIAL] = lease[SERIAL]! + 1
  }

  #offset(): number {
    return this.#words[this.#lease[WORD]!]!
  }

  /** Accepts an entry that has been written behind the last one, up to `end`. */
  #accept(end: number): void {
    const at = this.#offset()
    this.#bytes.writeUInt32LE(end - at - ENTRY_PREFIX_BYTES, this.#lease[START]! + at)
    this.#words[this.#lease[WORD]!] = end
    this.#addTo(this.#slot(this.#segment) + SLOT.COUNTS)
  }

  #publish(): void {
    const lease = this.#lease
    const time = lease[TIME]!
    if (time !== 0) this.#bytes.writeBigUInt64LE(now(), lease[START]! + time)
    this.#accept(lease[END]!)
    lease[END] = 0
  }

  #renew(size: number): number {
    const bytes = FIRST_OFFSET + ENTRY_PREFIX_BYTES + size
    if (this.#claim(Math.ceil(bytes / SEGMENT_BYTES))) return RENEWAL.RENEWED
    this.#addTo(HEADER.DROPPED)
    return RENEWAL.DROPPED
  }

  #append(entry: Uint8Array, start = 0, end = entry.length): boolean {
    const size = end - start
    const offset = this.#offset()
    const fits = offset >= FIRST_OFFSET && offset + ENTRY_PREFIX_BYTES + size <= this.#lease[LIMIT]!
    if (!fits && this.#renew(size) === RENEWAL.DROPPED) return false
    const at = this.#offset() + ENTRY_PREFIX_BYTES
    this.#bytes.set(entry.subarray(start, end), this.#lease[START]! + at)
    this.#accept(at + size)
    return true
  }
}
