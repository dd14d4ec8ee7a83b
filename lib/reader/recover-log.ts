import path from 'node:path'
import { inspect } from 'node:util'
import { loadNative } from '../engine/load-native'
import type { NativeRecovery } from '../engine/native-binding'
import { asShardlogError, ShardlogError } from '../errors'
import { checkNames } from './read-options'

export interface RecoverOptions {
  /** Recover also arenas that were set aside because they are of another boot of the machine. Default false. */
  force?: boolean
  /** As in Config. Default 'auto'. */
  directIO?: 'auto' | 'required' | 'off'
  /** The directory that the log was opened with as `arenaDir`. Default: none but the places that need no option. */
  arenaDir?: string
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
}

function resolveDirectory(arenaDir: unknown): string | undefined {
  if (arenaDir === undefined) return undefined
  if (typeof arenaDir !== 'string' || arenaDir === '') {
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      `option arenaDir must be a non-empty string, got ${inspect(arenaDir)}`
    )
  }
  return path.resolve(arenaDir)
}

/**
 * Writes the entries that dead processes left in arenas into their log, each once and in order, and removes the arenas. With
 * no arena there is nothing to do. Needs the native engine; blocks the thread while it writes.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_LOCKED` if the owner is alive, `ERR_SHARDLOG_NO_NATIVE`, `ERR_SHARDLOG_RECOVERY`,
 *   `ERR_SHARDLOG_ARENA_VERSION`, `ERR_SHARDLOG_ARENA_CORRUPT`; the arena is kept then
 */
export async function recoverLog(logPath: string, options: RecoverOptions = {}): Promise<RecoverReport> {
  checkNames(options, ['force', 'directIO', 'arenaDir'], 'recoverLog')
  if (typeof logPath !== 'string' || logPath === '') {
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', `recoverLog needs the path of a log, not ${String(logPath)}`)
  }
  const absolute = path.resolve(logPath)
  const { force = false, directIO = 'auto' } = options
  const arenaDir = resolveDirectory(options.arenaDir)
  try {
    const arenas = loadNative().recover(absolute, { force, directIO, arenaDir })
    const sum = (pick: (arena: RecoveredArena) => number) => arenas.reduce((total, arena) => total + pick(arena), 0)
    return {
      path: absolute,
      entries: sum(a => a.entries),
      blocks: sum(a => a.blocks),
      bytes: sum(a => a.bytes),
      arenas
    }
  } catch (error) {
    throw asShardlogError(error)
  }
}
