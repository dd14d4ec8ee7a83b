import fs from 'node:fs'
import { arenaPaths } from '../../arena/locate'
import { ShardlogError } from '../../errors'
import { lockedError } from './lock'
import { flockHolder } from './process-identity'

/**
 * Refuses a log whose native engine died and left entries behind: appending now would spoil the place they belong to.
 *
 * @throws ShardlogError `ERR_SHARDLOG_ARENA_LEFT`; `ERR_SHARDLOG_LOCKED` if the native engine is alive
 */
export function checkNoArena(log: string, arenaDir?: string): void {
  const left = arenaPaths(log, arenaDir).find(file => fs.existsSync(file))
  if (left === undefined) return
  const holder = fs.existsSync(log) ? flockHolder(log) : undefined
  if (holder !== undefined) throw lockedError(log, holder, 'native')
  const message =
    `entries of a dead process wait in ${left}, and the JavaScript engine cannot recover them: run \`shardlog recover\`, ` +
    'or open the log once with the native engine'
  throw new ShardlogError('ERR_SHARDLOG_ARENA_LEFT', message, { path: left })
}
