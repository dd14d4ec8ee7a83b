import { fromSystemError, ShardlogError } from '../errors'
import type { Damage } from './types'

/** What `strict` throws at the first damage; `cause` is the Damage. */
export function damageError(damage: Damage): ShardlogError {
  const message = `${damage.path}, offset ${damage.offset}: ${damage.message}`
  return new ShardlogError('ERR_SHARDLOG_CORRUPT', message, { path: damage.path, cause: damage })
}

/** A file that cannot be opened or read. */
export function readError(path: string, error: unknown): ShardlogError {
  if (error instanceof ShardlogError) return error
  return fromSystemError('ERR_SHARDLOG_READ', `cannot read ${path}`, error, path)
}
