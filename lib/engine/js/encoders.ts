/**
 * What a log file of the JavaScript engine is made of, blocks or lines, and how its end is made
 * ready for appending.
 */

import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import {
  countEntries,
  crc32c,
  decodeTrailer,
  finishBlock,
  finishedBytes,
  trailerMatches,
  wholeEntriesPrefix
} from '../../format/block'
import {
  alignUp,
  BLOCK_HEADER_BYTES,
  blockExtent,
  blockStride,
  ENTRY_PREFIX_BYTES,
  FLAG_JS,
  MAX_CAPACITY_BYTES,
  SECTOR_BYTES,
  TRAILER_BYTES
} from '../../format/constants'
import type { BufferSet, Run } from './buffers'

/** What of a run is whole in a file. */
interface Whole {
  /** Bytes of its entries. */
  bytes: number
  entries: number
}

/** What a log's file is made of: how it may end, and how a set's runs lie in it. */
export interface FileEncoder {
  /** What is written lies in the file at multiples of it. */
  readonly alignment: number
  /**
   * Whether a file of `size` bytes ends as such files do. `end`: where the last that we wrote to it
   * ended.
   */
  isWhole(path: string, size: number, end: number): boolean
  /** Makes a file that others may have written ready for appending. Its size then. */
  repair(path: string): number
  /** The same behind what somebody else has appended to our own: nothing of ours is torn. */
  complete(path: string): number
  /** Bytes of a run in the file. */
  size(run: Run): number
  /**
   * Puts a run of `set` at `at` of `to`; it will be number `index` of those that `wrote` has not
   * been told of. Its end.
   */
  put(run: Run, set: BufferSet, to: Buffer, at: number, index: number): number
  /**
   * What readers find of a run of which the first `out` bytes of what `put` made are the last in
   * the file.
   */
  whole(run: Run, out: number): Whole
  /**
   * Somebody has appended behind the first `out` bytes of a run, which lie at `offset`. What of it
   * stays as it is.
   */
  cutOff(run: Run, path: string, offset: number, out: number): Whole
  /** So many runs are in the file now. */
  wrote(runs: number): void
  /** The next runs go to another file. */
  startFile(): void
}

const SCAN_BYTES = 1 << 20
const PAGE_BYTES = 4096
/** A trailer begins so. */
const MAGIC = Buffer.from('SHLT')
const MAX_BLOCK = 2 ** 31

/** Reads `size` bytes at `offset`; fewer only where the file ends. */
function read(fd: number, size: number, offset: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  let got = 0
  while (got < size) {
    const count = fs.readSync(fd, bytes, got, size - got, offset + got)
    if (count === 0) break
    got += count
  }
  return bytes.subarray(0, got)
}

function writeAll(fd: number, bytes: Uint8Array, offset: number): void {
  let put = 0
  while (put < bytes.length) put += fs.writeSync(fd, bytes, put, bytes.length - put, offset + put)
}

/**
 * Where the file ends without the zero sectors at its end; looks back over one scan at the most.
 */
function endWithoutFill(fd: number, size: number): number {
  if (size % SECTOR_BYTES !== 0) return size
  const from = Math.max(0, size - SCAN_BYTES)
  const tail = read(fd, size - from, from)
  let end = tail.length
  while (end > 0 && tail[end - 1] === 0) end--
  return from + alignUp(end, SECTOR_BYTES)
}

/** Whether a block whose trailer checks ends at `end`. */
function soundBlockEndsAt(fd: number, end: number): boolean {
  if (end < SECTOR_BYTES || end % SECTOR_BYTES !== 0) return false
  const trailer = decodeTrailer(read(fd, TRAILER_BYTES, end - TRAILER_BYTES), 0)
  if (trailer === null || trailer.length < SECTOR_BYTES || trailer.length > Math.min(end, MAX_BLOCK)) return false
  const block = read(fd, trailer.length, end - trailer.length)
  const valid = block.readUInt32LE(4)
  if (blockExtent(valid) !== block.length) return false
  return trailerMatches(block, block.length - TRAILER_BYTES, crc32c(block, 0, 0, BLOCK_HEADER_BYTES + valid))
}

// The beginning of a block that a kill in the middle of a write has left. As
// `native/sink/torn_block.cc`.

const alignDown = (offset: number): number => offset - (offset % SECTOR_BYTES)

/**
 * Reads block headers in ascending order: ahead where they lie close together, which in text and in
 * holes is every sector, and a page where blocks are skipped.
 */
class HeaderReader {
  #window: Buffer = Buffer.alloc(0)
  #start = 0

  constructor(private readonly fd: number) {}

  /** The header at `at`, with eight bytes of the file behind it. */
  read(at: number): { capacity: number; valid: number } {
    const end = this.#start + this.#window.length
    if (at < this.#start || at + BLOCK_HEADER_BYTES > end) {
      this.#window = read(this.fd, at === end ? SCAN_BYTES : PAGE_BYTES, at)
      this.#start = at
    }
    const offset = at - this.#start
    return { capacity: this.#window.readUInt32LE(offset), valid: this.#window.readUInt32LE(offset + 4) }
  }
}

/** A block that claims more bytes than the file has. */
interface TornBlock {
  readonly at: number
  readonly capacity: number
  readonly valid: number
}

/** The first one from `from` on, where a block begins, or would; undefined if there is none. */
function findTornBlock(fd: number, from: number, size: number, holes: Holes | null): TornBlock | undefined {
  const headers = new HeaderReader(fd)
  let at = holes?.past(from) ?? from
  while (at + BLOCK_HEADER_BYTES <= size) {
    const { capacity, valid } = headers.read(at)
    // Memory comes in whole sectors, which text that looks like a header does not: no block has
    // such a capacity.
    const ours = capacity % SECTOR_BYTES === 0 && capacity <= MAX_CAPACITY_BYTES
    const plausible = ours && capacity >= BLOCK_HEADER_BYTES && valid <= capacity - BLOCK_HEADER_BYTES
    const next = at + (plausible ? blockStride(valid) : SECTOR_BYTES)
    if (plausible && next > size) return { at, capacity, valid }
    at = holes?.past(next) ?? next
  }
  return undefined
}

/**
 * Whether bytes of which no entry is whole begin as the entries of a block with `valid` bytes do.
 */
function beginsLikeAnEntry(bytes: Buffer, valid: number): boolean {
  if (bytes.length < ENTRY_PREFIX_BYTES) return true
  const length = bytes.readUInt32LE(0)
  return length !== 0 && length + ENTRY_PREFIX_BYTES <= valid
}

/**
 * Whether what follows a block's entries is the start of what we put there: zeroes, and then a
 * trailer.
 */
function beginsLikePadding(padding: Buffer, valid: number): boolean {
  const trailer = blockStride(valid) - TRAILER_BYTES - BLOCK_HEADER_BYTES - valid
  const zeroes = padding.subarray(0, Math.max(0, trailer))
  const magic = padding.subarray(zeroes.length, zeroes.length + MAGIC.length)
  return zeroes.every(byte => byte === 0) && magic.equals(MAGIC.subarray(0, magic.length))
}

/** What comes behind the whole entries of a torn block, as far as the file goes. */
type Behind = 'ours' | 'nothing' | 'foreign'

const isZeroes = (bytes: Buffer): boolean => bytes.every(byte => byte === 0)

/** @param bytes the block, header included; @param whole bytes of whole entries in it */
function lookBehind(bytes: Buffer, valid: number, whole: number): Behind {
  const at = BLOCK_HEADER_BYTES + whole
  const behind = bytes.subarray(at)
  if (behind.length === 0) return 'nothing'
  const sector = bytes.subarray(at, alignUp(at, SECTOR_BYTES))
  // As an earlier repair has left it that did not come to an end.
  if (sector.length > 0 && isZeroes(sector)) return 'ours'
  if (whole === valid) return beginsLikePadding(behind, valid) ? 'ours' : 'foreign'
  if (behind.length < ENTRY_PREFIX_BYTES) return 'nothing'
  // Text, taken for a length, is larger than any block but the largest.
  const length = behind.readUInt32LE(0)
  return length !== 0 && whole + ENTRY_PREFIX_BYTES + length <= valid ? 'ours' : 'foreign'
}

/** Where each of `whole` bytes of entries ends, from the block's start. */
function* entryEnds(bytes: Buffer, whole: number): Generator<number> {
  const end = BLOCK_HEADER_BYTES + whole
  for (let at = BLOCK_HEADER_BYTES; at < end; ) {
    at += ENTRY_PREFIX_BYTES + bytes.readUInt32LE(at)
    yield at
  }
}

/**
 * Bytes of the most entries that leave room for their padding within the first `limit` bytes of a
 * block.
 */
function fittingEntries(bytes: Buffer, whole: number, limit: number): number {
  let fitting = 0
  for (const end of entryEnds(bytes, whole)) {
    if (alignUp(end, SECTOR_BYTES) <= limit) fitting = end - BLOCK_HEADER_BYTES
  }
  return fitting
}

/**
 * Bytes of entries that are ours for certain; undefined: the block is not to be cut. What follows
 * an entry vouches for it: somebody else's text, which may have completed a torn one, goes on as no
 * block does.
 */
function entriesOfOurs(bytes: Buffer, valid: number): number | undefined {
  const there = Math.min(bytes.length - BLOCK_HEADER_BYTES, valid)
  const whole = wholeEntriesPrefix(bytes, BLOCK_HEADER_BYTES, there)
  if (whole === 0) return beginsLikeAnEntry(bytes.subarray(BLOCK_HEADER_BYTES), valid) ? 0 : undefined
  const behind = lookBehind(bytes, valid, whole)
  if (behind === 'ours') return whole
  const end = BLOCK_HEADER_BYTES + whole
  const last = [BLOCK_HEADER_BYTES, ...entryEnds(bytes, whole)].at(-2)!
  const isInOneSector = alignDown(last) === alignDown(end - 1)
  if (behind === 'nothing') return isInOneSector ? whole : last - BLOCK_HEADER_BYTES
  if (isInOneSector && whole === valid) return undefined // Nothing but padding is missing.
  if (isInOneSector && end % SECTOR_BYTES === 0) return whole
  return fittingEntries(bytes, whole, alignDown(last))
}

/**
 * Cuts a torn block to those of its entries that are ours for certain; to none, and it becomes
 * fill. Nobody knows where our bytes end: a kill breaks a write off between two sectors, and what
 * another program has appended since begins there. So what lies behind the sector in which those
 * entries end stays as it is, as bytes of no block.
 *
 * @returns where that begins; `size`, and nothing is done, if the block is none of ours
 */
function cutToOurs(fd: number, { at, capacity, valid }: TornBlock, size: number): number {
  const bytes = read(fd, size - at, at)
  const ours = entriesOfOurs(bytes, valid)
  if (ours === undefined) return size
  const next = at + blockStride(ours)
  const dataEnd = at + BLOCK_HEADER_BYTES + ours
  const header = Buffer.alloc(BLOCK_HEADER_BYTES)
  if (ours > 0) {
    header.writeUInt32LE(capacity)
    header.writeUInt32LE(ours, 4)
  }
  // The header last: until then the block is torn, and is cut again.
  writeAll(fd, Buffer.alloc(Math.min(next, size) - dataEnd), dataEnd)
  writeAll(fd, header, at)
  return next
}

/** Cuts the block that is torn at the end of a file of `size` bytes. */
function cutTornBlocks(file: string, fd: number, size: number): void {
  const holes = Holes.of(file, fd)
  // What stays of a torn block may hold bytes that look like another.
  for (let from = 0; from < size; ) {
    const torn = findTornBlock(fd, from, size, holes)
    if (torn === undefined) return
    from = cutToOurs(fd, torn, size)
  }
}

/** Makes fill of `out` bytes of ours, behind which somebody else has written. */
export function blank(file: string, at: number, out: number): void {
  const fd = fs.openSync(file, 'r+')
  try {
    writeAll(fd, Buffer.alloc(out), at)
  } finally {
    fs.closeSync(fd)
  }
}

/**
 * Makes an existing file ready for appending: a torn last block is cut to those of its entries that
 * are ours for certain, a foreign or torn tail is filled up to a sector. What may be foreign bytes
 * stays. As `native/sink/append_point.cc`.
 *
 * @returns the offset where the next block goes
 */
function prepareAppend(file: string): number {
  // A descriptor of its own: on Linux a write at an offset appends all the same where O_APPEND is
  // set.
  const fd = fs.openSync(file, 'r+')
  try {
    const { size } = fs.fstatSync(fd)
    if (size === 0) return 0
    if (!soundBlockEndsAt(fd, endWithoutFill(fd, size))) {
      cutTornBlocks(file, fd, size)
    }
    return fillUp(file, size)
  } finally {
    fs.closeSync(fd)
  }
}

/** Fills the last sector of a file of `size` bytes. Its size then. */
function fillUp(file: string, size: number): number {
  const end = alignUp(size, SECTOR_BYTES)
  // By name, to append: somebody else may be appending, too.
  if (end > size) fs.appendFileSync(file, Buffer.alloc(end - size))
  return fs.statSync(file).size
}

const newStream = (): bigint => randomBytes(8).readBigUInt64LE()

/** A shard file: each run is a block. */
export class BlockEncoder implements FileEncoder {
  readonly alignment = SECTOR_BYTES
  #stream = newStream()
  #sequence = 0n

  constructor(private readonly segmentsPerShard: number) {}

  isWhole(_path: string, size: number): boolean {
    return size % SECTOR_BYTES === 0
  }

  repair(path: string): number {
    return prepareAppend(path)
  }

  complete(path: string): number {
    return fillUp(path, fs.statSync(path).size)
  }

  size(run: Run): number {
    return finishedBytes(run.valid)
  }

  put(run: Run, set: BufferSet, to: Buffer, at: number, index: number): number {
    run.copy(to, at + BLOCK_HEADER_BYTES)
    const size = finishBlock(to, at, run, {
      flags: FLAG_JS,
      stream: this.#stream,
      sequence: this.#sequence + BigInt(index),
      firstTime: run.firstTime,
      lastTime: run.lastTime,
      entries: run.entries,
      generation: set.generation >>> 0,
      segment: run.shard.id * this.segmentsPerShard + run.segment,
      producer: 1
    })
    return at + size
  }

  whole(run: Run, out: number): Whole {
    const { bytes } = run
    const whole = wholeEntriesPrefix(bytes, 0, Math.min(bytes.length, Math.max(0, out - BLOCK_HEADER_BYTES)))
    return { bytes: whole, entries: countEntries(bytes, 0, whole) }
  }

  cutOff(_run: Run, path: string, offset: number, out: number): Whole {
    // What others have put where its padding or its trailer would be makes damage of all of it.
    blank(path, offset, out)
    return { bytes: 0, entries: 0 }
  }

  wrote(runs: number): void {
    this.#sequence += BigInt(runs)
  }

  /** Blocks of another file are numbered from 0 under a stream of their own. */
  startFile(): void {
    this.#stream = newStream()
    this.#sequence = 0n
  }
}

const NEWLINE = '\n'

export function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++
  return lines
}

function endsLine(path: string, size: number): boolean {
  if (size === 0) return true
  const fd = fs.openSync(path, 'r')
  try {
    const last = Buffer.alloc(1)
    fs.readSync(fd, last, 0, 1, size - 1)
    return last.toString('latin1') === NEWLINE
  } finally {
    fs.closeSync(fd)
  }
}

/** A file that is nothing but its entries, which are lines. */
export class LineEncoder implements FileEncoder {
  readonly alignment = 1

  isWhole(path: string, size: number, end: number): boolean {
    return size === end || endsLine(path, size)
  }

  /** Ends a line that the file ends within. As `PrepareText` of `native/sink/append_point.cc`. */
  repair(path: string): number {
    const { size } = fs.statSync(path)
    if (endsLine(path, size)) return size
    fs.appendFileSync(path, NEWLINE)
    return size + NEWLINE.length
  }

  complete(path: string): number {
    return this.repair(path)
  }

  size(run: Run): number {
    return run.valid
  }

  put(run: Run, _set: BufferSet, to: Buffer, at: number): number {
    return at + run.copy(to, at)
  }

  whole(run: Run, out: number): Whole {
    const { bytes } = run
    const end = bytes.subarray(0, out).lastIndexOf(NEWLINE) + 1
    // An entry is a line but for what was written as several, or as none.
    return { bytes: end, entries: Math.min(run.entries, countLines(bytes.subarray(0, end))) }
  }

  /** The start of a line stays as the start of a line. */
  cutOff(run: Run, _path: string, _offset: number, out: number): Whole {
    return this.whole(run, out)
  }

  wrote(): void {
    // Lines are not numbered.
  }

  startFile(): void {
    // Nothing tells one file's lines from another's.
  }
}

// Where a file has data, for those who would read gigabytes of holes otherwise. Node has no
// SEEK_DATA: what is known is how much of a file has blocks.

const PART_BYTES = 1 << 20
/** What `stat` counts blocks in. */
const COUNTED_BYTES = 512
/** With fewer bytes of holes, finding them costs more than reading them as they come. */
const FEW_BYTES = 16 << 20
const ZEROES = Buffer.alloc(PART_BYTES)

/**
 * `f_type` of ext2 to ext4, xfs and tmpfs: no byte of data there is without a block that `stat`
 * counts. Others compress, or count late.
 */
const COUNTING: ReadonlySet<number> = new Set([0xef53, 0x58465342, 0x01021994])

const isZero = (bytes: Buffer): boolean => bytes.equals(ZEROES.subarray(0, bytes.length))

/** What is known of where a file may have data. */
interface Allocation {
  /** Bytes that have blocks; Infinity where that is not known. */
  readonly bytes: number
  /** Bytes of a block. */
  readonly unit: number
}

function allocationOf(file: string, { blocks }: fs.Stats): Allocation {
  const { type, bsize } = fs.statfsSync(file)
  const isKnown = COUNTING.has(type) && bsize >= COUNTED_BYTES && PART_BYTES % bsize === 0
  return isKnown
    ? { bytes: blocks * COUNTED_BYTES, unit: bsize }
    : { bytes: Number.POSITIVE_INFINITY, unit: PART_BYTES }
}

/** How many bytes the blocks have in which not all is zero. */
function bytesInUse(bytes: Buffer, unit: number): number {
  let used = 0
  for (let at = 0; at < bytes.length; at += unit) used += isZero(bytes.subarray(at, at + unit)) ? 0 : unit
  return used
}

/**
 * A file's parts of a megabyte in which all is zero. Looks for those that have data from both ends
 * until it has found what there is: data mostly lies at one of them.
 */
class Holes {
  readonly #size: number
  /** By the part's index. */
  readonly #hasData: boolean[]

  /**
   * @param file the path of what `fd` is open for
   * @returns null if the file has so few holes that they are not worth a look
   */
  static of(file: string, fd: number): Holes | null {
    const stat = fs.fstatSync(fd)
    if (stat.size - stat.blocks * COUNTED_BYTES < FEW_BYTES) return null
    return new Holes(fd, stat.size, allocationOf(file, stat))
  }

  private constructor(fd: number, size: number, { bytes, unit }: Allocation) {
    const parts = Math.ceil(size / PART_BYTES)
    this.#size = size
    this.#hasData = Array.from({ length: parts }, () => false)
    const memory = Buffer.allocUnsafeSlow(PART_BYTES)
    let left = bytes
    for (let i = 0; i < parts && left > 0; i++) {
      const index = i % 2 === 0 ? i / 2 : parts - (i + 1) / 2
      const part = memory.subarray(0, fs.readSync(fd, memory, 0, PART_BYTES, index * PART_BYTES))
      const used = isZero(part) ? 0 : bytesInUse(part, unit)
      this.#hasData[index] = used > 0
      left -= used
    }
  }

  /** `at`, or if there is nothing but zeroes in its part, where the next part with data begins. */
  past(at: number): number {
    const part = Math.floor(at / PART_BYTES)
    if (this.#hasData[part] === true) return at
    const next = this.#hasData.indexOf(true, part)
    return next < 0 ? this.#size : next * PART_BYTES
  }
}
