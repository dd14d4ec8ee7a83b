import { collectEntries, type Entry } from './entry'
import { damageError } from './errors'
import { followFiles } from './follow'
import { checkReadArguments, type ReadOptions } from './read-options'
import { scanFiles } from './scan-files'
import { scanByTime } from './time-order'
import type { ScanItem } from './types'

function scan(paths: readonly string[], options: ReadOptions): AsyncGenerator<ScanItem[], void> {
  const { salvage = false, format = 'auto', signal } = options
  const byTime = options.order === 'time'
  if (options.follow) return followFiles(paths, { salvage, format, byTime, signal })
  return byTime ? scanByTime(paths, { salvage, format }) : scanFiles(paths, { salvage, format })
}

/** Entries one by one. A promise that is resolved already costs far less than an async generator's two a step. */
class EntryIterator implements AsyncIterableIterator<Entry> {
  private batch: Entry[] = []
  private at = 0

  constructor(private readonly batches: AsyncGenerator<Entry[], void>) {}

  next(): Promise<IteratorResult<Entry, undefined>> {
    const value = this.batch[this.at]
    if (value === undefined) return this.refill()
    this.at++
    return Promise.resolve({ done: false, value })
  }

  async return(): Promise<IteratorResult<Entry, undefined>> {
    this.batch = []
    await this.batches.return()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private async refill(): Promise<IteratorResult<Entry, undefined>> {
    const step = await this.batches.next()
    this.batch = step.done ? [] : step.value
    this.at = 1
    const value = this.batch[0]
    return value === undefined ? { done: true, value: undefined } : { done: false, value }
  }
}

/** What `readLog` returns: entries one by one, or in batches for those who read a lot. Each iteration reads anew. */
export class LogEntries implements AsyncIterable<Entry> {
  constructor(
    private readonly paths: readonly string[],
    private readonly options: ReadOptions
  ) {}

  [Symbol.asyncIterator](): AsyncIterableIterator<Entry> {
    return new EntryIterator(this.batches())
  }

  /** Entries in arrays of one block or more, or of as many lines as were read at once, never empty: several times faster than one by one. */
  async *batches(): AsyncGenerator<Entry[], void> {
    const { strict, onDamage, signal } = this.options
    if (signal?.aborted) return
    for await (const items of scan(this.paths, this.options)) {
      const entries: Entry[] = []
      for (const item of items) {
        if (item.kind === 'block' || item.kind === 'lines') {
          collectEntries(item, entries)
        } else if (item.kind === 'damage') {
          if (onDamage || strict) {
            if (entries.length > 0) yield entries.splice(0)
            onDamage?.(item.damage)
            if (strict) throw damageError(item.damage)
          }
        }
      }
      if (entries.length > 0) yield entries
      if (signal?.aborted) return
    }
  }
}

/**
 * Reads one log, or several, in memory that does not grow with their size. Corrupt parts are stepped over and told to
 * `onDamage`; docs/log-format.md says by which rules.
 *
 * @param path file or files; pipes can be read too, but not followed
 * @returns an async iterable of entries; `batches()` of it gives arrays of them
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` at once for wrong options; while iterating, `ERR_SHARDLOG_READ` if a file cannot be
 *   opened or read, `ERR_SHARDLOG_FORMAT` if it is neither blocks nor text, and `ERR_SHARDLOG_CORRUPT` with `strict`
 */
export function readLog(path: string | readonly string[], options: ReadOptions = {}): LogEntries {
  const paths = typeof path === 'string' ? [path] : path
  checkReadArguments(paths, options)
  return new LogEntries([...paths], { ...options })
}
