import { createHash } from 'node:crypto'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { collectEntries, type Entry } from './entry'
import { lineEnds } from './lines'
import { ShownEntries } from './shown-entries'
import type { BlockItem, LinesItem, ScanItem } from './types'

/** As good as the line itself, and mostly shorter. */
function digest(line: Buffer): string {
  return createHash('sha256').update(line).digest('base64')
}

/**
 * What has been shown out of arenas of records. The lines stand in the log in another order and at other places than their records
 * in the arena, so a line that comes out of the log is known by its bytes: of those that a generation holds several times, as
 * many are left out as were shown.
 */
export class ShownLines {
  /** How far each segment has been shown. */
  readonly ends = new ShownEntries()
  /** By stream and generation: the lines that were shown and have not come out of the log yet. */
  private readonly streams = new Map<bigint, Map<number, Map<string, number>>>()

  mark(stream: bigint, generation: number, line: Buffer): void {
    const generations = this.streams.get(stream) ?? new Map<number, Map<string, number>>()
    this.streams.set(stream, generations)
    const lines = generations.get(generation) ?? new Map<string, number>()
    generations.set(generation, lines)
    const key = digest(line)
    lines.set(key, (lines.get(key) ?? 0) + 1)
  }

  /** The items without the lines that were shown before. */
  filter(items: readonly ScanItem[]): ScanItem[] {
    return items.flatMap((item): ScanItem[] => {
      if (item.kind === 'lines') return this.unseenLines(item)
      return item.kind === 'block' ? this.unseen(item) : [item]
    })
  }

  /** Forgets the generations below `written`: the log has been read past them. */
  forgetBelow(stream: bigint, written: bigint): void {
    this.ends.forgetBelow(stream, written)
    const kept = [written & 0xffff_ffffn, (written + 1n) & 0xffff_ffffn].map(Number)
    const generations = this.streams.get(stream)
    for (const generation of generations?.keys() ?? []) {
      if (!kept.includes(generation)) generations?.delete(generation)
    }
  }

  /** Forgets all streams but `stream`: their arenas are gone and the log has been read to its end. */
  forgetOthers(stream: bigint | null): void {
    this.ends.forgetOthers(stream)
    for (const other of this.streams.keys()) if (other !== stream) this.streams.delete(other)
  }

  /**
   * The runs of lines of a text that were not shown yet. A text does not tell which generation its lines are of: each is taken for the
   * oldest that has such a line.
   */
  private unseenLines(item: LinesItem): LinesItem[] {
    const shown = [...this.streams.values()].flatMap(generations => [...generations.values()])
    if (shown.every(lines => lines.size === 0)) return [item]
    const runs: LinesItem[] = []
    let start = item.start
    for (const end of lineEnds(item)) {
      const key = digest(item.data.subarray(start, end))
      if (!shown.some(lines => takeOne(lines, key))) {
        const last = runs.at(-1)
        if (last?.end === start) runs[runs.length - 1] = { ...last, end }
        else runs.push({ ...item, offset: item.offset + start - item.start, start, end })
      }
      start = end
    }
    return runs
  }

  /** The runs of a block of the log that were not shown yet. */
  private unseen(block: BlockItem): BlockItem[] {
    const { stream, generation } = block.info
    if (stream === undefined || generation === undefined) return [block]
    const lines = this.streams.get(stream)?.get(generation)
    if (!lines || lines.size === 0) return [block]
    const entries: Entry[] = []
    collectEntries(block, entries)
    const runs: BlockItem[] = []
    let at = block.start
    for (const entry of entries) {
      const start = at
      at += ENTRY_PREFIX_BYTES + entry.length
      if (takeOne(lines, digest(entry.bytes))) continue
      const last = runs.at(-1)
      if (last?.end === start) runs[runs.length - 1] = { ...last, end: at }
      else runs.push({ ...block, start, end: at, skipped: block.skipped + start - block.start })
    }
    return runs
  }
}

/** Whether `lines` had one more of `key`. */
function takeOne(lines: Map<string, number>, key: string): boolean {
  const count = lines.get(key)
  if (count === undefined) return false
  if (count > 1) lines.set(key, count - 1)
  else lines.delete(key)
  return true
}
