import { realpathSync, statSync } from 'node:fs'
import { ArenaFile } from './arena-file'

/** Where the arena of a log may lie: beside it, or in /dev/shm under the log's device and inode. */
export function arenaPaths(logPath: string): string[] {
  const paths = [`${logPath}.arena`]
  try {
    const { dev, ino } = statSync(logPath, { bigint: true })
    const beside = `${realpathSync(logPath)}.arena`
    if (!paths.includes(beside)) paths.push(beside)
    paths.push(`/dev/shm/shardlog-${dev}-${ino}.arena`)
  } catch {
    // No log (yet): its arena can only lie beside it.
  }
  return paths
}

/**
 * Opens the arena of a log; null if there is none.
 * @throws ShardlogError if there is one that cannot be read.
 */
export function openArenaOf(logPath: string): ArenaFile | null {
  for (const path of arenaPaths(logPath)) {
    const arena = ArenaFile.open(path)
    if (arena) return arena
  }
  return null
}
