/** Blocks, their trailers and their checksum: how they are written, and how trailers are read. */

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

// CRC-32C (Castagnoli), reflected, initial and final XOR 0xFFFFFFFF, sixteen bytes a step
// ("slicing"): table k holds the effect of a byte followed by k zero bytes.

const POLYNOMIAL = 0x82f63b78
const SLICES = 16
const littleEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

function buildTables(): Int32Array {
  const tables = new Int32Array(SLICES * 256)
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0)
    tables[byte] = crc
  }
  for (let at = 256; at < tables.length; at++) {
    const shorter = tables[at - 256]!
    tables[at] = (shorter >>> 8) ^ tables[shorter & 0xff]!
  }
  return tables
}

const T = buildTables()

function bytewise(bytes: Uint8Array, start: number, end: number, crc: number): number {
  for (let at = start; at < end; at++) crc = (crc >>> 8) ^ T[(crc ^ bytes[at]!) & 0xff]!
  return crc
}

/** `words` is 4 int32 a step, taken from `start` to `end` (multiples of 4 words apart). */
function wordwise(words: Int32Array, start: number, end: number, state: number): number {
  let crc = state
  for (let at = start; at < end; at += 4) {
    const a = crc ^ words[at]!
    const b = words[at + 1]!
    const c = words[at + 2]!
    const d = words[at + 3]!
    crc =
      T[0xf00 | (a & 0xff)]! ^
      T[0xe00 | ((a >>> 8) & 0xff)]! ^
      T[0xd00 | ((a >>> 16) & 0xff)]! ^
      T[0xc00 | (a >>> 24)]! ^
      T[0xb00 | (b & 0xff)]! ^
      T[0xa00 | ((b >>> 8) & 0xff)]! ^
      T[0x900 | ((b >>> 16) & 0xff)]! ^
      T[0x800 | (b >>> 24)]! ^
      T[0x700 | (c & 0xff)]! ^
      T[0x600 | ((c >>> 8) & 0xff)]! ^
      T[0x500 | ((c >>> 16) & 0xff)]! ^
      T[0x400 | (c >>> 24)]! ^
      T[0x300 | (d & 0xff)]! ^
      T[0x200 | ((d >>> 8) & 0xff)]! ^
      T[0x100 | ((d >>> 16) & 0xff)]! ^
      T[d >>> 24]!
  }
  return crc
}

/**
 * CRC-32C of `bytes[start, end)`.
 * @param seed CRC of what came before, so that `crc32c(b, crc32c(a))` is the CRC of a followed by
 *   b. Default 0.
 * @returns an unsigned 32-bit number.
 */
export function crc32c(bytes: Uint8Array, seed = 0, start = 0, end = bytes.length): number {
  let crc = ~seed
  let at = start
  if (littleEndian && end - start >= 64) {
    const aligned = start + ((4 - ((bytes.byteOffset + start) & 3)) & 3)
    crc = bytewise(bytes, start, aligned, crc)
    const count = ((end - aligned) >>> 4) << 2
    crc = wordwise(new Int32Array(bytes.buffer, bytes.byteOffset + aligned, count), 0, count, crc)
    at = aligned + count * 4
  }
  return ~bytewise(bytes, at, end, crc) >>> 0
}

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

/**
 * Reads the 64 bytes at `offset`; null if magic or version are not those of a trailer. The CRC is
 * not checked here.
 */
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

/**
 * Whether the trailer at `offset` vouches for a block whose first `8 + valid` bytes have the
 * CRC-32C `blockCrc`.
 */
export function trailerMatches(source: Buffer, offset: number, blockCrc: number): boolean {
  const crc = crc32c(source, blockCrc, offset, offset + TRAILER_CRC_OFFSET)
  return crc === source.readUInt32LE(offset + TRAILER_CRC_OFFSET)
}

/** What the caller of `finishBlock` knows; the rest follows from the block. */
export type TrailerFields = Omit<Trailer, 'length'>

/** How large a block is, in bytes. */
export interface BlockSizes {
  /** Of memory that it was allocated, header included; at least `8 + valid`. */
  capacity: number
  /** Of its entries, length prefixes included. */
  valid: number
}

/**
 * Turns `valid` bytes of entries that lie at `start + 8` of `target` into a whole block: header,
 * zeroed padding, trailer, a carrier behind it where the padding is too short, and fill up to
 * `alignment`.
 * @param alignment what the next block must be aligned to, relative to `start`: a multiple of 512,
 *   default 512.
 * @returns bytes from `start` to the end of the fill. `target` must have room for them:
 *   `finishedBytes(valid, alignment)`.
 */
export function finishBlock(
  target: Buffer,
  start: number,
  { capacity, valid }: BlockSizes,
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
