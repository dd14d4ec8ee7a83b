import { expect } from 'vitest'
import { type DirectRoute, LEASE, LEASE_WORDS, RENEWAL } from '../../lib/engine/direct-route'
import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../../lib/format/constants'
import type { RecordTarget } from '../../lib/record/record-encoder'
import { renderSegment } from '../../lib/record/render'

/** Place of the leased segment's word; the one at 0 refuses. */
const WORD = 1
const SEALED = -1

/**
 * What a handle of the addon looks like to an encoder, in a few lines: one lease of a segment at a
 * time, and a call route that leases the next one. `segments` are the entries of those that were
 * sealed.
 */
export class FakeLog implements RecordTarget {
  readonly segments: Buffer[] = []
  readonly direct: DirectRoute
  /** Calls of the call route. */
  calls = 0
  /** Texts that were given with a record. */
  textsTaken = 0
  /** Whether there is room in the buffers. */
  accepts = true
  readonly #memory: ArrayBuffer
  readonly #size: number
  readonly #words = new Int32Array(2).fill(SEALED)
  readonly #lease = new Int32Array(LEASE_WORDS)
  #accepted = 0

  constructor(segmentBytes: number) {
    this.#size = segmentBytes
    this.#memory = new ArrayBuffer(segmentBytes)
    this.direct = { lease: this.#lease, words: this.#words, buffer: () => this.#memory }
  }

  get accepted(): number {
    return this.#accepted
  }

  readonly logBytes = (bytes: Uint8Array, start = 0, end = bytes.length): boolean => {
    this.calls++
    const size = ENTRY_PREFIX_BYTES + end - start
    if (!this.accepts || BLOCK_HEADER_BYTES + size > this.#size) return false
    const offset = this.#words[WORD]!
    if (offset < BLOCK_HEADER_BYTES || offset + size > this.#size) this.#claim()
    const at = this.#words[WORD]!
    const memory = Buffer.from(this.#memory)
    memory.writeUInt32LE(end - start, at)
    memory.set(bytes.subarray(start, end), at + ENTRY_PREFIX_BYTES)
    this.#words[WORD] = at + size
    return true
  }

  readonly putText = (text: string): void => {
    this.#lease[LEASE.END] = Buffer.from(this.#memory).write(text, this.#lease[LEASE.END]!)
  }

  /** As JsControl::PutText: each text lies where it was left room, and is ASCII. */
  writes(texts: readonly string[]): boolean {
    const memory = Buffer.from(this.#memory)
    return texts.every((text, i) => {
      const at = this.#lease[LEASE.TEXTS + i]!
      const isThere = at > this.#words[WORD]! && at + text.length <= this.#size && memory[at - 1] === text.length
      memory.write(text, at, 'latin1')
      return isThere && Buffer.byteLength(text) === text.length
    })
  }

  readonly putTexts = (...texts: string[]): void => {
    this.#lease[LEASE.END] = this.writes(texts) ? 1 : 0
  }

  readonly publishTexts = (...texts: string[]): void => {
    this.textsTaken += texts.length
    if (this.writes(texts)) this.publish()
  }

  readonly publish = (): void => {
    const offset = this.#words[WORD]!
    if (offset < BLOCK_HEADER_BYTES) return
    const [end, time] = [this.#lease[LEASE.END]!, this.#lease[LEASE.TIME]!]
    const memory = Buffer.from(this.#memory)
    if (time !== 0) memory.writeDoubleLE(Date.now(), time)
    memory.writeUInt32LE(end - offset - ENTRY_PREFIX_BYTES, offset)
    this.#words[WORD] = end
    this.#lease[LEASE.END] = 0
    this.#accepted++
  }

  readonly renew = (): number => {
    if (!this.accepts) return RENEWAL.DROPPED
    this.#claim()
    return RENEWAL.RENEWED
  }

  #claim(): void {
    this.seal()
    this.#words[WORD] = BLOCK_HEADER_BYTES
    this.#lease[LEASE.WORD] = WORD
    this.#lease[LEASE.LIMIT] = this.#size
    this.#lease[LEASE.SERIAL]!++
  }

  /** The flusher takes the segment, as it may at any moment. */
  seal(): void {
    const end = this.#words[WORD]!
    if (end > BLOCK_HEADER_BYTES) this.segments.push(Buffer.from(this.#memory.slice(BLOCK_HEADER_BYTES, end)))
    this.#words[WORD] = SEALED
  }
}

/** The lines of a log's records, all of them sound. */
export function linesOf(log: FakeLog): string[] {
  log.seal()
  return log.segments.flatMap(segment => {
    const { lines, damaged } = renderSegment(segment)
    expect(damaged).toBe(0)
    return lines.map(line => line.bytes.toString())
  })
}
