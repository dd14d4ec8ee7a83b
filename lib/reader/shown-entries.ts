import { BLOCK_HEADER_BYTES } from '../format/constants'
import type { BlockItem, ScanItem } from './types'

/**
 * What has been shown out of arenas, so that it is not shown again when it stands in the log: per stream, generation and
 * segment the end of the last entry shown. A block's trailer names all three.
 */
export class ShownEntries {
  private readonly streams = new Map<bigint, Map<number, Map<number, number>>>()

  /** End of the last entry shown of a segment, from its start; 8 if none was. Generations count modulo 2^32. */
  end(stream: bigint, generation: number, segment: number): number {
    return this.streams.get(stream)?.get(generation)?.get(segment) ?? BLOCK_HEADER_BYTES
  }

  mark(stream: bigint, generation: number, segment: number, end: number): void {
    const generations = this.streams.get(stream) ?? new Map<number, Map<number, number>>()
    this.streams.set(stream, generations)
    const segments = generations.get(generation) ?? new Map<number, number>()
    generations.set(generation, segments)
    segments.set(segment, end)
  }

  /** The part of a block of the log that was not shown yet; null if all of it was. */
  unseen(block: BlockItem): BlockItem | null {
    const { stream, generation, segment } = block.info
    if (stream === undefined || generation === undefined || segment === undefined) return block
    const shown = this.end(stream, generation, segment) - BLOCK_HEADER_BYTES
    if (shown === 0) return block
    const start = block.start + shown
    return start < block.end ? { ...block, start, skipped: block.skipped + shown } : null
  }

  /** The items without what was shown before. */
  filter(items: readonly ScanItem[]): ScanItem[] {
    const left: ScanItem[] = []
    for (const item of items) {
      const rest = item.kind === 'block' ? this.unseen(item) : item
      if (rest) left.push(rest)
    }
    return left
  }

  /** Forgets the generations below `written`: the log has been read past them. */
  forgetBelow(stream: bigint, written: bigint): void {
    const generations = this.streams.get(stream)
    if (!generations) return
    const kept = [written & 0xffff_ffffn, (written + 1n) & 0xffff_ffffn].map(Number)
    for (const generation of generations.keys()) if (!kept.includes(generation)) generations.delete(generation)
  }

  /** Forgets all streams but `stream`: their arenas are gone and the log has been read to its end. */
  forgetOthers(stream: bigint | null): void {
    for (const other of this.streams.keys()) if (other !== stream) this.streams.delete(other)
  }
}
