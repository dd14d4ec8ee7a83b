import path from 'node:path'
import { asideArenas, type LogPlace } from '../arena/locate'
import { loadNative } from '../engine/load-native'
import type { NativeRecovery } from '../engine/native-binding'
import { asShardlogError, ShardlogError } from '../errors'
import { beginsAsArena, checkedPath, checkNames, type LogPath, logOfArena, resolveArenaDir } from './log-place'

export interface RecoverOptions {
  /** Recover also arenas that were set aside because they are of another boot of the machine. Default false. */
  force?: boolean
  /** As in Config. Default 'auto'. */
  directIO?: 'auto' | 'required' | 'off'
  /** The directory that the log was opened with as `arenaDir`. Default: none but the places that need no option. */
  arenaDir?: string | URL | undefined
}

/** One arena that was found, and what became of it. */
export type RecoveredArena = NativeRecovery

export interface RecoverReport {
  /** Absolute path of the log. */
  path: string
  /** Written to the log, over all arenas. */
  entries: number
  blocks: number
  bytes: number
  /** One for each arena found; empty if there was nothing to recover. */
  arenas: RecoveredArena[]
  /** Arenas of the log that are set aside, now or since earlier: `force` takes those that are of another boot. */
  asides: string[]
}

/**
 * The log that is meant by a path, which may be that of its arena.
 * @throws ShardlogError `ERR_SHARDLOG_RECOVERY` for an arena that lies elsewhere than a log's arena would
 */
function logMeant(given: LogPlace): string {
  const { path: file } = given
  if (!beginsAsArena(file)) return file
  const { log, named } = logOfArena(given)
  if (log !== null) return log
  const message =
    `${file} is the arena of ${named}, but does not lie where the arena of that log would: move the two together, ` +
    "or print it with 'shardlog cat'"
  throw new ShardlogError('ERR_SHARDLOG_RECOVERY', message, { path: file })
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export async function recoverLog(logPath: LogPath, options: RecoverOptions = {}): Promise<RecoverReport> {
  checkNames(options, ['force', 'directIO', 'arenaDir'], 'recoverLog')
  const file = checkedPath(logPath, 'recoverLog')
  const { force = false, directIO = 'auto' } = options
  const arenaDir = resolveArenaDir(options.arenaDir)
  const absolute = path.resolve(logMeant({ path: file, arenaDir }))
  try {
    const arenas = loadNative().recover(absolute, { force, directIO, arenaDir })
    const sum = (pick: (arena: RecoveredArena) => number) => arenas.reduce((total, arena) => total + pick(arena), 0)
    return {
      path: absolute,
      entries: sum(a => a.entries),
      blocks: sum(a => a.blocks),
      bytes: sum(a => a.bytes),
      arenas,
      asides: asideArenas({ path: absolute, arenaDir })
    }
  } catch (error) {
    throw asShardlogError(error)
  }
}
