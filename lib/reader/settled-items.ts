import { SECTOR_BYTES } from '../format/constants'
import type { LinesItem, ScanItem } from './types'

const NEWLINE = 0x0a

/** The whole lines that end at `limit` or before it. */
function linesBefore(item: LinesItem, limit: number): LinesItem | null {
  const most = item.start + Math.max(0, limit - item.offset)
  if (most >= item.end) return item
  const end = item.start + item.data.subarray(item.start, most).lastIndexOf(NEWLINE) + 1
  return end > item.start ? { ...item, end } : null
}

/** What of an item can be believed; null: nothing. */
function settled(item: ScanItem, limit: number): ScanItem | null {
  if (item.kind === 'lines') return linesBefore(item, limit)
  if (item.kind === 'block') return item.info.hasTrailer && item.info.offset < limit ? item : null
  return item.kind === 'damage' && item.damage.kind === 'long-line' && item.damage.offset < limit ? item : null
}

function offsetOf(item: ScanItem): number {
  if (item.kind === 'damage') return item.damage.offset
  return item.kind === 'block' ? item.info.offset : item.offset
}

/**
 * What can be believed of items that were read while a flush began or ended. Blocks are complete if their checksum says so; lines
 * are, if they stand in front of what is being written. Anything else is looked at again, as is what lies behind `limit`: it is
 * being written now, and still shown from the arena, and a recovery would cut it off.
 *
 * @param start where the first item was read
 * @param limit file offset of the flush under way; Infinity if none is
 * @returns what stands, and where to read again; null: nowhere
 */
export function settledItems(
  items: readonly ScanItem[],
  start: number,
  limit: number
): { kept: ScanItem[]; again: number | null } {
  const kept: ScanItem[] = []
  for (const item of items) {
    const part = settled(item, limit)
    if (part) kept.push(part)
    if (part === item) continue
    if (part?.kind === 'lines') return { kept, again: part.offset + part.end - part.start }
    if (kept.length === 0) return { kept, again: start }
    const offset = offsetOf(item)
    return { kept, again: item.kind === 'lines' ? offset : offset - (offset % SECTOR_BYTES) }
  }
  return { kept, again: null }
}
