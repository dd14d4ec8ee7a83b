/**
 * Constants of the log format; the text behind them is docs/reference/log-format.md, section 1.
 * Everything is little-endian, sizes are bytes.
 */

/** R1: blocks start at multiples of this. */
export const SECTOR_BYTES = 512
/** `capacity` and `valid`. */
export const BLOCK_HEADER_BYTES = 8
/** No block has been allocated more; a header that claims more is none. */
export const MAX_CAPACITY_BYTES = 2 ** 30
/** R2: the length before each payload. */
export const ENTRY_PREFIX_BYTES = 4
export const TRAILER_BYTES = 64
/** The bytes `SHLT`. */
export const TRAILER_MAGIC = 0x544c4853
export const TRAILER_VERSION = 1
/** Where the CRC-32C lies in a trailer; it covers everything before. */
export const TRAILER_CRC_OFFSET = 60

/** The trailer stands in a carrier block after its block. */
export const FLAG_CARRIED = 1
/** The block was written by recovery. */
export const FLAG_RECOVERED = 2
/** The block was written by the JavaScript engine. */
export const FLAG_JS = 4

/** Rounds `value` up to a multiple of `alignment`; any positive alignment, values up to 2^53. */
export function alignUp(value: number, alignment: number): number {
  const rest = value % alignment
  return rest === 0 ? value : value + alignment - rest
}

/**
 * R1: distance from the start of a block with `valid` bytes of entries to the start of the next.
 */
export function blockStride(valid: number): number {
  return alignUp(BLOCK_HEADER_BYTES + valid, SECTOR_BYTES)
}

/**
 * Whether the trailer fits into the padding of a block with `valid` bytes of entries, or needs a
 * carrier.
 */
export function trailerFits(valid: number): boolean {
  return blockStride(valid) - BLOCK_HEADER_BYTES - valid >= TRAILER_BYTES
}

/** Bytes a block with `valid` bytes of entries takes in the file, its carrier included. */
export function blockExtent(valid: number): number {
  return blockStride(valid) + (trailerFits(valid) ? 0 : SECTOR_BYTES)
}
