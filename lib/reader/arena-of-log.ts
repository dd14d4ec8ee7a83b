import fs from 'node:fs'
import path from 'node:path'
import type { ArenaFile } from '../arena/arena-file'
import { openArenaOf } from '../arena/locate'
import { ShardlogError } from '../errors'

const STICKY = 0o1000

function statOf(file: string): fs.Stats | null {
  return fs.statSync(file, { throwIfNoEntry: false }) ?? null
}

/**
 * Whether what lies at the place of a log's arena may be believed. In a folder like /tmp everybody can put files beside others', but not in
 * their place: an arena there is ours, the log's owner's or the folder's. Elsewhere, who can make files can replace the log too.
 */
function isTrusted(arena: ArenaFile, logPath: string): boolean {
  const folder = statOf(path.dirname(arena.path))
  if (!folder || (folder.mode & STICKY) === 0) return true
  return [process.geteuid?.(), statOf(logPath)?.uid, folder.uid].includes(arena.uid)
}

/**
 * Opens the arena of a log; null if there is none.
 * @param arenaDir as in Config
 * @throws ShardlogError if there is one that cannot be read, or `ERR_SHARDLOG_ARENA_OWNER` if it is not to be believed
 */
export function arenaOfLog(logPath: string, arenaDir?: string): ArenaFile | null {
  const arena = openArenaOf(logPath, arenaDir)
  if (!arena || isTrusted(arena, logPath)) return arena
  arena.close()
  const message = `${arena.path} belongs to user ${arena.uid}, who has nothing to do with the log, in a folder where everybody can make files`
  throw new ShardlogError('ERR_SHARDLOG_ARENA_OWNER', message, { path: arena.path })
}
