import { describe, expect, it } from 'vitest'
import {
  countEntries,
  crc32c,
  decodeTrailer,
  encodeTrailer,
  finishBlock,
  finishedBytes,
  type Trailer,
  trailerMatches,
  wholeEntriesPrefix
} from '../../lib/format/block'
import { alignUp, FLAG_CARRIED } from '../../lib/format/constants'

const fields = {
  flags: 0,
  stream: 0xfedc_ba98_7654_3210n,
  sequence: 2n ** 40n,
  firstTime: 1n,
  lastTime: 2n ** 63n,
  entries: 1,
  generation: 0xffff_ffff,
  segment: 7,
  producer: 3
}

function entry(length: number): Buffer {
  const bytes = Buffer.alloc(4 + length, 'x')
  bytes.writeUInt32LE(length)
  return bytes
}

function bitwiseCrc(bytes: Uint8Array): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0)
  }
  return ~crc >>> 0
}

describe('crc32c', () => {
  it('is the Castagnoli CRC: the check value of its catalogue, and of RFC 3720', () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283)
    expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
    expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
    expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e)
    expect(crc32c(Buffer.alloc(0))).toBe(0)
  })

  it('is the same for any length and alignment, and goes on from a seed', () => {
    const bytes = Buffer.from(Array.from({ length: 400 }, (_, i) => (i * 37 + (i >> 3)) & 255))
    for (let start = 0; start < 9; start++) {
      for (let length = 0; length < 200; length++) {
        const part = bytes.subarray(start, start + length)
        const expected = bitwiseCrc(part)
        expect(crc32c(part)).toBe(expected)
        expect(crc32c(bytes, 0, start, start + length)).toBe(expected)
        const cut = length >> 1
        expect(crc32c(part, crc32c(part, 0, 0, cut), cut)).toBe(expected)
      }
    }
  })
})

describe('alignUp', () => {
  it('rounds up to multiples, also beyond 2^32', () => {
    expect([0, 1, 511, 512, 513].map(n => alignUp(n, 512))).toEqual([0, 512, 512, 512, 1024])
    expect(alignUp(2 ** 40 + 1, 4096)).toBe(2 ** 40 + 4096)
  })
})

describe('trailers (1.2)', () => {
  it('come back as they were written', () => {
    const bytes = Buffer.alloc(80, 0xaa)
    const trailer: Trailer = { ...fields, flags: 6, length: 1024 }
    encodeTrailer(bytes, 8, trailer, 123)
    expect(decodeTrailer(bytes, 8)).toEqual(trailer)
    expect(trailerMatches(bytes, 8, 123)).toBe(true)
    expect(trailerMatches(bytes, 8, 124)).toBe(false)
    expect(bytes.toString('latin1', 8, 12)).toBe('SHLT')
  })

  it('of another magic or version are none', () => {
    const bytes = Buffer.alloc(64)
    encodeTrailer(bytes, 0, { ...fields, length: 512 }, 0)
    bytes.writeUInt16LE(2, 4)
    expect(decodeTrailer(bytes, 0)).toBeNull()
    expect(decodeTrailer(Buffer.alloc(64), 0)).toBeNull()
  })

  it('lie in the padding where it has 64 bytes, else in a carrier right behind', () => {
    for (let length = 1; length < 1200; length++) {
      const valid = 4 + length
      const target = Buffer.alloc(4096, 0xee)
      entry(length).copy(target, 8)
      const total = finishBlock(target, 0, { capacity: 4096, valid }, fields)
      const stride = alignUp(8 + valid, 512)
      const carried = stride - 8 - valid < 64
      expect(total).toBe(finishedBytes(valid))
      expect(total).toBe(carried ? stride + 512 : stride)
      const trailer = decodeTrailer(target, total - 64)
      expect(trailer?.length).toBe(total)
      expect(((trailer?.flags ?? 0) & FLAG_CARRIED) !== 0).toBe(carried)
      expect(trailerMatches(target, total - 64, crc32c(target, 0, 0, 8 + valid))).toBe(true)
      const padding = target.subarray(8 + valid, total - 64)
      const carrierHeader = carried ? 1 : 0
      expect(padding.filter(byte => byte !== 0).length).toBe(carrierHeader)
      if (carried) expect([target.readUInt32LE(stride), target.readUInt32LE(stride + 4)]).toEqual([512, 0])
      expect(target[total]).toBe(0xee)
    }
  })

  it('are followed by zeroed fill up to a larger alignment', () => {
    const target = Buffer.alloc(8192, 0xee)
    entry(100).copy(target, 8)
    expect(finishBlock(target, 0, { capacity: 4096, valid: 104 }, fields, 4096)).toBe(4096)
    expect(target.subarray(512, 4096).every(byte => byte === 0)).toBe(true)
    expect(target[4096]).toBe(0xee)
  })
})

describe('entries (R2)', () => {
  it('fill the block exactly or are refused', () => {
    const bytes = Buffer.concat([entry(3), entry(1), entry(10)])
    expect(countEntries(bytes, 0, bytes.length)).toBe(3)
    expect(countEntries(bytes, 0, bytes.length - 1)).toBe(-1)
    expect(countEntries(bytes, 0, 8)).toBe(-1)
    expect(countEntries(Buffer.alloc(8), 0, 8)).toBe(-1)
    expect(countEntries(bytes, 0, 0)).toBe(0)
    expect(wholeEntriesPrefix(bytes, 0, bytes.length - 1)).toBe(12)
    expect(wholeEntriesPrefix(bytes, 0, bytes.length)).toBe(bytes.length)
  })
})
