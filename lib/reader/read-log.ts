import type { WithPaths } from '../path-like'
import { type Entry, entrySlices } from './entry'
import { EntryIterator } from './entry-iterator'
import { damageError } from './errors'
import { followFiles } from './follow'
import { checkReadArguments, type LogPath, type ReadOptions, resolveArenaDir } from './read-options'
import { scanFiles } from './scan-files'
import { scanByTime } from './time-order'
import type { ScanItem } from './types'

/** About as many entries are in memory as objects at once. */
const BATCH_ENTRIES = 8192

function scan(paths: readonly string[], options: WithPaths<ReadOptions>): AsyncGenerator<ScanItem[], void> {
  const { salvage = false, format = 'auto', signal, arenaDir } = options
  const byTime = options.order === 'time'
  if (options.follow) return followFiles(paths, { salvage, format, byTime, signal, arenaDir })
  return byTime ? scanByTime(paths, { salvage, format, arenaDir }) : scanFiles(paths, { salvage, format, arenaDir })
}

/** What `readLog` returns: entries one by one, or in batches for those who read a lot. Each iteration reads anew. */
export class LogEntries implements AsyncIterable<Entry> {
  constructor(
    private readonly paths: readonly string[],
    private readonly options: WithPaths<ReadOptions>
  ) {}

  [Symbol.asyncIterator](): AsyncIterableIterator<Entry> {
    return new EntryIterator(scan(this.paths, this.options), this.options)
  }

  /**
   * Entries in arrays of one block or more, or of as many lines as were read at once, some ten thousand at the most and never empty: several
   * times faster than one by one.
   */
  async *batches(): AsyncGenerator<Entry[], void> {
    const { strict, onDamage, signal } = this.options
    if (signal?.aborted) return
    for await (const items of scan(this.paths, this.options)) {
      let entries: Entry[] = []
      for (const item of items) {
        if (item.kind === 'block' || item.kind === 'lines') {
          for (const slice of entrySlices(item, BATCH_ENTRIES)) {
            if (entries.length === 0) entries = slice
            else for (const entry of slice) entries.push(entry)
            if (entries.length < BATCH_ENTRIES) continue
            yield entries
            entries = []
            if (signal?.aborted) return
          }
        } else if (item.kind === 'damage' && (onDamage || strict)) {
          if (entries.length > 0) yield entries.splice(0)
          onDamage?.(item.damage)
          if (strict) throw damageError(item.damage)
        }
      }
      if (entries.length > 0) yield entries
      if (signal?.aborted) return
    }
  }
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export function readLog(path: LogPath | readonly LogPath[], options: ReadOptions = {}): LogEntries {
  const paths = checkReadArguments(Array.isArray(path) ? path : [path], options)
  return new LogEntries(paths, { ...options, arenaDir: resolveArenaDir(options.arenaDir) })
}
