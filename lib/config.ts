import path from 'node:path'
import { inspect } from 'node:util'
import { nearestName, ShardlogError } from './errors'
import { checkArenaDir, checkLogPath, ownName } from './path-like'
import type { OptionalOption, PlainConfig, ResolvedConfig } from './types'

const MIB = 1024 * 1024
const MIN_SHARD_BYTES = 64 * 1024
const MAX_SHARD_BYTES = 1024 * MIB
const MAX_TIMER_MS = 2 ** 31 - 1

/**
 * Of a file of `shardlog.destination`, of `recoverTo`, and in /dev/shm, which has 64 MiB in a
 * container.
 */
export const SMALL_BUFFER = 8 * MIB
/**
 * What a shard has at least by default: the largest raw entry, and what one write of a busy thread
 * brings.
 */
const GOOD_SHARD_BYTES = 512 * 1024

type Defaults = Omit<ResolvedConfig, 'logFilePath' | 'descriptor' | 'siblings' | OptionalOption>

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
  lockTimeout: 0,
  engine: 'auto'
})

const PRESETS: Readonly<Record<NonNullable<PlainConfig['preset']>, Partial<Defaults>>> = {
  'low-memory': { bufferSize: 2 * MIB, flushInterval: 100 },
  throughput: { bufferSize: 64 * MIB },
  'low-latency': { crashSafe: 'shm', flushInterval: 50 }
}

/** What differs for a descriptor: somebody may be looking at it, and nobody may ever read it. */
const DESCRIPTOR_DEFAULTS: Readonly<Defaults> = Object.freeze({
  ...DEFAULTS,
  flushInterval: 10,
  crashSafe: false,
  directIO: 'off',
  dsync: false
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
const no: Rule = { allowed: 'false', accepts: value => value === false }
const integer = (unit: string, least: number, most: number): Rule => ({
  allowed: `a whole number${unit} from ${least} to ${most}`,
  accepts: value => Number.isInteger(value) && (value as number) >= least && (value as number) <= most
})
const milliseconds = (most: number): Rule => ({
  allowed: `a number of milliseconds from 0 to ${most}`,
  accepts: value => typeof value === 'number' && value >= 0 && value <= most
})

const pathRule: Rule = {
  allowed: 'a non-empty string without NUL characters',
  accepts: value => typeof value === 'string' && value !== '' && !value.includes('\0')
}

const RULES: Readonly<Record<keyof PlainConfig, Rule>> = {
  logFilePath: pathRule,
  bufferSize: integer(' of bytes', 2 * MIN_SHARD_BYTES, 2 * 256 * MAX_SHARD_BYTES),
  numShards: integer('', 1, 256),
  flushInterval: milliseconds(MAX_TIMER_MS),
  flushTimeout: milliseconds(60_000),
  useMmap: flag,
  crashSafe: oneOf('file', 'shm', false),
  recoverTo: pathRule,
  arenaDir: pathRule,
  directIO: oneOf('auto', 'required', 'off'),
  dsync: flag,
  onFull: oneOf('drop', 'block'),
  blockTimeout: milliseconds(Number.POSITIVE_INFINITY),
  exitTimeout: milliseconds(Number.POSITIVE_INFINITY),
  shardSelection: oneOf('affinity', 'round-robin'),
  lockTimeout: milliseconds(Number.POSITIVE_INFINITY),
  preset: oneOf(...Object.keys(PRESETS)),
  engine: oneOf('auto', 'native', 'js'),
  onError: { allowed: 'a function', accepts: value => typeof value === 'function' }
}
const NAMES = Object.keys(RULES) as (keyof PlainConfig)[]

/** Options that a descriptor has no choice of. */
const DESCRIPTOR_RULES: Partial<Readonly<Record<keyof PlainConfig, Rule>>> = {
  directIO: oneOf('auto', 'off'),
  dsync: no,
  // The third puts the buffers where a descriptor's cannot lie, and makes its lines later than they
  // are by default.
  preset: oneOf('low-memory', 'throughput')
}
const DESCRIPTOR_NAMES: Readonly<Record<number, string>> = { 1: 'standard output', 2: 'standard error' }
const MAX_DESCRIPTOR = 2 ** 31 - 1

/** Names of the options that a destination of the engine takes, besides `dest` and `format`. */
export const ENGINE_OPTIONS: readonly string[] = NAMES.filter(name => name !== 'logFilePath')

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

function checkPathIsGiven({ logFilePath }: { logFilePath: unknown }): void {
  if (logFilePath !== undefined && logFilePath !== null && logFilePath !== '') return
  throw configError(`logFilePath is required: ${RULES.logFilePath.allowed}, got ${show(logFilePath)}`)
}

function checkValues(config: Partial<PlainConfig>): void {
  for (const name of NAMES) {
    const value = config[name]
    // Below the smallest size that any number of shards allows: the shard rule says it better.
    if (name === 'bufferSize' && Number.isInteger(value) && (value as number) < 2 * MIN_SHARD_BYTES) continue
    if (value !== undefined && !RULES[name].accepts(value)) {
      throw configError(`option ${name} must be ${RULES[name].allowed}, got ${show(value)}`)
    }
  }
}

/**
 * The JavaScript engine's buffers are plain memory: who asks for more by name does not get less.
 */
function checkCrashSafety({ engine, crashSafe, recoverTo }: Partial<PlainConfig>): void {
  if (engine !== 'js') return
  const name = crashSafe ? 'crashSafe' : 'recoverTo'
  const value = crashSafe || recoverTo
  if (!value) return
  throw configError(
    `option ${name} (value ${show(value)}) needs the native engine, and engine is 'js': leave one of the two out`
  )
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

const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** What `substitute` makes of the name in other processes; undefined without `%p` in it. */
function siblingsOf(file: string): ResolvedConfig['siblings'] {
  const { dir, base } = path.parse(file)
  const parts = base.split(/(%[p%])/)
  if (!parts.includes('%p')) return undefined
  const name = parts.map(part => (part === '%p' ? '\\d+' : part === '%%' ? '%' : escapeRegExp(part))).join('')
  return { directory: path.resolve(substitute(dir)), name: new RegExp(`^${name}$`, 's') }
}

/** `%p` becomes the process id, `%%` a percent sign; anything else stays. */
export function substitute(logFilePath: string): string {
  return logFilePath.replace(/%[p%]/g, match => (match === '%%' ? '%' : String(process.pid)))
}

const given = <T extends object>(config: T): Partial<T> =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined)) as Partial<T>

/** Sizes that follow from other options, where they are not given. */
function sizes({ bufferSize, numShards, crashSafe, recoverTo }: Partial<PlainConfig>, otherwise: number): Sizes {
  const small = crashSafe === 'shm' || recoverTo !== undefined
  const bytes = bufferSize ?? (small ? SMALL_BUFFER : otherwise)
  const shards = Math.min(DEFAULTS.numShards, Math.max(1, Math.floor(bytes / 2 / GOOD_SHARD_BYTES)))
  return { bufferSize: bytes, numShards: numShards ?? shards }
}

type Sizes = Pick<Defaults, 'bufferSize' | 'numShards'>

// What is put together for each log is assigned, not spread: V8 makes a shape for each literal that
// objects are spread into, which stays until the next full collection, with what it refers to.

/** The options that are given, over those of their preset. */
function chosenOf(config: Partial<PlainConfig>): Partial<PlainConfig> {
  const { preset, ...own } = given(config)
  return Object.assign({}, preset && PRESETS[preset], own)
}

/**
 * Checks a config and fills in the defaults; a string is short for `{ logFilePath }`. The path
 * comes out absolute.
 *
 * @param defaults what differs from a `Logger`'s; a preset overrides it
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a wrong option, `ERR_SHARDLOG_PATH` for a path
 *   that cannot be a log.
 */
export function resolveConfig(input: PlainConfig | string, defaults: Partial<PlainConfig> = {}): ResolvedConfig {
  const config = typeof input === 'string' ? { logFilePath: input } : input
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw configError(`logFilePath is required: the config must be an object or a path, got ${show(config)}`)
  }
  checkNames(config)
  checkPathIsGiven(config)
  checkValues(config)
  checkCrashSafety(config)
  if (config.recoverTo !== undefined) {
    throw configError(
      `option recoverTo (value ${show(config.recoverTo)}) is for descriptors: a file's lines are recovered to the file`
    )
  }
  if (config.exitTimeout !== undefined) {
    throw configError(
      `option exitTimeout (value ${show(config.exitTimeout)}) is for descriptors: a file is never slow to be read`
    )
  }
  const chosen = chosenOf(config)
  checkCrashSafety(chosen)
  const otherwise = defaults.bufferSize ?? DEFAULTS.bufferSize
  const resolved: ResolvedConfig = Object.assign({}, DEFAULTS, defaults, chosen, sizes(chosen, otherwise))
  checkShardSize(resolved)
  const siblings = siblingsOf(resolved.logFilePath)
  if (siblings !== undefined) resolved.siblings = siblings
  resolved.logFilePath = ownName(path.resolve(substitute(resolved.logFilePath)))
  resolveArenaDir(resolved)
  checkLogPath(resolved.logFilePath, resolved.crashSafe === 'file' && resolved.arenaDir === undefined)
  return resolved
}

function resolveArenaDir(config: ResolvedConfig): void {
  if (config.arenaDir === undefined) return
  if (config.crashSafe !== 'file') {
    throw configError(
      `option arenaDir (value ${show(config.arenaDir)}) is for crashSafe 'file': with crashSafe ${show(config.crashSafe)} there is no file to put there`
    )
  }
  config.arenaDir = path.resolve(config.arenaDir)
  checkArenaDir(config.arenaDir)
}

function checkForDescriptor(config: Partial<PlainConfig>): void {
  for (const [name, rule] of Object.entries(DESCRIPTOR_RULES)) {
    const value = config[name as keyof PlainConfig]
    if (value === undefined || rule.accepts(value)) continue
    throw configError(`option ${name} must be ${rule.allowed} for a descriptor, got ${show(value)}`)
  }
  const { crashSafe, recoverTo } = config
  const allowed =
    recoverTo === undefined ? 'false for a descriptor without recoverTo' : "'file' for a descriptor with recoverTo"
  if (crashSafe === undefined || crashSafe === (recoverTo === undefined ? false : 'file')) return
  throw configError(`option crashSafe must be ${allowed}, got ${show(crashSafe)}`)
}

/** A descriptor's buffers lie beside the file that what a kill leaves in them is recovered to. */
function crashSafety({
  recoverTo,
  arenaDir
}: Partial<PlainConfig>): Pick<ResolvedConfig, 'crashSafe' | 'recoverTo' | 'siblings'> {
  if (recoverTo === undefined) return { crashSafe: false }
  const file = path.resolve(substitute(recoverTo))
  checkLogPath(file, arenaDir === undefined, 'recoverTo')
  const siblings = siblingsOf(recoverTo)
  return { crashSafe: 'file', recoverTo: file, ...(siblings && { siblings }) }
}

/**
 * As `resolveConfig`, for lines that go to a descriptor.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function resolveDescriptorConfig(config: Omit<PlainConfig, 'logFilePath'>, descriptor: number): ResolvedConfig {
  if (!Number.isInteger(descriptor) || descriptor < 0 || descriptor > MAX_DESCRIPTOR) {
    throw configError(`option dest must be a path or the number of an open descriptor, got ${show(descriptor)}`)
  }
  checkNames(config)
  checkValues(config)
  checkCrashSafety(config)
  checkForDescriptor(config)
  const logFilePath = DESCRIPTOR_NAMES[descriptor] ?? `descriptor ${descriptor}`
  const fixed = { directIO: 'off', logFilePath, descriptor } as const
  const chosen = chosenOf(config)
  const sized = sizes(chosen, DEFAULTS.bufferSize)
  const resolved = Object.assign({}, DESCRIPTOR_DEFAULTS, chosen, sized, crashSafety(config), fixed) as ResolvedConfig
  checkShardSize(resolved)
  resolveArenaDir(resolved)
  return resolved
}

/**
 * A config for `logFilePath` with every default spelt out, to be changed and given to `new Logger`.
 */
export function defaultConfig(logFilePath: string): Required<Omit<PlainConfig, OptionalOption | 'preset'>> {
  return { logFilePath, ...DEFAULTS }
}
