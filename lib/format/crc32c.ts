/**
 * CRC-32C (Castagnoli), reflected, initial and final XOR 0xFFFFFFFF, sixteen bytes a step ("slicing"): table k holds the
 * effect of a byte followed by k zero bytes.
 */

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
 * @param seed CRC of what came before, so that `crc32c(b, crc32c(a))` is the CRC of a followed by b. Default 0.
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
