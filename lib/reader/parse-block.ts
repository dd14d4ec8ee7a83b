/**
 * One block in memory: whether its header, entries, trailer and padding are as
 * docs/reference/log-format.md has them.
 */

import { loadNative } from '../engine/load-native'
import { crc32c, decodeTrailer, type Trailer, trailerMatches } from '../format/block'
import {
  BLOCK_HEADER_BYTES,
  blockExtent,
  blockStride,
  ENTRY_PREFIX_BYTES,
  FLAG_CARRIED,
  FLAG_RECOVERED,
  MAX_CAPACITY_BYTES,
  SECTOR_BYTES,
  TRAILER_BYTES,
  TRAILER_MAGIC,
  trailerFits
} from '../format/constants'
import type { BlockInfo, DamageKind } from './items'

type Checksum = (bytes: Uint8Array, seed: number, start: number, end: number) => number

/** Below this the call into the addon costs more than it saves. */
const NATIVE_FROM_BYTES = 2048

let native: Checksum | undefined

function bestChecksum(): Checksum {
  try {
    return loadNative().crc32c
  } catch {
    // No build for this machine: the JavaScript one reads the same files, only slower.
    return crc32c
  }
}

/**
 * CRC-32C of `bytes[start, end)`, going on from `seed`: with the processor's instruction where the
 * addon loads.
 */
export function checksum(bytes: Uint8Array, seed: number, start: number, end: number): number {
  if (end - start < NATIVE_FROM_BYTES) return crc32c(bytes, seed, start, end)
  native ??= bestChecksum()
  return native(bytes, seed, start, end)
}

/** A problem of one block; `offset` counts from the block's start. */
interface BlockProblem {
  kind: DamageKind
  offset: number
  length: number
  message: string
}

export interface ParsedBlock {
  info: BlockInfo
  /** Bytes of entries that can be decoded: `valid`, or less if the block breaks R2. */
  usable: number
  /** Distance to what follows the block, its carrier included. */
  extent: number
  /**
   * A trailer stands where the block should end and tells the same length: where the next block
   * begins is certain.
   */
  agreed: boolean
  /**
   * Nothing vouches for the block, and something like a trailer stands inside: it may hide other
   * blocks.
   */
  suspect?: boolean
  /** Why the block must not be delivered as it is, or null. */
  fatal: { kind: DamageKind; message: string } | null
  /** What else is wrong, beside the entries. */
  notes: BlockProblem[]
}

const ZEROS = Buffer.alloc(64 * 1024)

/** Whether `[start, end)` of `bytes` is zero. */
export function isZero(bytes: Buffer, start: number, end: number): boolean {
  if (start < end && bytes[start] !== 0) return false
  for (let at = start; at < end; at += ZEROS.length) {
    const length = Math.min(ZEROS.length, end - at)
    if (bytes.compare(ZEROS, 0, length, at, at + length) !== 0) return false
  }
  return true
}

/** How many whole sectors from index `start` of `bytes` on are zero, `most` at the most. */
export function zeroSectors(bytes: Buffer, start: number, most: number): number {
  let count = 0
  const many = ZEROS.length / SECTOR_BYTES
  const at = () => start + count * SECTOR_BYTES
  while (most - count >= many && isZero(bytes, at(), at() + ZEROS.length)) count += many
  while (count < most && isZero(bytes, at(), at() + SECTOR_BYTES)) count++
  return count
}

/** 8 <= capacity <= 1 GiB and valid <= capacity - 8. */
export function isPlausibleHeader(capacity: number, valid: number): boolean {
  return capacity >= BLOCK_HEADER_BYTES && capacity <= MAX_CAPACITY_BYTES && valid <= capacity - BLOCK_HEADER_BYTES
}

/**
 * Looks for the trailer of the block at `at`, of which `available` bytes (stride and, if there is
 * more, 512 for a carrier) lie in `bytes`.
 * @returns index of the 64 bytes that have a trailer's magic, or -1.
 */
export function findTrailer(bytes: Buffer, at: number, valid: number, available: number): number {
  const extent = blockExtent(valid)
  if (extent > available) return -1
  const trailerAt = at + extent - TRAILER_BYTES
  if (bytes.readUInt32LE(trailerAt) !== TRAILER_MAGIC) return -1
  if (trailerFits(valid)) return trailerAt
  // Where a kill has left no carrier, the next block's trailer may stand in its place.
  const carrier = at + blockStride(valid)
  const isCarrier = bytes.readUInt32LE(carrier) === SECTOR_BYTES && bytes.readUInt32LE(carrier + 4) === 0
  return isCarrier || decodeTrailer(bytes, trailerAt)?.length === extent ? trailerAt : -1
}

/** Whether the trailer at `trailerAt` is one, belongs to the block at `at`, and vouches for it. */
export function checkTrailer(bytes: Buffer, at: number, valid: number, trailerAt: number): Trailer | null {
  const trailer = decodeTrailer(bytes, trailerAt)
  if (!trailer || trailer.length !== blockExtent(valid)) return null
  const blockCrc = checksum(bytes, 0, at, at + BLOCK_HEADER_BYTES + valid)
  return trailerMatches(bytes, trailerAt, blockCrc) ? trailer : null
}

/** Bytes of `bytes[start, start + available)` that are whole entries (R2). */
export function wholeEntries(bytes: Buffer, start: number, available: number): { bytes: number; count: number } {
  const last = start + available - ENTRY_PREFIX_BYTES
  let at = start
  let count = 0
  while (at < last) {
    // Four byte loads are several times faster here than readUInt32LE.
    const length = (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
    if (length === 0 || length > last - at) break
    at += ENTRY_PREFIX_BYTES + length
    count++
  }
  return { bytes: at - start, count }
}

/**
 * Decodes the block at index `at` of `bytes`, whose header is plausible and whose stride is there.
 * @param place the file, and where in it the block starts.
 * @param available bytes from `at` on: the stride, and 512 more where the source has them.
 * @param trailersSeen whether other blocks have trailers: then what stands in a trailer's place has
 *   to be one.
 */
export function parseBlock(
  { path, position }: { path: string; position: number },
  bytes: Buffer,
  at: number,
  available: number,
  trailersSeen: boolean
): ParsedBlock {
  const valid = bytes.readUInt32LE(at + 4)
  const trailerAt = findTrailer(bytes, at, valid, available)
  if (trailerAt < 0) return parsePlain(path, bytes, at, position, trailersSeen)
  const extent = blockExtent(valid)
  const whole = wholeEntries(bytes, at + BLOCK_HEADER_BYTES, valid)
  const trailer = checkTrailer(bytes, at, valid, trailerAt)
  if (!trailer) {
    const message = `a block of ${valid} bytes that does not match its checksum`
    const info = describePlain(path, position, valid, whole.count)
    // What lies there may be the trailer of another block, which is part of what this one claims.
    const agreed = decodeTrailer(bytes, trailerAt)?.length === extent
    return { info, usable: whole.bytes, extent, agreed, fatal: { kind: 'bad-trailer', message }, notes: [] }
  }
  const info = describe(path, position, valid, trailer)
  const notes = checkPadding(bytes, at, valid, trailerAt)
  const sound = whole.bytes === valid && whole.count === info.entries
  const message = 'a block that was written with a wrong entry length or count'
  const fatal = sound ? null : ({ kind: 'bad-entry', message } as const)
  return { info, usable: whole.bytes, extent, agreed: true, fatal, notes }
}

/** Whether a sector inside of `bytes[start, end)` ends as one with a trailer does. */
function holdsTrailer(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start + SECTOR_BYTES - TRAILER_BYTES; at < end; at += SECTOR_BYTES) {
    if (bytes.readUInt32LE(at) === TRAILER_MAGIC) return true
  }
  return false
}

function parsePlain(path: string, bytes: Buffer, at: number, position: number, trailersSeen: boolean): ParsedBlock {
  const valid = bytes.readUInt32LE(at + 4)
  const extent = blockStride(valid)
  const used = BLOCK_HEADER_BYTES + valid
  const padded = !isZero(bytes, at + used, at + extent)
  const whole = wholeEntries(bytes, at + BLOCK_HEADER_BYTES, valid)
  const info = describePlain(path, position, valid, whole.count)
  const suspect = holdsTrailer(bytes, at, at + extent)
  const block = { info, usable: whole.bytes, extent, agreed: false, suspect, notes: [] }
  if (whole.bytes !== valid) {
    const fatal = { kind: 'bad-entry', message: 'an entry with an impossible length' } as const
    return { ...block, fatal }
  }
  if (padded && trailersSeen) {
    return { ...block, fatal: { kind: 'bad-trailer', message: 'a block whose trailer is unreadable' } }
  }
  const message = 'padding of a block without trailer is not zero'
  const note: BlockProblem = { kind: 'nonzero-padding', offset: used, length: extent - used, message }
  return { ...block, fatal: null, notes: padded ? [note] : [] }
}

function checkPadding(bytes: Buffer, at: number, valid: number, trailerAt: number): BlockProblem[] {
  const dataEnd = at + BLOCK_HEADER_BYTES + valid
  const stride = blockStride(valid)
  const carried = !trailerFits(valid)
  const paddingEnd = carried ? at + stride : trailerAt
  let sound = isZero(bytes, dataEnd, paddingEnd)
  if (carried) {
    const carrier = at + stride
    const headerSound = bytes.readUInt32LE(carrier) === SECTOR_BYTES && bytes.readUInt32LE(carrier + 4) === 0
    sound = sound && headerSound && isZero(bytes, carrier + BLOCK_HEADER_BYTES, trailerAt)
  }
  const flagged = (bytes.readUInt16LE(trailerAt + 6) & FLAG_CARRIED) !== 0
  if (sound && flagged === carried) return []
  const message = carried ? 'padding or carrier of a block is not as written' : 'padding of a block is not zero'
  return [{ kind: 'nonzero-padding', offset: BLOCK_HEADER_BYTES + valid, length: trailerAt - dataEnd, message }]
}

function describe(path: string, offset: number, valid: number, trailer: Trailer): BlockInfo {
  return {
    path,
    offset,
    source: 'file',
    valid,
    entries: trailer.entries,
    hasTrailer: true,
    recovered: (trailer.flags & FLAG_RECOVERED) !== 0,
    stream: trailer.stream,
    sequence: trailer.sequence,
    firstTime: trailer.firstTime,
    lastTime: trailer.lastTime,
    generation: trailer.generation,
    segment: trailer.segment,
    producer: trailer.producer
  }
}

function describePlain(path: string, offset: number, valid: number, entries: number): BlockInfo {
  return { path, offset, source: 'file', valid, entries, hasTrailer: false, recovered: false }
}
