import {
  alignUp,
  BLOCK_HEADER_BYTES,
  blockExtent,
  blockStride,
  ENTRY_PREFIX_BYTES,
  FLAG_CARRIED,
  SECTOR_BYTES,
  TRAILER_BYTES,
  trailerFits
} from './constants'
import { crc32c } from './crc32c'
import { encodeTrailer, type Trailer } from './trailer'

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
