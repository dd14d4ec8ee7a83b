import { blockExtent, blockStride, SECTOR_BYTES } from '../format/constants'
import { checkTrailer, findTrailer } from './parse-block'
import { firstEntriesDecode, type Resync } from './resync'
import type { DamageKind } from './types'
import type { Window } from './window'

/** Of blocks larger than this the checksum is looked at before they are loaded; and of a pipe, no more is loaded of what may be none. */
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
 * What is wrong with a block in a file; null if nothing is: a trailer vouches for it, or its entries fill it and no block with a sound
 * trailer begins inside. Takes no memory for it.
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

/** The same of a pipe, of which nothing can be read twice: the block is taken into memory, as long as it may be one. */
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

/** Whether the block at `at`, of which `have` bytes lie in memory, has a trailer that vouches for it. */
function hasTrailer(window: Window, at: number, valid: number, have: number): boolean {
  const index = window.index(at)
  const trailerAt = findTrailer(window.buffer, index, valid, have)
  return trailerAt >= 0 && checkTrailer(window.buffer, index, valid, trailerAt) !== null
}
