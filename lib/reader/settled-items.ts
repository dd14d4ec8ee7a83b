import { SECTOR_BYTES } from '../format/constants'
import type { BlockItem, ScanItem } from './types'

function offsetOf(item: ScanItem): number {
  if (item.kind === 'damage') return item.damage.offset
  return item.kind === 'block' ? item.info.offset : item.offset
}

/**
 * What can be believed of items of blocks that were read while a flush began or ended. Blocks are complete if their checksum says so,
 * anything else is looked at again; and what lies behind `limit` is being written now: it is still shown from the arena, and a
 * recovery would cut it off.
 *
 * @param start where the first item was read
 * @param limit file offset of the flush under way; Infinity if none is
 * @returns what stands, and where to read again; null: nowhere
 */
export function settledItems(
  items: readonly ScanItem[],
  start: number,
  limit: number
): { kept: BlockItem[]; again: number | null } {
  const kept: BlockItem[] = []
  for (const item of items) {
    if (item.kind !== 'block' || !item.info.hasTrailer || item.info.offset >= limit) {
      const offset = offsetOf(item)
      return { kept, again: kept.length === 0 ? start : offset - (offset % SECTOR_BYTES) }
    }
    kept.push(item)
  }
  return { kept, again: null }
}
