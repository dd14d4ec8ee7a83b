/**
 * `readLog`, the entries of logs; and `recoverLog`, which brings into a log what waits beside it.
 */

import path from 'node:path'
import { asideArenas, type LogPlace } from '../arena/locate'
import { loadNative, type NativeRecovery } from '../engine/load-native'
import { asShardlogError, ShardlogError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { followFiles } from './follow'
import {
  type BlockItem,
  collectLines,
  type Damage,
  damageError,
  Entry,
  entrySlices,
  type FormatChoice,
  type LinesItem,
  type ScanItem
} from './items'
import {
  beginsAsArena,
  checkedPath,
  checkFormat,
  checkNames,
  configError,
  type LogPath,
  logOfArena,
  resolveArenaDir
} from './log-place'
import { scanByTime, scanFiles } from './scan-log'

export interface ReadOptions {
  /**
   * What the files are: 'shard', blocks of entries; 'ndjson', lines of text. Default 'auto': what
   * the first bytes say, or, of an empty file, its arena.
   */
  format?: FormatChoice
  /**
   * Go on for ever: show what is appended, what a live process still has in its arena, and the file
   * that takes the place of a rotated one. Default false.
   */
  follow?: boolean
  /**
   * 'file' (default): each file as it stands, one after the other. 'time': by the time at which
   * blocks were begun, or that a line of text tells in its field `time`, over all files; entries
   * within a block stay together, what has no time stays behind what stood before it. With
   * `follow`, what is new in each round is ordered by itself.
   */
  order?: 'file' | 'time'
  /**
   * Throw ERR_SHARDLOG_CORRUPT at the first damage instead of reading on behind it. Default false.
   */
  strict?: boolean
  /**
   * Deliver blocks whose checksum is wrong, as far as their entries decode, and a torn last line.
   * Default false.
   */
  salvage?: boolean
  /**
   * The directory that the logs were opened with as `arenaDir`: what waits there is shown too.
   * Default: none but the places that need no option.
   */
  arenaDir?: string | URL | undefined
  /** Ends the iteration, without an error. */
  signal?: AbortSignal
  /** Called with each damage found, before the entries behind it are delivered. */
  onDamage?: (damage: Damage) => void
}

const TYPES = { follow: 'boolean', strict: 'boolean', salvage: 'boolean', onDamage: 'function' } as const
const NAMES = ['format', 'follow', 'order', 'strict', 'salvage', 'arenaDir', 'signal', 'onDamage']

/**
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for paths or options that are not what `readLog`
 *   takes. Returns the paths.
 */
export function checkReadArguments(paths: readonly unknown[], options: ReadOptions): string[] {
  if (paths.length === 0) throw configError('readLog needs the path of a log, not an empty array')
  const checked = paths.map(path => checkedPath(path, 'readLog'))
  checkNames(options, NAMES, 'readLog')
  for (const [name, type] of Object.entries(TYPES)) {
    const value = options[name as keyof typeof TYPES]
    if (value !== undefined && typeof value !== type)
      throw configError(`${name} must be a ${type}, not ${String(value)}`)
  }
  checkFormat(options.format)
  const { order, signal } = options
  if (order !== undefined && order !== 'file' && order !== 'time') {
    throw configError(`order must be 'file' or 'time', not ${String(order)}`)
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw configError('signal must be an AbortSignal')
  return checked
}

export interface IteratorOptions {
  strict?: boolean | undefined
  onDamage?: ((damage: Damage) => void) | undefined
  signal?: AbortSignal | undefined
}

type Step = IteratorResult<Entry, undefined>

const END: Step = { done: true, value: undefined }
/** Entries of lines are made so many at once. */
const SLICE_LINES = 256

function none<T>(): Iterator<T, void> {
  const nothing: T[] = []
  return nothing[Symbol.iterator]()
}

/**
 * Entries one by one. Those of blocks are made when they are asked for: of an array of them, the
 * garbage collector would move all before they are used. A promise that is resolved already costs
 * far less than an async generator's two a step.
 */
class EntryIterator implements AsyncIterableIterator<Entry> {
  private items = none<ScanItem>()
  private lines = none<Entry>()
  /** What `lines` are of, and where in its data they end. */
  private text: LinesItem | null = null
  private textAt = 0
  private block: BlockItem | null = null
  /**
   * Of `block`: where its next length prefix is, where its entries end, how many have been taken,
   * from index to offset.
   */
  private at = 0
  private end = 0
  private count = 0
  private shift = 0
  /** The last refill that was asked for: those who do not wait for one get theirs in turn. */
  private turn: Promise<unknown> = Promise.resolve()

  constructor(
    private readonly batches: AsyncGenerator<ScanItem[], void>,
    private readonly options: IteratorOptions
  ) {}

  next(): Promise<Step> {
    if (this.at < this.end) return Promise.resolve({ done: false, value: this.take() })
    const line = this.lines.next()
    return line.done ? this.refill() : Promise.resolve(line)
  }

  async return(): Promise<Step> {
    this.at = this.end
    this.items = none()
    this.lines = none()
    this.text = null
    await this.batches.return()
    return END
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private take(): Entry {
    const { info, data, offsets } = this.block!
    const start = this.at + ENTRY_PREFIX_BYTES
    this.at = start + data.readUInt32LE(this.at)
    const offset = offsets?.[this.count++] ?? start + this.shift
    return new Entry(info, data, start, this.at, offset)
  }

  private refill(): Promise<Step> {
    const step = this.turn.then(() => this.fill())
    this.turn = step.catch(() => undefined) // Whoever asked for it is told.
    return step
  }

  private async fill(): Promise<Step> {
    try {
      for (;;) {
        const entry = this.takeHere()
        if (entry) return { done: false, value: entry }
        if (this.options.signal?.aborted) return await this.return()
        const step = await this.batches.next()
        if (step.done) return END
        this.items = step.value[Symbol.iterator]()
      }
    } catch (error) {
      await this.return()
      throw error
    }
  }

  /** The next entry of the batch at hand. */
  private takeHere(): Entry | null {
    for (;;) {
      if (this.at < this.end) return this.take()
      const line = this.lines.next()
      if (!line.done) return line.value
      if (this.sliceText()) continue
      const item = this.items.next()
      if (item.done) return null
      this.open(item.value)
    }
  }

  /** Makes entries of the next lines of the text at hand; false if there are none. */
  private sliceText(): boolean {
    if (!this.text || this.textAt >= this.text.end) return false
    const entries: Entry[] = []
    this.textAt = collectLines(this.text, entries, this.textAt, SLICE_LINES)
    this.lines = entries[Symbol.iterator]()
    return true
  }

  private open(item: ScanItem): void {
    if (item.kind === 'block') {
      this.block = item
      this.at = item.start
      this.end = item.end
      this.count = 0
      this.shift = item.info.offset + item.skipped - item.start
    } else if (item.kind === 'lines') {
      this.text = item
      this.textAt = item.start
    } else if (item.kind === 'damage') {
      this.options.onDamage?.(item.damage)
      if (this.options.strict) throw damageError(item.damage)
    }
  }
}

/** About as many entries are in memory as objects at once. */
const BATCH_ENTRIES = 8192

function scan(logs: readonly LogPlace[], options: ReadOptions): AsyncGenerator<ScanItem[], void> {
  const { salvage = false, format = 'auto', signal } = options
  const byTime = options.order === 'time'
  if (options.follow) return followFiles(logs, { salvage, format, byTime, signal })
  return byTime ? scanByTime(logs, { salvage, format }) : scanFiles(logs, { salvage, format })
}

/**
 * What `readLog` returns: entries one by one, or in batches for those who read a lot. Each
 * iteration reads anew.
 */
export class LogEntries implements AsyncIterable<Entry> {
  constructor(
    private readonly logs: readonly LogPlace[],
    private readonly options: ReadOptions
  ) {}

  [Symbol.asyncIterator](): AsyncIterableIterator<Entry> {
    return new EntryIterator(scan(this.logs, this.options), this.options)
  }

  /**
   * Entries in arrays of one block or more, or of as many lines as were read at once, some ten
   * thousand at the most and never empty: several times faster than one by one.
   */
  async *batches(): AsyncGenerator<Entry[], void> {
    const { strict, onDamage, signal } = this.options
    if (signal?.aborted) return
    for await (const items of scan(this.logs, this.options)) {
      let entries: Entry[] = []
      for (const item of items) {
        if (item.kind === 'block' || item.kind === 'lines') {
          for (const slice of entrySlices(item, BATCH_ENTRIES)) {
            if (entries.length === 0) entries = slice
            else for (const entry of slice) entries.push(entry)
            if (entries.length < BATCH_ENTRIES) continue
            yield entries
            entries = []
            if (signal?.aborted) return
          }
        } else if (item.kind === 'damage' && (onDamage || strict)) {
          if (entries.length > 0) yield entries.splice(0)
          onDamage?.(item.damage)
          if (strict) throw damageError(item.damage)
        }
      }
      if (entries.length > 0) yield entries
      if (signal?.aborted) return
    }
  }
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export function readLog(path: LogPath | readonly LogPath[], options: ReadOptions = {}): LogEntries {
  const paths = checkReadArguments(Array.isArray(path) ? path : [path], options)
  const arenaDir = resolveArenaDir(options.arenaDir)
  return new LogEntries(
    paths.map(path => ({ path, arenaDir })),
    { ...options }
  )
}

export interface RecoverOptions {
  /**
   * Recover also arenas that were set aside because they are of another boot of the machine.
   * Default false.
   */
  force?: boolean
  /** As in Config. Default 'auto'. */
  directIO?: 'auto' | 'required' | 'off'
  /**
   * The directory that the log was opened with as `arenaDir`. Default: none but the places that
   * need no option.
   */
  arenaDir?: string | URL | undefined
}

/** One arena that was found, and what became of it. */
export type RecoveredArena = NativeRecovery

export interface RecoverReport {
  /** Absolute path of the log. */
  path: string
  /** Written to the log, over all arenas. */
  entries: number
  blocks: number
  bytes: number
  /** One for each arena found; empty if there was nothing to recover. */
  arenas: RecoveredArena[]
  /**
   * Arenas of the log that are set aside, now or since earlier: `force` takes those that are of
   * another boot.
   */
  asides: string[]
}

/**
 * The log that is meant by a path, which may be that of its arena.
 * @throws ShardlogError `ERR_SHARDLOG_RECOVERY` for an arena that lies elsewhere than a log's arena
 *   would
 */
function logMeant(given: LogPlace): string {
  const { path: file } = given
  if (!beginsAsArena(file)) return file
  const { log, named } = logOfArena(given)
  if (log !== null) return log
  const message =
    `${file} is the arena of ${named}, but does not lie where the arena of that log would: move the two together, ` +
    "or print it with 'shardlog cat'"
  throw new ShardlogError('ERR_SHARDLOG_RECOVERY', message, { path: file })
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export async function recoverLog(logPath: LogPath, options: RecoverOptions = {}): Promise<RecoverReport> {
  checkNames(options, ['force', 'directIO', 'arenaDir'], 'recoverLog')
  const file = checkedPath(logPath, 'recoverLog')
  const { force = false, directIO = 'auto' } = options
  const arenaDir = resolveArenaDir(options.arenaDir)
  const absolute = path.resolve(logMeant({ path: file, arenaDir }))
  try {
    const arenas = loadNative().recover(absolute, { force, directIO, arenaDir })
    const sum = (pick: (arena: RecoveredArena) => number) => arenas.reduce((total, arena) => total + pick(arena), 0)
    return {
      path: absolute,
      entries: sum(a => a.entries),
      blocks: sum(a => a.blocks),
      bytes: sum(a => a.bytes),
      arenas,
      asides: asideArenas({ path: absolute, arenaDir })
    }
  } catch (error) {
    throw asShardlogError(error)
  }
}
