import fs from 'node:fs'
import path from 'node:path'
import { arenaPaths } from '../arena/locate'
import { asShardlogError, ShardlogError } from '../errors'
import type { ResolvedConfig } from '../types'
import type { NativeBinding, NativeRecovery } from './native-binding'

interface Wanted extends Pick<ResolvedConfig, 'logFilePath' | 'recoverTo' | 'directIO' | 'arenaDir' | 'onError'> {
  siblings: NonNullable<ResolvedConfig['siblings']>
}

const ARENA_NAME = /^\.?(.*)\.arena$/s

/** Names of logs in the directory that the pattern fits: of files, and of arenas whose log has gone. */
function namesIn(directory: string, name: RegExp): string[] {
  const found = fs.readdirSync(directory).flatMap(file => [file, ARENA_NAME.exec(file)?.[1] ?? file])
  return [...new Set(found)].filter(file => name.test(file))
}

const exists = (file: string): boolean => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined

/** The log of a dead process in which nothing was, and which nobody will ask for again. That it had an arena says that it is ours. */
function removeIfEmpty(log: string, recovered: readonly NativeRecovery[]): void {
  const stat = fs.lstatSync(log, { throwIfNoEntry: false })
  const drained = recovered.length > 0 && recovered.every(({ setAside }) => setAside === null)
  if (drained && stat?.isFile() && stat.size === 0) fs.rmSync(log, { force: true })
}

function recoverSibling(native: NativeBinding, log: string, { directIO, arenaDir, onError }: Wanted): void {
  try {
    removeIfEmpty(log, native.recover(log, { force: false, directIO, arenaDir }))
  } catch (error) {
    const problem = asShardlogError(error)
    // Its process lives, or another one that starts just now recovers it.
    if (problem.code !== 'ERR_SHARDLOG_LOCKED') onError?.(problem)
  }
}

/**
 * Writes what dead processes left in the arenas of their logs into those logs, where `%p` gave each process one of its own: no process
 * will have their name. What fails is told to `onError`, and is no reason not to log.
 */
export function recoverSiblings(native: NativeBinding, config: Wanted): void {
  const { siblings, arenaDir, onError } = config
  const own = config.recoverTo ?? config.logFilePath
  try {
    for (const name of namesIn(siblings.directory, siblings.name)) {
      const log = path.join(siblings.directory, name)
      if (log !== own && arenaPaths(log, arenaDir).some(exists)) recoverSibling(native, log, config)
    }
  } catch (error) {
    const message = `cannot look for logs of dead processes in ${siblings.directory}: ${(error as Error).message}`
    onError?.(new ShardlogError('ERR_SHARDLOG_RECOVERY', message, { path: siblings.directory, cause: error }))
  }
}
