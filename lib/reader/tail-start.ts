import { SECTOR_BYTES, TRAILER_BYTES } from '../format/constants'
import { decodeTrailer } from '../format/trailer'
import { isZero } from './parse-block'
import type { Source } from './source'
import type { LogFormat } from './types'

/** Fill longer than this at the end of a file is not stepped over backwards. */
const MAX_FILL_BYTES = 64 * 1024 * 1024

/** As much of a text is read at once, going backwards. */
const STEP_BYTES = 64 * 1024
const NEWLINE = 0x0a

/** Counts newlines from the end, `wanted` at the most; `at` is where that one is, -1 if there are fewer. */
function countBackwards(bytes: Buffer, wanted: number): { count: number; at: number } {
  let count = 0
  for (let at = bytes.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)) {
    count++
    if (count === wanted) return { count, at }
  }
  return { count, at: -1 }
}

/** Where the last `lines` lines of a text begin; a last one without newline, which may be half written, comes beside them. */
async function lastLines(source: Source, lines: number): Promise<number> {
  const bytes = Buffer.alloc(STEP_BYTES)
  let end = await source.size()
  let missing = lines + 1
  while (end > 0) {
    const start = Math.max(0, end - STEP_BYTES)
    const read = await source.read(bytes, 0, end - start, start)
    const { count, at } = countBackwards(bytes.subarray(0, read), missing)
    if (at >= 0) return start + at + 1
    missing -= count
    end = start
  }
  return 0
}

/**
 * Where to begin to read so that at least the last `entries` entries of a file come.
 * @param format null: an empty file
 */
export function tailStart(source: Source, entries: number, format: LogFormat | null): Promise<number> {
  return format === 'ndjson' ? lastLines(source, entries) : lastBlocks(source, entries)
}

/**
 * Finds a block boundary behind which at least `entries` entries lie, walking backwards along the trailers from the end of a
 * file. 0, the start of the file, where the trailers do not lead that far: older writers' files, damage, a torn tail.
 */
async function lastBlocks(source: Source, entries: number): Promise<number> {
  const sector = Buffer.alloc(SECTOR_BYTES)
  const size = await source.size()
  let end = size - (size % SECTOR_BYTES)
  let fill = 0
  let missing = entries
  while (missing > 0 && end > 0) {
    const count = await source.read(sector, 0, SECTOR_BYTES, end - SECTOR_BYTES)
    if (count < SECTOR_BYTES) return 0
    const trailer = decodeTrailer(sector, SECTOR_BYTES - TRAILER_BYTES)
    if (trailer) {
      if (trailer.length > end || trailer.length % SECTOR_BYTES !== 0 || trailer.length === 0) return 0
      end -= trailer.length
      missing -= trailer.entries
    } else if (isZero(sector, 0, SECTOR_BYTES) && fill < MAX_FILL_BYTES) {
      end -= SECTOR_BYTES
      fill += SECTOR_BYTES
    } else {
      return 0
    }
  }
  return end
}
