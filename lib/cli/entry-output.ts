import { isUtf8 } from 'node:buffer'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import type { BlockItem, LinesItem, ScanItem } from '../reader/items'
import { type Entry, entrySlices } from '../reader/items'
import type { FdWriter } from './fd-writer'

export const NEWLINE = 0x0a

/** Nanoseconds since the epoch as ISO 8601 with all nine digits. */
export function isoTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`
}

/** One JSON object a line: text where the bytes are UTF-8, base64 where not. */
export function entryJson(entry: Entry, withPath: boolean): string {
  const { bytes, block } = entry
  const line = {
    ...(withPath ? { path: block.path } : {}),
    offset: entry.offset,
    ...(block.source === 'arena' ? { waiting: true } : {}),
    ...(block.firstTime === undefined ? {} : { time: isoTime(block.firstTime) }),
    ...(block.producer === undefined ? {} : { producer: block.producer }),
    ...(isUtf8(bytes) ? { text: entry.text } : { base64: bytes.toString('base64') })
  }
  return `${JSON.stringify(line)}\n`
}

/**
 * Turns a block's entries into lines where they lie, from index `out` on, which is not behind the block's first entry: each
 * length prefix frees four bytes, a missing newline takes one.
 * @returns index behind the last line.
 */
function packLines(item: BlockItem, from: number): number {
  const { data, end } = item
  let at = item.start
  let out = from
  while (at < end) {
    const start = at + ENTRY_PREFIX_BYTES
    at = start + data.readUInt32LE(at)
    const ended = data[at - 1] === NEWLINE
    data.copyWithin(out, start, at)
    out += at - start
    if (!ended) data[out++] = NEWLINE
  }
  return out
}

/** Collects lines as they are, with a newline behind the last one of a file. */
function addText({ data, start, end, goesOn }: LinesItem, writer: FdWriter): void {
  writer.add(data.subarray(start, end))
  if (!goesOn && (end === start || data[end - 1] !== NEWLINE)) writer.add('\n')
}

/** Writes the blocks or lines of one batch as lines, overwriting their memory: the batch must be of a scanner of our own. */
export async function writeLines(items: readonly ScanItem[], writer: FdWriter): Promise<void> {
  let data: Buffer | null = null
  let first = 0
  let end = 0
  const addPacked = () => {
    if (data) writer.add(data.subarray(first, end))
    data = null
  }
  for (const item of items) {
    if (item.kind === 'lines') {
      addPacked()
      addText(item, writer)
    }
    if (item.kind !== 'block') continue
    // Blocks that stand one behind the other become lines that do; those of a batch in another order each stay at their place.
    if (data !== item.data || item.start < end) {
      addPacked()
      first = end = item.start
    }
    data = item.data
    end = packLines(item, end)
  }
  addPacked()
  await writer.flush()
}

/** As many entries are objects at once. */
const SLICE_ENTRIES = 8192

/** Writes the entries of one batch as `print` has them. */
export async function writeEntries(
  items: readonly ScanItem[],
  writer: FdWriter,
  print: (entry: Entry) => string
): Promise<void> {
  for (const item of items) {
    if (item.kind !== 'block' && item.kind !== 'lines') continue
    for (const entries of entrySlices(item, SLICE_ENTRIES)) {
      for (const entry of entries) {
        writer.add(print(entry))
        if (writer.isFull) await writer.flush()
      }
    }
  }
  await writer.flush()
}
