/**
 * What to do where a block cannot be read: find the next sound one, keep its whole entries, and
 * judge blocks that may be none.
 */

import { decodeTrailer, trailerMatches } from '../format/block'
import {
  BLOCK_HEADER_BYTES,
  blockExtent,
  blockStride,
  ENTRY_PREFIX_BYTES,
  SECTOR_BYTES,
  TRAILER_BYTES
} from '../format/constants'
import type { DamageKind } from './items'
import { checksum, checkTrailer, findTrailer, isPlausibleHeader, wholeEntries } from './parse-block'
import { CHUNK_BYTES, type Source, Window } from './source'

/**
 * A candidate on a pipe has to be held in memory as a whole to be checked; larger ones are passed
 * over.
 */
const MAX_PIPE_CANDIDATE_BYTES = 64 * 1024 * 1024
/** What is read at once to look for blocks. */
const SEARCH_BYTES = 1024 * 1024

/** What counts as sound (D3): a trailer that checks, or entries that fill the block exactly. */
type Soundness = 'trailer' | 'plain' | 'any'

export interface SoundBlock {
  position: number
  hasTrailer: boolean
}

/**
 * What a search has found out: the first block with a sound trailer at or behind `from`; none
 * before `to` if `position` is null.
 */
interface Searched {
  from: number
  to: number
  position: number | null
}

/**
 * Looks for sound blocks at 512-boundaries, in memory that does not depend on what headers claim.
 * One search begins where the last one ended, so that all of them together read a file once or
 * twice, however much of it is damaged.
 */
export class Resync {
  /**
   * Where the last search met the first header of what may be a block that has not been written to
   * its end; -1 if it met none.
   */
  firstCut = -1
  private readonly window: Window
  private searched: Searched | null = null
  private readonly pieces: Buffer

  /**
   * @param shared of a pipe, the window that its reader uses, which slides along
   * @param end end of what may be read; Infinity on a pipe that has not ended
   */
  constructor(
    private readonly source: Source,
    shared: Window,
    private readonly end: () => number
  ) {
    const { seekable } = source
    this.window = seekable ? new Window(source, { reuse: true, readAhead: false, chunkBytes: SEARCH_BYTES }) : shared
    this.pieces = Buffer.alloc(seekable ? SEARCH_BYTES : 0)
  }

  /** Forgets what was found, for a file that has changed. */
  async reset(): Promise<void> {
    this.searched = null
    if (this.source.seekable) await this.window.reset()
  }

  /**
   * Where the first block with a sound trailer begins at or behind `from` (a multiple of 512) and
   * before `to`; null if none does.
   */
  async findTrailed(from: number, to = Number.POSITIVE_INFINITY): Promise<number | null> {
    const known = this.searched
    let start = from
    if (known && known.from <= from) {
      if (known.position !== null && from <= known.position) return known.position < to ? known.position : null
      if (known.position === null && to <= known.to) return null
      if (known.position === null && from <= known.to) start = known.to
    }
    const found = await this.find(start, to, 'trailer')
    const reached = Math.min(to, this.end())
    this.searched = { from: start === from ? from : known!.from, to: reached, position: found?.position ?? null }
    return found?.position ?? null
  }

  /**
   * Of a pipe: where the first block with a sound trailer lies in `[from, to)`, which is in memory
   * and stays there; null if none does.
   */
  async findLoaded(from: number, to: number): Promise<number | null> {
    for (let at = from; at + SECTOR_BYTES <= to; at += SECTOR_BYTES) {
      if (!this.isCandidate(at)) continue
      const extent = blockExtent(this.window.buffer.readUInt32LE(this.window.index(at) + 4))
      if (at + extent <= to && (await this.soundAt(at, 'trailer'))) return at
    }
    return null
  }

  /** The first block at or behind `from` and before `to` that is sound in this way. */
  async find(from: number, to: number, soundness: Soundness): Promise<SoundBlock | null> {
    this.firstCut = -1
    for (let at = from; at < Math.min(this.end(), to); at += SECTOR_BYTES) {
      if (this.window.available(at) < BLOCK_HEADER_BYTES) {
        if ((await this.window.load(at, BLOCK_HEADER_BYTES)) < BLOCK_HEADER_BYTES) return null
      }
      if (!this.isCandidate(at)) continue
      const found = await this.soundAt(at, soundness)
      if (found) return found
    }
    return null
  }

  /** The block at `at` if it is sound, else null. */
  async soundAt(at: number, soundness: Soundness): Promise<SoundBlock | null> {
    if ((await this.window.load(at, BLOCK_HEADER_BYTES)) < BLOCK_HEADER_BYTES || !this.isCandidate(at)) return null
    const valid = this.window.buffer.readUInt32LE(this.window.index(at) + 4)
    if (soundness !== 'plain' && (await this.hasSoundTrailer(at, valid))) return { position: at, hasTrailer: true }
    if (soundness !== 'trailer' && (await this.entriesFill(at, valid))) return { position: at, hasTrailer: false }
    return null
  }

  /**
   * Whether a trailer of the right length lies where the block at `at` should have one; spares
   * loading the block.
   */
  async promisesTrailer(at: number, valid: number): Promise<boolean> {
    return (await this.promisedTrailer(at, blockExtent(valid))) !== null
  }

  /** Whether the block at `at` has a trailer that vouches for it. */
  async hasSoundTrailer(at: number, valid: number): Promise<boolean> {
    const extent = blockExtent(valid)
    if (at + extent > this.end()) return false
    if (this.source.seekable && this.window.available(at) < extent) return this.checkInPieces(at, valid, extent)
    if ((await this.window.load(at, extent)) < extent) return false
    const index = this.window.index(at)
    const trailerAt = findTrailer(this.window.buffer, index, valid, extent)
    return trailerAt >= 0 && checkTrailer(this.window.buffer, index, valid, trailerAt) !== null
  }

  /**
   * Whether the entries of the block at `at` fill it exactly. Memory is taken for what decodes, not
   * for what is claimed.
   */
  async entriesFill(at: number, valid: number): Promise<boolean> {
    const end = at + BLOCK_HEADER_BYTES + valid
    if (!this.source.seekable) return this.entriesFillInMemory(at, valid)
    let position = at + BLOCK_HEADER_BYTES
    while (position < end) {
      const have = Math.min(await this.window.load(position, ENTRY_PREFIX_BYTES + 1), end - position)
      if (have <= ENTRY_PREFIX_BYTES) return false
      const index = this.window.index(position)
      const whole = wholeEntries(this.window.buffer, index, have).bytes
      position += whole
      if (position === end || whole > 0) continue
      const length = this.window.buffer.readUInt32LE(index)
      if (length === 0 || length > end - position - ENTRY_PREFIX_BYTES) return false
      position += ENTRY_PREFIX_BYTES + length
    }
    return position === end
  }

  private async entriesFillInMemory(at: number, valid: number): Promise<boolean> {
    if (!firstEntriesDecode(this.window, at, valid)) return false
    if ((await this.window.load(at, blockStride(valid))) < blockStride(valid)) return false
    return wholeEntries(this.window.buffer, this.window.index(at) + BLOCK_HEADER_BYTES, valid).bytes === valid
  }

  private isCandidate(at: number): boolean {
    const index = this.window.index(at)
    const capacity = this.window.buffer.readUInt32LE(index)
    const valid = this.window.buffer.readUInt32LE(index + 4)
    if (valid === 0 || !isPlausibleHeader(capacity, valid)) return false
    if (!this.source.seekable && valid > MAX_PIPE_CANDIDATE_BYTES) return false
    if (at + blockExtent(valid) > this.end() && this.firstCut < 0) this.firstCut = at
    return at + blockStride(valid) <= this.end()
  }

  /**
   * The 64 bytes where the trailer of a block should stand; null if they are none that tells this
   * length.
   */
  private async promisedTrailer(at: number, extent: number): Promise<Buffer | null> {
    const bytes = Buffer.alloc(TRAILER_BYTES)
    const count = await this.source.read(bytes, 0, TRAILER_BYTES, at + extent - TRAILER_BYTES)
    return count === TRAILER_BYTES && decodeTrailer(bytes, 0)?.length === extent ? bytes : null
  }

  /** Checks a block that does not lie in memory, without taking memory for it. */
  private async checkInPieces(at: number, valid: number, extent: number): Promise<boolean> {
    const trailer = await this.promisedTrailer(at, extent)
    if (!trailer) return false
    let crc = 0
    const end = at + BLOCK_HEADER_BYTES + valid
    for (let position = at; position < end; ) {
      const wanted = Math.min(this.pieces.length, end - position)
      const count = await this.source.read(this.pieces, 0, wanted, position)
      if (count === 0) return false
      crc = checksum(this.pieces, crc, 0, count)
      position += count
    }
    return trailerMatches(trailer, 0, crc)
  }
}

/** Whether the entries of the block at `at` decode as far as they lie in memory. */
function firstEntriesDecode(window: Window, at: number, valid: number): boolean {
  const have = Math.min(valid, window.available(at) - BLOCK_HEADER_BYTES)
  const index = window.index(at) + BLOCK_HEADER_BYTES
  const whole = wholeEntries(window.buffer, index, have).bytes
  if (whole + ENTRY_PREFIX_BYTES > have) return true
  const length = window.buffer.readUInt32LE(index + whole)
  return length > 0 && length <= valid - whole - ENTRY_PREFIX_BYTES
}

/**
 * How many bytes from `at` on have to be there to have one more whole entry than in `have`; 0 if
 * there is none within `wanted`.
 */
function neededFrom(window: Window, at: number, have: number, wanted: number): number {
  if (have >= wanted) return 0
  const start = window.index(at) + BLOCK_HEADER_BYTES
  const whole = wholeEntries(window.buffer, start, have - BLOCK_HEADER_BYTES).bytes
  const next = BLOCK_HEADER_BYTES + whole + ENTRY_PREFIX_BYTES
  if (next > have) return next <= wanted ? next : 0
  const length = window.buffer.readUInt32LE(start + whole)
  return length > 0 && next + length <= wanted ? next + length : 0
}

/**
 * Loads the whole entries at the start of the block at `at`, of which `rest` bytes are there,
 * header included: memory is taken for those alone.
 * @returns their number and bytes; they lie in the window
 */
export async function loadWholeEntries(
  window: Window,
  at: number,
  rest: number
): Promise<{ bytes: number; count: number }> {
  let have = await window.load(at, Math.min(rest, CHUNK_BYTES))
  if (have < BLOCK_HEADER_BYTES) return { bytes: 0, count: 0 }
  const wanted = Math.min(rest, BLOCK_HEADER_BYTES + window.buffer.readUInt32LE(window.index(at) + 4))
  for (let need = neededFrom(window, at, have, wanted); need > have; need = neededFrom(window, at, have, wanted)) {
    const before = have
    have = await window.load(at, Math.min(wanted, Math.max(need, 2 * have)))
    if (have <= before) break
  }
  return wholeEntries(window.buffer, window.index(at) + BLOCK_HEADER_BYTES, Math.min(have, wanted) - BLOCK_HEADER_BYTES)
}

/**
 * Of blocks larger than this the checksum is looked at before they are loaded; and of a pipe, no
 * more is loaded of what may be none.
 */
const HUGE_BLOCK_BYTES = 64 * 1024 * 1024

/** Why what stands somewhere is no block that can be read. */
export interface Problem {
  kind: DamageKind
  message: string
  /** Where the next block starts, counted from this one, if header and trailer tell the same. */
  extent?: number
}

/** A block that is large, or has something inside that looks like a trailer. */
interface Suspect {
  at: number
  valid: number
  /** Blocks with a bad checksum are wanted too. */
  salvage: boolean
}

const noEntries = (valid: number): Problem => ({
  kind: 'bad-header',
  message: `a block header that claims ${valid} bytes which are no entries`
})

const hidesBlocks = (valid: number): Problem => ({
  kind: 'bad-header',
  message: `a block header that claims ${valid} bytes in which other blocks lie`
})

/**
 * What is wrong with a block in a file; null if nothing is: a trailer vouches for it, or its
 * entries fill it and no block with a sound trailer begins inside. Takes no memory for it.
 */
export async function vetFile(resync: Resync, { at, valid, salvage }: Suspect): Promise<Problem | null> {
  if (await resync.promisesTrailer(at, valid)) {
    if (valid <= HUGE_BLOCK_BYTES || salvage || (await resync.hasSoundTrailer(at, valid))) return null
    const message = `a block of ${valid} bytes that does not match its checksum`
    return { kind: 'bad-trailer', message, extent: blockExtent(valid) }
  }
  const hidden = await resync.findTrailed(at + SECTOR_BYTES, at + blockStride(valid))
  if (hidden !== null) return hidesBlocks(valid)
  return (await resync.entriesFill(at, valid)) ? null : noEntries(valid)
}

/**
 * The same of a pipe, of which nothing can be read twice: the block is taken into memory, as long
 * as it may be one.
 */
export async function vetPipe(resync: Resync, window: Window, { at, valid }: Suspect): Promise<Problem | null> {
  const whole = blockStride(valid) + SECTOR_BYTES
  let have = window.available(at)
  for (let ended = false; ; ) {
    if (!firstEntriesDecode(window, at, valid)) return noEntries(valid)
    ended ||= have >= whole
    if (ended && hasTrailer(window, at, valid, have)) return null
    const judged = ended || have >= HUGE_BLOCK_BYTES
    if (judged && (await resync.findLoaded(at + SECTOR_BYTES, at + have)) !== null) return hidesBlocks(valid)
    if (ended) return null
    const more = await window.load(at, Math.min(whole, 2 * have))
    ended = more <= have
    have = more
  }
}

/**
 * Whether the block at `at`, of which `have` bytes lie in memory, has a trailer that vouches for
 * it.
 */
function hasTrailer(window: Window, at: number, valid: number, have: number): boolean {
  const index = window.index(at)
  const trailerAt = findTrailer(window.buffer, index, valid, have)
  return trailerAt >= 0 && checkTrailer(window.buffer, index, valid, trailerAt) !== null
}
