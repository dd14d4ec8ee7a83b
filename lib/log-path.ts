import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from './errors'

const pathError = (message: string, errno: string, file: string): ShardlogError =>
  new ShardlogError('ERR_SHARDLOG_PATH', message, { errno, path: file })

function statOf(file: string, option: string): fs.BigIntStats | undefined {
  try {
    // A plain stat of a pipe leaves its kind in memory that Node's own module resolution reads afterwards.
    return fs.statSync(file, { throwIfNoEntry: false, bigint: true })
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_PATH', `option ${option}: cannot use ${file}`, error, file)
  }
}

function checkAccess(file: string, what: string, option: string, hint = ''): void {
  try {
    fs.accessSync(file, fs.constants.W_OK)
  } catch (error) {
    const context = `option ${option}: ${what} ${file} is not writable${hint}`
    throw fromSystemError('ERR_SHARDLOG_PATH', context, error, file)
  }
}

/**
 * Refuses a path that cannot become a log, with a reason a person can act on. The open that follows may still fail.
 *
 * @param needsDirectory whether a file has to be created beside the log (its arena).
 * @param option whose value it is.
 * @throws ShardlogError `ERR_SHARDLOG_PATH`
 */
export function checkLogPath(file: string, needsDirectory: boolean, option = 'logFilePath'): void {
  const directory = path.dirname(file)
  const parent = statOf(directory, option)
  if (parent === undefined)
    throw pathError(`option ${option}: directory ${directory} of ${file} does not exist`, 'ENOENT', file)
  if (!parent.isDirectory()) throw pathError(`option ${option}: ${directory} is not a directory`, 'ENOTDIR', file)
  const log = statOf(file, option)
  if (log?.isDirectory()) throw pathError(`option ${option}: ${file} is a directory; a file is needed`, 'EISDIR', file)
  if (log !== undefined && !log.isFile())
    throw pathError(`option ${option}: ${file} is not a regular file`, 'EINVAL', file)
  if (log !== undefined) checkAccess(file, 'file', option)
  const hint = log === undefined ? '' : ', so the arena cannot lie beside the log (arenaDir puts it elsewhere)'
  if (log === undefined || needsDirectory) checkAccess(directory, 'directory', option, hint)
}

/**
 * Refuses a directory that arenas cannot be made in.
 *
 * @throws ShardlogError `ERR_SHARDLOG_PATH`
 */
export function checkArenaDir(directory: string): void {
  const stat = statOf(directory, 'arenaDir')
  if (stat === undefined) throw pathError(`option arenaDir: directory ${directory} does not exist`, 'ENOENT', directory)
  if (!stat.isDirectory()) throw pathError(`option arenaDir: ${directory} is not a directory`, 'ENOTDIR', directory)
  checkAccess(directory, 'directory', 'arenaDir')
}
