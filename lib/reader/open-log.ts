/**
 * Opening a log: what it is, by its bytes or its arena; the scanner for it; and how far it can be
 * read.
 */

import { FORMAT_NDJSON, isArenaHead, isOfThisBoot } from '../arena/arena-file'
import type { LogPlace } from '../arena/locate'
import { ShardlogError } from '../errors'
import { decodeTrailer } from '../format/block'
import { BLOCK_HEADER_BYTES, SECTOR_BYTES, TRAILER_BYTES } from '../format/constants'
import { BlockScanner, type ScannerOptions } from './block-scanner'
import type { FormatChoice, LogFormat, Scanner } from './items'
import { LineScanner, type LineScannerOptions } from './lines'
import { arenaOfLog, hasArena } from './log-place'
import { isPlausibleHeader, wholeEntries } from './parse-block'
import { FileSource, openSource, type Source } from './source'

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

/**
 * Whether a block without trailer, or with one further on, begins at `at`: its entries decode as
 * far as they lie there.
 */
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
 * @param hint asked for what it is taken for if they do not tell
 * @returns null if it is empty, or shorter than a block's header and no text, and there is no hint
 * @throws ShardlogError `ERR_SHARDLOG_FORMAT` if it is neither and there is no hint
 */
async function detectFormat(source: Source, hint: () => LogFormat | null): Promise<LogFormat | null> {
  const head = await source.head()
  if (isArenaHead(head)) throw arenaError(source.path)
  const found = formatOf(head, await lastSector(source)) ?? hint()
  if (found || head.length < BLOCK_HEADER_BYTES) return found
  const { path } = source
  const message =
    `${path} is no log: it begins neither with a block nor with text; ` +
    "the format 'shard' or 'ndjson' can be given, if it is a damaged one"
  throw new ShardlogError('ERR_SHARDLOG_FORMAT', message, { path })
}

/** What either scanner takes, and the format, default 'auto'. */
export type OpenOptions = ScannerOptions & LineScannerOptions & { format?: FormatChoice }

/** What the arena of a log says that the log is; null if there is none that can be read. */
export function formatOfArena(log: LogPlace): LogFormat | null {
  try {
    const arena = arenaOfLog(log)
    if (!arena) return null
    arena.close()
    return arena.format === FORMAT_NDJSON ? 'ndjson' : 'shard'
  } catch {
    // One that may not or cannot be read says nothing; whoever wants to know why asks for it by
    // itself.
    return null
  }
}

/**
 * What a source is: what was asked for, what its bytes say, or, where they do not tell, its arena.
 * @returns null if it is empty, or too short to tell, and nothing else tells
 * @throws ShardlogError `ERR_SHARDLOG_FORMAT` if it is neither
 */
export async function sourceFormat(source: Source, choice: FormatChoice = 'auto'): Promise<LogFormat | null> {
  if (choice !== 'auto') return choice
  return detectFormat(source, () => (source instanceof FileSource ? formatOfArena(source) : null))
}

/** The scanner for a format. */
export function makeScanner(source: Source, format: LogFormat, options: OpenOptions): Scanner {
  return format === 'ndjson' ? new LineScanner(source, options) : new BlockScanner(source, options)
}

/** Whether a source is an arena. */
export async function isArena(source: Source): Promise<boolean> {
  return isArenaHead(await source.head())
}

/**
 * The source of a log; null if there is only its arena.
 * @throws ShardlogError `ERR_SHARDLOG_READ`
 */
export async function openLog(log: LogPlace): Promise<Source | null> {
  try {
    return await openSource(log)
  } catch (error) {
    if ((error as ShardlogError).errno === 'ENOENT' && hasArena(log)) return null
    throw error
  }
}

/**
 * How far a log can be read without meeting a flush that is half done: where its arena says that
 * blocks are being written, or was left writing them when its owner died, or else the present size.
 * Infinity where no arena tells.
 */
export async function stableEnd(source: Source): Promise<number> {
  if (!(source instanceof FileSource)) return Number.POSITIVE_INFINITY
  // The size comes first: what it counts is complete if no flush is under way afterwards.
  const { size, ino } = await source.handle.stat({ bigint: true })
  try {
    const arena = arenaOfLog(source)
    if (!arena) return Number.POSITIVE_INFINITY
    try {
      const state = arena.state()
      if (state.logInode !== ino || !isOfThisBoot(arena.owner)) return Number.POSITIVE_INFINITY
      return state.flushingAt ?? Number(size)
    } finally {
      arena.close()
    }
  } catch {
    // An arena that may not or cannot be read says nothing; whoever wants to know why asks for it
    // by itself.
    return Number.POSITIVE_INFINITY
  }
}
