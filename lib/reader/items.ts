/**
 * What readers deliver: the blocks or lines of a log, their entries, and the damage that was found.
 */

import { ShardlogError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'

/** What a log is: blocks with entries, or lines of text and nothing else, each of them JSON. */
export type LogFormat = 'shard' | 'ndjson'

/**
 * What a block says of itself; for lines of text, which have no blocks, those that were read at
 * once. Times are nanoseconds since the Unix epoch; what only a trailer tells is undefined without
 * one.
 */
export interface BlockInfo {
  /** File the block was read from, or will lie in. */
  readonly path: string
  /** Where the block starts: in the log, or in the arena if `source` is 'arena'. */
  readonly offset: number
  readonly source: 'file' | 'arena'
  /** Bytes of entries, length prefixes included. */
  readonly valid: number
  readonly entries: number
  readonly hasTrailer: boolean
  /** Written by recovery after a crash. */
  readonly recovered: boolean
  readonly stream?: bigint
  readonly sequence?: bigint
  readonly firstTime?: bigint
  readonly lastTime?: bigint
  readonly generation?: number
  readonly segment?: number
  readonly producer?: number
}

/**
 * Kinds of damage.
 * - `torn-tail`: the last block claims more bytes than the file has; its whole entries are
 *   delivered. Or the last line has no newline and is only the beginning of JSON; not delivered
 * - `bad-trailer`: a block whose checksum, magic or version does not match; not delivered
 * - `bad-header`, `bad-entry`: a block that cannot be decoded
 * - `foreign`: bytes that are no block: text or data of another program
 * - `missing-trailer`: a block without trailer in a file in which others have one; delivered
 * - `nonzero-padding`: bytes that have to be zero are not; the block beside them is delivered
 * - `sequence-hole`: blocks are missing from a stream; `sequence-repeat`: a block stands in the
 *   file twice
 * - `bad-record`: a record in an arena of which no line can be made; `path` and `offset` are the
 *   arena's
 * - `bad-arena`: what lies at the place of the log's arena is none that can be read; what waits
 *   there is not shown
 * - `bad-line`: a line that is no JSON, not UTF-8, or empty; delivered, since only `verifyLog`
 *   looks
 * - `bad-gzip`: gzipped data that is cut off or damaged; what stands before is delivered
 * - `long-line`: a line of more than 64 MiB; not delivered
 * - `replaced`: a followed file shrank or was replaced before it was read to its end
 */
export type DamageKind =
  | 'torn-tail'
  | 'bad-trailer'
  | 'bad-header'
  | 'bad-entry'
  | 'foreign'
  | 'missing-trailer'
  | 'nonzero-padding'
  | 'sequence-hole'
  | 'sequence-repeat'
  | 'bad-record'
  | 'bad-arena'
  | 'bad-line'
  | 'bad-gzip'
  | 'long-line'
  | 'replaced'

export interface Damage {
  readonly kind: DamageKind
  readonly path: string
  /** First damaged byte of the file. */
  readonly offset: number
  /** Damaged bytes; 0 where bytes are missing rather than wrong. */
  readonly length: number
  /** What is wrong and what became of the bytes, for a person. */
  readonly message: string
}

/**
 * Entries that lie back to back in `data[start, end)`: all of one block, or those of it not shown
 * before.
 */
export interface BlockItem {
  readonly kind: 'block'
  readonly info: BlockInfo
  readonly data: Buffer
  /** Index in `data` of the first length prefix. */
  readonly start: number
  /** Index in `data` behind the last payload. */
  readonly end: number
  /** Bytes of the block before `start`: the block's header, and entries left out. */
  readonly skipped: number
  /**
   * Where each entry's payload lies, if it was not taken from `info.offset` on as it lies there:
   * rendered records.
   */
  readonly offsets?: readonly number[]
}

/**
 * Lines that lie back to back in `data[start, end)`, newlines included; the last line of a file may
 * have none.
 */
export interface LinesItem {
  readonly kind: 'lines'
  readonly path: string
  /** Where they start in the file. */
  readonly offset: number
  readonly data: Buffer
  readonly start: number
  readonly end: number
  /** The last of them is a part of a line, which goes on in the next item. Only with `pieces`. */
  readonly goesOn?: boolean
  /** Nanoseconds since the epoch; of single lines, where somebody has asked for it. */
  readonly time?: bigint | undefined
}

export interface FillItem {
  readonly kind: 'fill'
  readonly offset: number
  /** Bytes of the whole run of fill. */
  length: number
}

export interface DamageReport {
  readonly kind: 'damage'
  readonly damage: Damage
}

export type ScanItem = BlockItem | LinesItem | FillItem | DamageReport

/** Walks a log from front to back, in memory that does not grow with it. */
export interface Scanner {
  /** What is to be read next. */
  position: number
  /** Bytes from this position on are not to be read yet. */
  limit: number
  /**
   * What comes next, in file order; null at the end. In a growing file, null only means: nothing
   * more at present.
   */
  next(): Promise<ScanItem[] | null>
  /**
   * Takes back what the last call of `next` gave, but for the blocks `kept` from its start;
   * `position` is to be read next.
   */
  rewind(position: number, kept: readonly BlockItem[]): void
  /** Waits for a read under way. Does not close the source. */
  close(): Promise<void>
}

/** What a reader is told: 'auto' to look for itself. */
export type FormatChoice = 'auto' | LogFormat
export const FORMAT_CHOICES: readonly FormatChoice[] = ['auto', 'shard', 'ndjson']

/** What `strict` throws at the first damage; `cause` is the Damage. */
export function damageError(damage: Damage): ShardlogError {
  const message = `${damage.path}, offset ${damage.offset}: ${damage.message}`
  return new ShardlogError('ERR_SHARDLOG_CORRUPT', message, { path: damage.path, cause: damage })
}

const NEWLINE = 0x0a
/** So many bytes are looked at before the call that looks at all is worth it. */
const NEAR_BYTES = 24

/** Where the line that begins at `start` ends in `data[start, end)`, its newline included. */
export function lineEnd(data: Buffer, start: number, end: number): number {
  const near = Math.min(end, start + NEAR_BYTES)
  for (let at = start; at < near; at++) if (data[at] === NEWLINE) return at + 1
  if (near === end) return end
  const newline = data.indexOf(NEWLINE, near)
  return newline < 0 || newline >= end ? end : newline + 1
}

/** Where each line ends in `data`, its newline included. */
export function* lineEnds({ data, start, end }: { data: Buffer; start: number; end: number }): Generator<number, void> {
  for (let at = start; at < end; ) {
    at = lineEnd(data, at, end)
    yield at
  }
}

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
   * The payload, verbatim. A view of the chunk of up to some MiB that was read: to keep one for
   * long, copy it with `Buffer.from(entry.bytes)`, or it keeps the chunk alive.
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
 * Appends the entries of lines from index `from` of their data on, `most` of them at the most,
 * which count as one block.
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
 * The entries of a block, or of lines, in order, so many at a time at the most: of tiny ones an
 * object each would take far more memory than they do. The scanner has checked that they decode.
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

/**
 * Appends `most` entries of a block at the most, from index `at` of its data on, which is that of
 * entry `done`. Returns the index behind.
 */
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
