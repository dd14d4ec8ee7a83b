/** Following logs: where to begin, how to wait for changes, and the rounds over all logs. */

import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import path from 'node:path'
import type { LogPlace } from '../arena/locate'
import { decodeTrailer, type Trailer } from '../format/block'
import { BLOCK_HEADER_BYTES, blockExtent, SECTOR_BYTES, TRAILER_BYTES } from '../format/constants'
import { clearTimeout, setTimeout } from '../timers'
import type { FormatChoice, LogFormat, ScanItem } from './items'
import { LogFollower } from './log-follower'
import { hasArena } from './log-place'
import { isPlausibleHeader } from './parse-block'
import { sortByTime } from './scan-log'
import { FileSource, isGzipped, readError, type Source } from './source'

/** More that is no block, fill or damaged, is not stepped over backwards. */
const MAX_SKIPPED_BYTES = 64 * 1024 * 1024
/** As much of a log of blocks is read at once, going backwards. */
const CHUNK_BYTES = 1024 * 1024

/** As much of a text is read at once, going backwards. */
const STEP_BYTES = 64 * 1024
const NEWLINE = 0x0a

/**
 * Counts newlines from the end, `wanted` at the most; `at` is where that one is, -1 if there are
 * fewer.
 */
function countBackwards(bytes: Buffer, wanted: number): { count: number; at: number } {
  let count = 0
  for (let at = bytes.lastIndexOf(NEWLINE); at >= 0; at = at === 0 ? -1 : bytes.lastIndexOf(NEWLINE, at - 1)) {
    count++
    if (count === wanted) return { count, at }
  }
  return { count, at: -1 }
}

/**
 * Where the last `lines` lines of a text begin; a last one without newline, which may be half
 * written, comes beside them.
 */
async function lastLines(source: Source, lines: number): Promise<number> {
  const bytes = Buffer.alloc(STEP_BYTES)
  let end = await source.size()
  let missing = lines + 1
  while (end > 0) {
    const start = Math.max(0, end - STEP_BYTES)
    const read = await source.read(bytes, 0, end - start, start)
    const { count, at } = countBackwards(bytes.subarray(0, read), missing)
    if (at >= 0) return start + at + 1
    missing -= count
    end = start
  }
  return 0
}

/**
 * Where to begin to read so that at least the last `entries` entries of a file come.
 * @param format null: an empty file
 */
export function tailStart(source: Source, entries: number, format: LogFormat | null): Promise<number> {
  return format === 'ndjson' ? lastLines(source, entries) : lastBlocks(source, entries)
}

/** Reads sectors of a source from its end to its start, many at a time. */
class Backwards {
  private readonly bytes = Buffer.alloc(CHUNK_BYTES)
  private start = 0
  private length = 0

  constructor(private readonly source: Source) {}

  /**
   * Index in `buffer` of `length` bytes at `position`; -1 if they are not there. What lies before
   * them is read along.
   */
  async find(position: number, length: number): Promise<number> {
    if (position < this.start || position + length > this.start + this.length) {
      this.start = Math.max(0, position + length - CHUNK_BYTES)
      this.length = 0
      for (let more = 1; more > 0 && this.start + this.length < position + length; this.length += more) {
        const left = Math.min(CHUNK_BYTES, position + length - this.start) - this.length
        more = await this.source.read(this.bytes, this.length, left, this.start + this.length)
      }
    }
    return position + length > this.start + this.length ? -1 : position - this.start
  }

  get buffer(): Buffer {
    return this.bytes
  }
}

/**
 * The trailer at the end of the sector that ends at `end`, if the header of its block, which is
 * that long before, agrees.
 */
async function blockBefore(sectors: Backwards, index: number, end: number): Promise<Trailer | null> {
  const trailer = decodeTrailer(sectors.buffer, index + SECTOR_BYTES - TRAILER_BYTES)
  if (!trailer || trailer.length > end || trailer.length % SECTOR_BYTES !== 0 || trailer.length === 0) return null
  const header = await sectors.find(end - trailer.length, BLOCK_HEADER_BYTES)
  if (header < 0) return null
  const valid = sectors.buffer.readUInt32LE(header + 4)
  return isPlausibleHeader(sectors.buffer.readUInt32LE(header), valid) && blockExtent(valid) === trailer.length
    ? trailer
    : null
}

/**
 * Finds a block boundary behind which at least `entries` entries lie, walking backwards along the
 * trailers from the end of a file, over fill and what is damaged. 0, the start of the file, where
 * the trailers do not lead that far: older writers' files.
 */
async function lastBlocks(source: Source, entries: number): Promise<number> {
  const size = await source.size()
  const sectors = new Backwards(source)
  let end = size - (size % SECTOR_BYTES)
  let skipped = 0
  let missing = entries
  while (missing > 0 && end > 0) {
    const index = await sectors.find(end - SECTOR_BYTES, SECTOR_BYTES)
    if (index < 0) return 0
    const trailer = await blockBefore(sectors, index, end)
    if (trailer) {
      end -= trailer.length
      missing -= trailer.entries
      skipped = 0
    } else if (skipped < MAX_SKIPPED_BYTES) {
      end -= SECTOR_BYTES
      skipped += SECTOR_BYTES
    } else {
      return 0
    }
  }
  return end
}

/**
 * How long a change may go unnoticed where the kernel tells nothing: memory written through an
 * arena's mapping.
 */
const POLL_MS = 100

/**
 * Waits until files may have changed: a watch on their directories wakes it early, a timer at the
 * latest.
 */
class ChangeWaiter {
  private readonly watchers: FSWatcher[] = []
  private wake: (() => void) | null = null
  private changed = false

  constructor(
    paths: readonly string[],
    private readonly signal?: AbortSignal
  ) {
    const names = new Set(paths.map(file => path.resolve(file)))
    for (const folder of new Set([...names].map(file => path.dirname(file)))) this.watch(folder, names)
    signal?.addEventListener('abort', this.notify)
  }

  /** Resolves at a change, after a tenth of a second, or when the signal fires. */
  async wait(): Promise<void> {
    if (!this.changed && !this.signal?.aborted) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, POLL_MS)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.wake = null
    this.changed = false
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close()
    this.signal?.removeEventListener('abort', this.notify)
    this.notify()
  }

  private readonly notify = (): void => {
    this.changed = true
    this.wake?.()
  }

  private watch(folder: string, names: Set<string>): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || names.has(path.join(folder, name))) this.notify()
      })
      // A watch that breaks (limits, network file systems) leaves the timer, which is enough.
      watcher.on('error', () => watcher.close())
      this.watchers.push(watcher)
    } catch {
      // No watches to be had here; the timer is enough.
    }
  }
}

export interface FollowOptions {
  format?: FormatChoice
  salvage: boolean
  byTime: boolean
  signal: AbortSignal | undefined
}

/** One round over all followers; null if none has anything. */
async function roundOf(followers: LogFollower[], byTime: boolean): Promise<ScanItem[] | null> {
  const rounds = await Promise.all(followers.map(follower => follower.round()))
  if (rounds.every(items => items === null)) return null
  const items = rounds.flatMap(found => found ?? [])
  return byTime ? sortByTime(items) : items
}

/** Batches of all that is in the followed logs and of all that comes, until the signal fires. */
export async function* runFollowers(
  followers: LogFollower[],
  options: FollowOptions
): AsyncGenerator<ScanItem[], void> {
  const { byTime, signal } = options
  const paths = followers.map(follower => follower.log.path)
  const waiter = new ChangeWaiter(paths, signal)
  try {
    while (!signal?.aborted) {
      const items = await roundOf(followers, byTime)
      if (items === null) await waiter.wait()
      else if (items.length > 0) yield items
    }
  } finally {
    waiter.close()
    for (const follower of followers) await follower.close()
  }
}

/**
 * @throws ShardlogError `ERR_SHARDLOG_READ` if there is neither a log nor its arena, or what is
 *   there cannot be followed
 */
export async function checkFollowed(log: LogPlace): Promise<void> {
  try {
    // A pipe is not opened: it would be waited for.
    const stats = await stat(log.path)
    if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
    if (!stats.isFile()) throw new Error('a pipe or a device can be read, but not followed')
    const source = await FileSource.open(log)
    const isCompressed = await isGzipped(source).finally(() => source.close())
    if (isCompressed) throw new Error('a gzipped log can be read, but not followed')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !hasArena(log)) throw readError(log.path, error)
  }
}

/**
 * @throws ShardlogError `ERR_SHARDLOG_READ` if a file is missing at the start; later it may come
 *   and go.
 */
export async function* followFiles(
  logs: readonly LogPlace[],
  options: FollowOptions
): AsyncGenerator<ScanItem[], void> {
  const { salvage, format = 'auto' } = options
  for (const log of logs) await checkFollowed(log)
  const followers = logs.map(log => new LogFollower(log, { salvage, format, follow: true }))
  yield* runFollowers(followers, options)
}
