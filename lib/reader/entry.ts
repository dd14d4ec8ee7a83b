import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { lineEnds } from './lines'
import type { BlockInfo, BlockItem, LinesItem } from './types'

/** One entry, as it was logged; of a text one line, newline included. */
export class Entry {
  constructor(
    /** The block it stands in, with the times and the producer that the block knows. */
    readonly block: BlockInfo,
    private readonly data: Buffer,
    private readonly start: number,
    private readonly end: number,
    /** Where its payload starts: in the log, or in the arena if `block.source` is 'arena'. */
    readonly offset: number
  ) {}

  /** Bytes of the payload. */
  get length(): number {
    return this.end - this.start
  }

  /**
   * The payload, verbatim. A view of the chunk of up to some MiB that was read: to keep one for long, copy it with
   * `Buffer.from(entry.bytes)`, or it keeps the chunk alive.
   */
  get bytes(): Buffer {
    return this.data.subarray(this.start, this.end)
  }

  /** The payload decoded as UTF-8, with no newline added or removed. */
  get text(): string {
    return this.data.toString('utf8', this.start, this.end)
  }

  toString(): string {
    return this.text
  }
}

function collectLines(item: LinesItem, entries: Entry[]): void {
  const { path, offset, data, start, end } = item
  const ends = [...lineEnds(item)]
  const counts = { valid: end - start, entries: ends.length }
  const info: BlockInfo = { path, offset, source: 'file', ...counts, hasTrailer: false, recovered: false }
  let at = start
  for (const lineEnd of ends) {
    entries.push(new Entry(info, data, at, lineEnd, offset + at - start))
    at = lineEnd
  }
}

/** Appends the entries of a block, or lines, to `entries`. The scanner has checked that they decode. */
export function collectEntries(item: BlockItem | LinesItem, entries: Entry[]): void {
  if (item.kind === 'lines') {
    collectLines(item, entries)
    return
  }
  const { info, data, end } = item
  const shift = info.offset + item.skipped - item.start
  let at = item.start
  for (let i = 0; at < end; i++) {
    const start = at + ENTRY_PREFIX_BYTES
    at = start + data.readUInt32LE(at)
    entries.push(new Entry(info, data, start, at, item.offsets?.[i] ?? start + shift))
  }
}
