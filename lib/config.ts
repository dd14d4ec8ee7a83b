import path from 'node:path'
import { inspect } from 'node:util'
import { ShardlogError } from './errors'
import { checkLogPath } from './log-path'
import { nearestName } from './nearest-name'
import type { Config, ResolvedConfig } from './types'

const MIB = 1024 * 1024
const MIN_SHARD_BYTES = 64 * 1024
const MAX_SHARD_BYTES = 1024 * MIB
const MAX_TIMER_MS = 2 ** 31 - 1

type Defaults = Omit<ResolvedConfig, 'logFilePath' | 'onError'>

const DEFAULTS: Readonly<Defaults> = Object.freeze({
  bufferSize: 64 * MIB,
  numShards: 8,
  flushInterval: 10_000,
  flushTimeout: 10,
  useMmap: false,
  crashSafe: 'file',
  directIO: 'auto',
  dsync: true,
  onFull: 'drop',
  blockTimeout: 1_000,
  shardSelection: 'affinity',
  engine: 'auto'
})

/** What an option may be, in words for the error message, and the test of it. */
interface Rule {
  allowed: string
  accepts: (value: unknown) => boolean
}

const oneOf = (...values: readonly (string | boolean)[]): Rule => ({
  allowed: `one of ${values.map(value => inspect(value)).join(', ')}`,
  accepts: value => values.includes(value as string | boolean)
})
const flag: Rule = { allowed: 'true or false', accepts: value => typeof value === 'boolean' }
const integer = (unit: string, least: number, most: number): Rule => ({
  allowed: `a whole number${unit} from ${least} to ${most}`,
  accepts: value => Number.isInteger(value) && (value as number) >= least && (value as number) <= most
})
const milliseconds = (most: number): Rule => ({
  allowed: `a number of milliseconds from 0 to ${most}`,
  accepts: value => typeof value === 'number' && value >= 0 && value <= most
})

const RULES: Readonly<Record<keyof Config, Rule>> = {
  logFilePath: {
    allowed: 'a non-empty string without NUL characters',
    accepts: value => typeof value === 'string' && value !== '' && !value.includes('\0')
  },
  bufferSize: integer(' of bytes', 2 * MIN_SHARD_BYTES, 2 * 256 * MAX_SHARD_BYTES),
  numShards: integer('', 1, 256),
  flushInterval: milliseconds(MAX_TIMER_MS),
  flushTimeout: milliseconds(60_000),
  useMmap: flag,
  crashSafe: oneOf('file', 'shm', false),
  directIO: oneOf('auto', 'required', 'off'),
  dsync: flag,
  onFull: oneOf('drop', 'block'),
  blockTimeout: milliseconds(Number.POSITIVE_INFINITY),
  shardSelection: oneOf('affinity', 'round-robin'),
  engine: oneOf('auto', 'native', 'js'),
  onError: { allowed: 'a function', accepts: value => typeof value === 'function' }
}
const NAMES = Object.keys(RULES) as (keyof Config)[]

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

function show(value: unknown): string {
  const type = value === null || typeof value === 'object' || typeof value === 'function' ? '' : ` (${typeof value})`
  return `${inspect(value, { depth: 0, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY })}${type}`
}

function checkNames(config: object): void {
  for (const name of Object.keys(config)) {
    if ((NAMES as string[]).includes(name)) continue
    const near = nearestName(name, NAMES)
    const hint = near === undefined ? `known options are ${NAMES.join(', ')}` : `did you mean ${near}?`
    throw configError(`unknown option ${name} (value ${show((config as Record<string, unknown>)[name])}): ${hint}`)
  }
}

function checkValues(config: Config): void {
  const missing = config.logFilePath as unknown
  if (missing === undefined || missing === null || missing === '') {
    throw configError(`logFilePath is required: ${RULES.logFilePath.allowed}, got ${show(missing)}`)
  }
  for (const name of NAMES) {
    const value = config[name]
    // Below the smallest size that any number of shards allows: the shard rule says it better.
    if (name === 'bufferSize' && Number.isInteger(value) && (value as number) < 2 * MIN_SHARD_BYTES) continue
    if (value !== undefined && !RULES[name].accepts(value)) {
      throw configError(`option ${name} must be ${RULES[name].allowed}, got ${show(value)}`)
    }
  }
}

function checkShardSize({ bufferSize, numShards }: ResolvedConfig): void {
  const bytes = Math.floor(bufferSize / 2 / numShards)
  if (bytes >= MIN_SHARD_BYTES && bytes <= MAX_SHARD_BYTES) return
  const small = bytes < MIN_SHARD_BYTES
  const limit = 2 * numShards * (small ? MIN_SHARD_BYTES : MAX_SHARD_BYTES)
  throw configError(
    `shard size too ${small ? 'small' : 'large'}: bufferSize ${bufferSize} / 2 sets / numShards ${numShards} is ${bytes} ` +
      `bytes a shard, allowed are ${MIN_SHARD_BYTES} to ${MAX_SHARD_BYTES}; with ${numShards} shards bufferSize must be at ` +
      `${small ? 'least' : 'most'} ${limit}`
  )
}

/** `%p` becomes the process id, `%%` a percent sign; anything else stays. */
function substitute(logFilePath: string): string {
  return logFilePath.replace(/%[p%]/g, match => (match === '%%' ? '%' : String(process.pid)))
}

/**
 * Checks a config and fills in the defaults; a string is short for `{ logFilePath }`. The path comes out absolute.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a wrong option, `ERR_SHARDLOG_PATH` for a path that cannot be a log.
 */
export function resolveConfig(input: Config | string): ResolvedConfig {
  const config = typeof input === 'string' ? { logFilePath: input } : input
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw configError(`logFilePath is required: the config must be an object or a path, got ${show(config)}`)
  }
  checkNames(config)
  checkValues(config)
  const given = Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined))
  const resolved = { ...DEFAULTS, ...given } as ResolvedConfig
  checkShardSize(resolved)
  resolved.logFilePath = path.resolve(substitute(resolved.logFilePath))
  checkLogPath(resolved.logFilePath, resolved.crashSafe === 'file')
  return resolved
}

/** A config for `logFilePath` with every default spelt out, to be changed and given to `new Logger`. */
export function defaultConfig(logFilePath: string): Required<Omit<Config, 'onError'>> {
  return { logFilePath, ...DEFAULTS }
}
