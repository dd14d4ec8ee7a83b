import { stat } from 'node:fs/promises'
import { ChangeWaiter } from './change-waiter'
import { readError } from './errors'
import type { FormatChoice } from './format'
import { LogFollower } from './log-follower'
import { hasArena } from './scan-files'
import { sortByTime } from './time-order'
import type { ScanItem } from './types'

export interface FollowOptions {
  format?: FormatChoice
  salvage: boolean
  byTime: boolean
  signal: AbortSignal | undefined
  /** As in Config. */
  arenaDir?: string | undefined
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
  const paths = followers.map(follower => follower.path)
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
 * @param arenaDir as in Config
 * @throws ShardlogError `ERR_SHARDLOG_READ` if there is neither a log nor its arena, or what is there cannot be followed
 */
export async function checkFollowed(path: string, arenaDir?: string): Promise<void> {
  try {
    // Nothing is opened: a pipe would be waited for.
    const stats = await stat(path)
    if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
    if (!stats.isFile()) throw new Error('a pipe or a device can be read, but not followed')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || !hasArena(path, arenaDir)) throw readError(path, error)
  }
}

/** @throws ShardlogError `ERR_SHARDLOG_READ` if a file is missing at the start; later it may come and go. */
export async function* followFiles(paths: readonly string[], options: FollowOptions): AsyncGenerator<ScanItem[], void> {
  const { salvage, format = 'auto', arenaDir } = options
  for (const path of paths) await checkFollowed(path, arenaDir)
  const followers = paths.map(path => new LogFollower(path, { salvage, format, arenaDir, follow: true }))
  yield* runFollowers(followers, options)
}
