import { realpathSync } from 'node:fs'
import path from 'node:path'
import { arenaPaths, asideArenas } from '../arena/locate'
import { openArena } from './arena-log'

function realPath(file: string): string | null {
  try {
    return realpathSync(file)
  } catch {
    return null // Not there.
  }
}

/**
 * The log to which an arena belongs, by its header and by where it lies, which may be somewhere else by now, together with its log.
 * @param file an arena, or one that was set aside
 * @param arenaDir as in Config
 * @returns `log`: the log in whose arena's place `file` lies, null if it lies elsewhere; `named`: the log that its header names
 * @throws ShardlogError if it is no arena that can be read
 */
export function logOfArena(file: string, arenaDir?: string): { log: string | null; named: string } {
  const arena = openArena(file)
  const named = arena.logPath
  arena.close()
  const real = realPath(file)
  const beside = path.join(path.dirname(path.resolve(file)), path.basename(named))
  const log = [...new Set([named, beside])].find(candidate => {
    return [...arenaPaths(candidate, arenaDir), ...asideArenas(candidate, arenaDir)].some(
      place => realPath(place) === real
    )
  })
  return { log: log ?? null, named }
}
