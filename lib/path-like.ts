/** Paths in options: as URLs or text, and whether a log or an arena can be made there. */

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { fromSystemError, ShardlogError } from './errors'

/** Whether it is a URL, of whichever realm. */
export function isUrl(value: unknown): value is URL {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object URL]'
}

/**
 * The path of a `file:` URL, as `node:fs` takes them; anything else as it is.
 *
 * @param option whose value it is
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a URL of another kind
 */
export function pathOf(value: unknown, option: string): unknown {
  if (!isUrl(value)) return value
  try {
    return fileURLToPath(value.href)
  } catch (cause) {
    const message = `option ${option} must be a path or a file: URL, got ${inspect(value.href)}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message, { cause })
  }
}

/** Of a log and of a destination: the options that are paths. */
const PATH_OPTIONS = ['logFilePath', 'dest', 'recoverTo', 'arenaDir'] as const

/** `Given` without URLs where paths may stand. */
export type WithPaths<Given> = {
  [Name in keyof Given]: Name extends (typeof PATH_OPTIONS)[number] ? Exclude<Given[Name], URL> : Given[Name]
}

/** The options with paths in place of URLs; anything else as it is. */
export function withPaths<Given>(given: Given): WithPaths<Given> {
  if (typeof given !== 'object' || given === null) return given as WithPaths<Given>
  const paths = Object.fromEntries(
    PATH_OPTIONS.filter(option => isUrl((given as Record<string, unknown>)[option])).map(option => [
      option,
      pathOf((given as Record<string, unknown>)[option], option)
    ])
  )
  return (Object.keys(paths).length === 0 ? given : { ...given, ...paths }) as WithPaths<Given>
}

const DESCRIPTOR = /^\/(?:dev\/(?:fd\/(\d+)|(stdout)|(stderr))|proc\/(?:self|\d+)\/fd\/(\d+))$/
const STDOUT = 1
const STDERR = 2

/**
 * The descriptor of this process that a path as `/dev/stdout` or `/proc/self/fd/1` stands for;
 * undefined for any other.
 */
export function descriptorOf(file: string): number | undefined {
  const [, number, stdout, stderr, ofProc] = DESCRIPTOR.exec(file) ?? []
  if (stdout !== undefined) return STDOUT
  if (stderr !== undefined) return STDERR
  const isOurs = ofProc === undefined || /^\/proc\/self\//.test(file) || file.startsWith(`/proc/${process.pid}/`)
  const found = number ?? ofProc
  return found === undefined || !isOurs ? undefined : Number(found)
}

/**
 * The file's own name, where the path is that of a descriptor which leads to a regular file: beside
 * that name there can be an arena. Any other path as it is.
 */
export function ownName(file: string): string {
  if (descriptorOf(file) === undefined) return file
  try {
    // Both so that no stat of a pipe is left behind, see `statOf`.
    const real = fs.realpathSync.native(file)
    return fs.statSync(real, { bigint: true }).isFile() ? real : file
  } catch {
    return file // A pipe, or a file that has been deleted: checkLogPath says what it is.
  }
}

const pathError = (message: string, errno: string, file: string): ShardlogError =>
  new ShardlogError('ERR_SHARDLOG_PATH', message, { errno, path: file })

function statOf(file: string, option: string): fs.BigIntStats | undefined {
  try {
    // A plain stat of a pipe leaves its kind in memory that Node's own module resolution reads
    // afterwards.
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
 * Refuses a path that cannot become a log, with a reason a person can act on. The open that follows
 * may still fail.
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
  if (log !== undefined && !log.isFile()) {
    const hint =
      "lines go to a pipe, terminal or device by shardlog.destination({ dest: descriptor, format: 'ndjson' })"
    throw pathError(`option ${option}: ${file} is not a regular file; ${hint}`, 'EINVAL', file)
  }
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
