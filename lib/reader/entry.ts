import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { lineEnd } from './lines'
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

/**
 * Appends the entries of lines from index `from` of their data on, `most` of them at the most, which count as one block.
 * @returns index behind the last of them
 */
export function collectLines(item: LinesItem, entries: Entry[], from: number, most: number): number {
  const { path, data, end } = item
  const offset = item.offset + from - item.start
  const source = 'file' as const
  const counts = { valid: 0, entries: 0 }
  const info: BlockInfo = Object.assign(counts, { path, offset, source, hasTrailer: false, recovered: false })
  let at = from
  for (; at < end && counts.entries < most; counts.entries++) {
    const start = at
    at = lineEnd(data, start, end)
    entries.push(new Entry(info, data, start, at, offset + start - from))
  }
  counts.valid = at - from
  return at
}

/**
 * The entries of a block, or of lines, in order, so many at a time at the most: of tiny ones an object each would take far more memory than
 * they do. The scanner has checked that they decode.
 */
export function* entrySlices(item: BlockItem | LinesItem, most: number): Generator<Entry[], void> {
  let at = item.start
  let done = 0
  while (at < item.end) {
    const entries: Entry[] = []
    at =
      item.kind === 'lines' ? collectLines(item, entries, at, most) : collectOfBlock(item, entries, { at, done, most })
    done += entries.length
    yield entries
  }
}

/** Appends the entries of a block, or lines, to `entries`. */
export function collectEntries(item: BlockItem | LinesItem, entries: Entry[]): void {
  for (const slice of entrySlices(item, Number.POSITIVE_INFINITY)) for (const entry of slice) entries.push(entry)
}

/** Appends `most` entries of a block at the most, from index `at` of its data on, which is that of entry `done`. Returns the index behind. */
function collectOfBlock(
  item: BlockItem,
  entries: Entry[],
  { at, done, most }: { at: number; done: number; most: number }
): number {
  const { info, data, end } = item
  const shift = info.offset + item.skipped - item.start
  let next = at
  for (let i = done; next < end && entries.length < most; i++) {
    const start = next + ENTRY_PREFIX_BYTES
    next = start + data.readUInt32LE(next)
    entries.push(new Entry(info, data, start, next, item.offsets?.[i] ?? start + shift))
  }
  return next
}
