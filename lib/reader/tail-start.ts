import { SECTOR_BYTES, TRAILER_BYTES } from '../format/constants'
import { decodeTrailer } from '../format/trailer'
import { isZero } from './parse-block'
import type { Source } from './source'

/** Fill longer than this at the end of a file is not stepped over backwards. */
const MAX_FILL_BYTES = 64 * 1024 * 1024

/**
 * Finds a block boundary behind which at least `entries` entries lie, walking backwards along the trailers from the end of a
 * file. 0, the start of the file, where the trailers do not lead that far: older writers' files, damage, a torn tail.
 */
export async function tailStart(source: Source, entries: number): Promise<number> {
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
