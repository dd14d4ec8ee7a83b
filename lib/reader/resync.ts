import {
  BLOCK_HEADER_BYTES,
  blockExtent,
  blockStride,
  ENTRY_PREFIX_BYTES,
  SECTOR_BYTES,
  TRAILER_BYTES
} from '../format/constants'
import { decodeTrailer } from '../format/trailer'
import { checkTrailer, findTrailer, isPlausibleHeader, wholeEntries } from './parse-block'
import type { Source } from './source'
import type { Window } from './window'

/** A candidate on a pipe has to be held in memory as a whole to be checked; larger ones are passed over. */
const MAX_PIPE_CANDIDATE_BYTES = 64 * 1024 * 1024

/** What counts as sound (D3): a trailer that checks, entries that fill the block exactly, or either. */
export type Soundness = 'trailer' | 'plain' | 'any'

export interface SoundBlock {
  position: number
  hasTrailer: boolean
}

/** Looks for sound blocks at 512-boundaries. It slides the window given to it. */
export class Resync {
  constructor(
    private readonly source: Source,
    private readonly window: Window,
    /** End of what may be read; Infinity on a pipe that has not ended. */
    private readonly end: number
  ) {}

  /** The first sound block at or behind `from` (a multiple of 512), or null. */
  async find(from: number, soundness: Soundness): Promise<SoundBlock | null> {
    for (let at = from; at < this.end; at += SECTOR_BYTES) {
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

  private isCandidate(at: number): boolean {
    const index = this.window.index(at)
    const capacity = this.window.buffer.readUInt32LE(index)
    const valid = this.window.buffer.readUInt32LE(index + 4)
    if (valid === 0 || !isPlausibleHeader(capacity, valid)) return false
    if (!this.source.seekable && valid > MAX_PIPE_CANDIDATE_BYTES) return false
    return at + blockStride(valid) <= this.end
  }

  private async hasSoundTrailer(at: number, valid: number): Promise<boolean> {
    const extent = blockExtent(valid)
    if (at + extent > this.end) return false
    if (this.source.seekable && this.window.available(at) < extent && !(await this.promisesTrailer(at, extent)))
      return false
    if ((await this.window.load(at, extent)) < extent) return false
    const index = this.window.index(at)
    const trailerAt = findTrailer(this.window.buffer, index, valid, extent)
    return trailerAt >= 0 && checkTrailer(this.window.buffer, index, valid, trailerAt) !== null
  }

  /** Whether a trailer of the right length lies where the block at `at` should have one; spares loading the block. */
  async promisesTrailer(at: number, extent: number): Promise<boolean> {
    const bytes = Buffer.alloc(TRAILER_BYTES)
    const count = await this.source.read(bytes, 0, TRAILER_BYTES, at + extent - TRAILER_BYTES)
    return count === TRAILER_BYTES && decodeTrailer(bytes, 0)?.length === extent
  }

  private async entriesFill(at: number, valid: number): Promise<boolean> {
    if (!this.firstEntriesDecode(at, valid)) return false
    if ((await this.window.load(at, blockStride(valid))) < blockStride(valid)) return false
    return wholeEntries(this.window.buffer, this.window.index(at) + BLOCK_HEADER_BYTES, valid).bytes === valid
  }

  /** Whether the entries of the block at `at` decode as far as they lie in memory. */
  firstEntriesDecode(at: number, valid: number): boolean {
    const have = Math.min(valid, this.window.available(at) - BLOCK_HEADER_BYTES)
    const index = this.window.index(at) + BLOCK_HEADER_BYTES
    const whole = wholeEntries(this.window.buffer, index, have).bytes
    if (whole + ENTRY_PREFIX_BYTES > have) return true
    const length = this.window.buffer.readUInt32LE(index + whole)
    return length > 0 && length <= valid - whole - ENTRY_PREFIX_BYTES
  }
}
