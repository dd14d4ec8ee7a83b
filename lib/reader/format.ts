import { isArenaHead } from '../arena/arena-file'
import { ShardlogError } from '../errors'
import { decodeTrailer } from '../format/block'
import { BLOCK_HEADER_BYTES, SECTOR_BYTES, TRAILER_BYTES } from '../format/constants'
import { isPlausibleHeader, wholeEntries } from './parse-block'
import type { Source } from './source'
import type { LogFormat } from './types'

/** What a reader is told: 'auto' to look for itself. */
export type FormatChoice = 'auto' | LogFormat
export const FORMAT_CHOICES: readonly FormatChoice[] = ['auto', 'shard', 'ndjson']

/** As many bytes of a text have to be text. */
const TEXT_BYTES = 8
const ESCAPE = 0x1b

function isTextByte(byte: number): boolean {
  return (byte >= 0x20 && byte !== 0x7f) || (byte >= 0x09 && byte <= 0x0d) || byte === ESCAPE
}

function hasTrailer(bytes: Buffer): boolean {
  for (let end = SECTOR_BYTES; end <= bytes.length; end += SECTOR_BYTES) {
    if (decodeTrailer(bytes, end - TRAILER_BYTES)) return true
  }
  return false
}

/** Whether a block without trailer, or with one further on, begins at `at`: its entries decode as far as they lie there. */
function beginsBlock(bytes: Buffer, at: number): boolean {
  if (bytes.length < at + BLOCK_HEADER_BYTES) return false
  const valid = bytes.readUInt32LE(at + 4)
  if (valid === 0 || !isPlausibleHeader(bytes.readUInt32LE(at), valid)) return false
  const start = at + BLOCK_HEADER_BYTES
  const have = Math.min(valid, bytes.length - start)
  const whole = wholeEntries(bytes, start, have).bytes
  if (have - whole < 4) return whole === have || have < valid
  const length = bytes.readUInt32LE(start + whole)
  return have < valid && length > 0 && length <= valid - whole - 4
}

/**
 * What bytes from the start of a log say that it is; null if they do not tell.
 *
 * @param head the first bytes
 * @param last the last sector, empty if there is none
 */
export function formatOf(head: Buffer, last: Buffer): LogFormat | null {
  // No text has a trailer; a log may have text in front of it, or zeros.
  if (hasTrailer(head) || hasTrailer(last)) return 'shard'
  const first = head.findIndex(byte => byte !== 0)
  if (first < 0) return head.length >= BLOCK_HEADER_BYTES ? 'shard' : null
  if (head.subarray(first, first + TEXT_BYTES).every(isTextByte)) return 'ndjson'
  return beginsBlock(head, first - (first % SECTOR_BYTES)) ? 'shard' : null
}

async function lastSector(source: Source): Promise<Buffer> {
  const size = source.seekable ? await source.size() : 0
  const bytes = Buffer.alloc(SECTOR_BYTES)
  const position = size - (size % SECTOR_BYTES) - SECTOR_BYTES
  if (position < 0) return bytes.subarray(0, 0)
  return bytes.subarray(0, await source.read(bytes, 0, SECTOR_BYTES, position))
}

function arenaError(path: string): ShardlogError {
  const message = `${path} is an arena, not a log; a file of it can be printed, what comes out of a pipe or is followed cannot`
  return new ShardlogError('ERR_SHARDLOG_FORMAT', message, { path })
}

/**
 * What a log is, by its bytes.
 *
 * @param hint what it is taken for if they do not tell
 * @returns null if it is empty, or shorter than a block's header and no text, and there is no hint
 * @throws ShardlogError `ERR_SHARDLOG_FORMAT` if it is neither and there is no hint
 */
export async function detectFormat(source: Source, hint: LogFormat | null): Promise<LogFormat | null> {
  const head = await source.head()
  if (isArenaHead(head)) throw arenaError(source.path)
  const found = formatOf(head, await lastSector(source)) ?? hint
  if (found || head.length < BLOCK_HEADER_BYTES) return found
  const { path } = source
  const message =
    `${path} is no log: it begins neither with a block nor with text; ` +
    "the format 'shard' or 'ndjson' can be given, if it is a damaged one"
  throw new ShardlogError('ERR_SHARDLOG_FORMAT', message, { path })
}
