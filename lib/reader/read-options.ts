import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import { nearestName } from '../nearest-name'
import { isUrl, pathOf as pathOfOption } from '../path-like'
import { type Damage, FORMAT_CHOICES, type FormatChoice } from './items'

/** The path of a log, as `fs` takes it. */
export type LogPath = string | URL

export interface ReadOptions {
  /**
   * What the files are: 'shard', blocks of entries; 'ndjson', lines of text. Default 'auto': what the first bytes say, or, of an empty
   * file, its arena.
   */
  format?: FormatChoice
  /**
   * Go on for ever: show what is appended, what a live process still has in its arena, and the file that takes the place of a
   * rotated one. Default false.
   */
  follow?: boolean
  /**
   * 'file' (default): each file as it stands, one after the other. 'time': by the time at which blocks were begun, or that a line of
   * text tells in its field `time`, over all files; entries within a block stay together, what has no time stays behind what stood
   * before it. With `follow`, what is new in each round is ordered by itself.
   */
  order?: 'file' | 'time'
  /** Throw ERR_SHARDLOG_CORRUPT at the first damage instead of reading on behind it. Default false. */
  strict?: boolean
  /** Deliver blocks whose checksum is wrong, as far as their entries decode, and a torn last line. Default false. */
  salvage?: boolean
  /** The directory that the logs were opened with as `arenaDir`: what waits there is shown too. Default: none but the places that need no option. */
  arenaDir?: string | URL | undefined
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /** Called with each damage found, before the entries behind it are delivered. */
  onDamage?: (damage: Damage) => void
}

const TYPES = { follow: 'boolean', strict: 'boolean', salvage: 'boolean', onDamage: 'function' } as const
const NAMES = ['format', 'follow', 'order', 'strict', 'salvage', 'arenaDir', 'signal', 'onDamage']

function bad(message: string): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message)
}

/** Refuses names outside `names`, with a proposal where one is near. */
export function checkNames(options: object, names: readonly string[], where: string): void {
  if (typeof options !== 'object' || options === null)
    throw bad(`${where} takes an object of options, not ${inspect(options)}`)
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    const near = nearestName(name, names)
    throw bad(`${where} has no option ${name}${near ? `; did you mean ${near}?` : ''}: it takes ${names.join(', ')}`)
  }
}

/**
 * A path as `fs` takes it: a non-empty string, or a `file:` URL.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function pathOf(path: unknown, where: string): string {
  if (typeof path === 'string' && path !== '' && !path.includes('\0')) return path
  if (!isUrl(path)) throw bad(`${where} needs the path of a log, a string or a file: URL, not ${inspect(path)}`)
  try {
    return fileURLToPath(path.href)
  } catch (error) {
    throw bad(`${where}: ${(error as Error).message}, not ${path.href}`)
  }
}

/**
 * The directory that is given as option `arenaDir`, absolute.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function resolveArenaDir(arenaDir: unknown): string | undefined {
  if (arenaDir === undefined) return undefined
  const plain = pathOfOption(arenaDir, 'arenaDir')
  if (typeof plain === 'string' && plain !== '' && !plain.includes('\0')) return resolve(plain)
  throw bad(`option arenaDir must be a non-empty string, got ${inspect(arenaDir)}`)
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
export function checkFormat(format: unknown): void {
  if (format === undefined || FORMAT_CHOICES.some(choice => choice === format)) return
  throw bad(`format must be 'auto', 'shard' or 'ndjson', not ${String(format)}`)
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` for paths or options that are not what `readLog` takes. Returns the paths. */
export function checkReadArguments(paths: readonly unknown[], options: ReadOptions): string[] {
  if (paths.length === 0) throw bad('readLog needs the path of a log, not an empty array')
  const checked = paths.map(path => pathOf(path, 'readLog'))
  checkNames(options, NAMES, 'readLog')
  for (const [name, type] of Object.entries(TYPES)) {
    const value = options[name as keyof typeof TYPES]
    if (value !== undefined && typeof value !== type) throw bad(`${name} must be a ${type}, not ${String(value)}`)
  }
  checkFormat(options.format)
  const { order, signal } = options
  if (order !== undefined && order !== 'file' && order !== 'time') {
    throw bad(`order must be 'file' or 'time', not ${String(order)}`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw bad('signal must be an AbortSignal')
  return checked
}
