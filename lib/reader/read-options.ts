import { ShardlogError } from '../errors'
import { nearestName } from '../nearest-name'
import { FORMAT_CHOICES, type FormatChoice } from './format'
import type { Damage } from './types'

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
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /** Called with each damage found, before the entries behind it are delivered. */
  onDamage?: (damage: Damage) => void
}

const TYPES = { follow: 'boolean', strict: 'boolean', salvage: 'boolean', onDamage: 'function' } as const
const NAMES = ['format', 'follow', 'order', 'strict', 'salvage', 'signal', 'onDamage']

function bad(message: string): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message)
}

/** Refuses names outside `names`, with a proposal where one is near. */
export function checkNames(options: object, names: readonly string[], where: string): void {
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    const near = nearestName(name, names)
    throw bad(`${where} has no option ${name}${near ? `; did you mean ${near}?` : ''}: it takes ${names.join(', ')}`)
  }
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
export function checkFormat(format: unknown): void {
  if (format === undefined || FORMAT_CHOICES.some(choice => choice === format)) return
  throw bad(`format must be 'auto', 'shard' or 'ndjson', not ${String(format)}`)
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` for paths or options that are not what `readLog` takes. */
export function checkReadArguments(paths: readonly string[], options: ReadOptions): void {
  if (paths.length === 0) throw bad('readLog needs the path of a log')
  for (const path of paths) {
    if (typeof path !== 'string' || path === '') throw bad(`path must be a non-empty string, not ${String(path)}`)
  }
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
}
