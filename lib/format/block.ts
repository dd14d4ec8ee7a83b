/** Blocks and their trailers: how they are written, and how trailers are read. */

import {
  alignUp,
  BLOCK_HEADER_BYTES,
  blockExtent,
  blockStride,
  ENTRY_PREFIX_BYTES,
  FLAG_CARRIED,
  SECTOR_BYTES,
  TRAILER_BYTES,
  TRAILER_CRC_OFFSET,
  TRAILER_MAGIC,
  TRAILER_VERSION,
  trailerFits
} from './constants'
import { crc32c } from './crc32c'

/** What a trailer says of its block (docs/reference/log-format.md, 1.2). */
export interface Trailer {
  /** FLAG_CARRIED, FLAG_RECOVERED, FLAG_JS. */
  flags: number
  /** Random, one per opening of the log. */
  stream: bigint
  /** Position of the block within the stream. */
  sequence: bigint
  /** Nanoseconds since the Unix epoch, before the first entry. */
  firstTime: bigint
  /** Nanoseconds since the Unix epoch, after the last entry. */
  lastTime: bigint
  entries: number
  generation: number
  segment: number
  producer: number
  /** Bytes from the start of the block to the end of this trailer. */
  length: number
}

/**
 * Writes the 64 bytes of a trailer at `offset` of `target`.
 * @param blockCrc CRC-32C of the block's first `8 + valid` bytes.
 */
export function encodeTrailer(target: Buffer, offset: number, trailer: Trailer, blockCrc: number): void {
  target.writeUInt32LE(TRAILER_MAGIC, offset)
  target.writeUInt16LE(TRAILER_VERSION, offset + 4)
  target.writeUInt16LE(trailer.flags, offset + 6)
  target.writeBigUInt64LE(trailer.stream, offset + 8)
  target.writeBigUInt64LE(trailer.sequence, offset + 16)
  target.writeBigUInt64LE(trailer.firstTime, offset + 24)
  target.writeBigUInt64LE(trailer.lastTime, offset + 32)
  target.writeUInt32LE(trailer.entries, offset + 40)
  target.writeUInt32LE(trailer.generation, offset + 44)
  target.writeUInt32LE(trailer.segment, offset + 48)
  target.writeUInt32LE(trailer.producer, offset + 52)
  target.writeUInt32LE(trailer.length, offset + 56)
  target.writeUInt32LE(crc32c(target, blockCrc, offset, offset + TRAILER_CRC_OFFSET), offset + TRAILER_CRC_OFFSET)
}

/** Reads the 64 bytes at `offset`; null if magic or version are not those of a trailer. The CRC is not checked here. */
export function decodeTrailer(source: Buffer, offset: number): Trailer | null {
  if (source.readUInt32LE(offset) !== TRAILER_MAGIC) return null
  if (source.readUInt16LE(offset + 4) !== TRAILER_VERSION) return null
  return {
    flags: source.readUInt16LE(offset + 6),
    stream: source.readBigUInt64LE(offset + 8),
    sequence: source.readBigUInt64LE(offset + 16),
    firstTime: source.readBigUInt64LE(offset + 24),
    lastTime: source.readBigUInt64LE(offset + 32),
    entries: source.readUInt32LE(offset + 40),
    generation: source.readUInt32LE(offset + 44),
    segment: source.readUInt32LE(offset + 48),
    producer: source.readUInt32LE(offset + 52),
    length: source.readUInt32LE(offset + 56)
  }
}

/** Whether the trailer at `offset` vouches for a block whose first `8 + valid` bytes have the CRC-32C `blockCrc`. */
export function trailerMatches(source: Buffer, offset: number, blockCrc: number): boolean {
  const crc = crc32c(source, blockCrc, offset, offset + TRAILER_CRC_OFFSET)
  return crc === source.readUInt32LE(offset + TRAILER_CRC_OFFSET)
}

/** What the caller of `finishBlock` knows; the rest follows from the block. */
export type TrailerFields = Omit<Trailer, 'length'>

/**
 * Turns `valid` bytes of entries that lie at `start + 8` of `target` into a whole block: header, zeroed padding, trailer, a
 * carrier behind it where the padding is too short, and fill up to `alignment`.
 * @param capacity bytes of memory the block was allocated, header included; at least `8 + valid`.
 * @param alignment what the next block must be aligned to, relative to `start`: a multiple of 512, default 512.
 * @returns bytes from `start` to the end of the fill. `target` must have room for them: `finishedBytes(valid, alignment)`.
 */
export function finishBlock(
  target: Buffer,
  start: number,
  capacity: number,
  valid: number,
  trailer: TrailerFields,
  alignment = SECTOR_BYTES
): number {
  target.writeUInt32LE(capacity, start)
  target.writeUInt32LE(valid, start + 4)
  const dataEnd = start + BLOCK_HEADER_BYTES + valid
  const end = start + finishedBytes(valid, alignment)
  target.fill(0, dataEnd, end)
  const length = blockExtent(valid)
  let flags = trailer.flags & ~FLAG_CARRIED
  if (!trailerFits(valid)) {
    flags |= FLAG_CARRIED
    target.writeUInt32LE(SECTOR_BYTES, start + blockStride(valid))
  }
  const blockCrc = crc32c(target, 0, start, dataEnd)
  encodeTrailer(target, start + length - TRAILER_BYTES, { ...trailer, flags, length }, blockCrc)
  return end - start
}

/** Bytes that `finishBlock` makes of `valid` bytes of entries. */
export function finishedBytes(valid: number, alignment = SECTOR_BYTES): number {
  return alignUp(blockExtent(valid), alignment)
}

/** Number of entries in `source[start, start + valid)`, or -1 if they break R2. */
export function countEntries(source: Buffer, start: number, valid: number): number {
  const end = start + valid
  let count = 0
  let at = start
  while (at < end) {
    if (end - at <= ENTRY_PREFIX_BYTES) return -1
    const length = source.readUInt32LE(at)
    at += ENTRY_PREFIX_BYTES
    if (length === 0 || length > end - at) return -1
    at += length
    count++
  }
  return count
}

/** Length of the longest prefix of `source[start, start + available)` that is whole entries. */
export function wholeEntriesPrefix(source: Buffer, start: number, available: number): number {
  const end = start + available
  let at = start
  while (end - at > ENTRY_PREFIX_BYTES) {
    const length = source.readUInt32LE(at)
    if (length === 0 || length > end - at - ENTRY_PREFIX_BYTES) break
    at += ENTRY_PREFIX_BYTES + length
  }
  return at - start
}
