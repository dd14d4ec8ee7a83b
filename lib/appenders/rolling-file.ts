/**
 * A file that is rolled: renamed when it is large enough or its period is over, and begun anew.
 *
 * The engine looks before each flush whether the path still names its file, and opens it anew if
 * not. So a roll is a rename: a flush that is under way ends in the renamed file, the next one goes
 * to the new one, and no line is lost, split or written twice. Once a flush that began after the
 * rename is done, nobody writes to the renamed file any more; it is compressed then.
 */

import fs from 'node:fs'
import path from 'node:path'
import { substitute } from '../config'
import { ShardlogError } from '../errors'
import { clearTimeout, setTimeout } from '../timers'
import { Archive, assertCompresses } from './archive'
import { batchWatch, EngineAppender, fileProperties, makeFolder, openFile, type Watch } from './engine-appender'
import type { Appender, AppenderContext, AppenderKind, AppenderStats } from './kinds'
import { RollNames } from './roll-names'
import { Outage, RolledWork } from './rolled-work'

const KIB = 1024
const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, k: KIB, m: KIB ** 2, g: KIB ** 3, t: KIB ** 4 }
const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt])?i?b?$/i
const DURATION_UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 }
const DURATION = /^(\d+(?:\.\d+)?)\s*(s|m|h|d|w)[a-z]*$/i

/** `64 MB`, `1GiB`, a number: bytes. As in log4j a KB has 1,024 bytes. NaN for anything else. */
export function bytesOf(size: unknown): number {
  if (typeof size === 'number') return size
  const [, count, unit = 'b'] = SIZE.exec(String(size)) ?? []
  return count === undefined ? Number.NaN : Math.floor(Number(count) * SIZE_UNITS[unit.toLowerCase()]!)
}

/** `30d`, `12 hours`, a number of days: ms. NaN for anything else. */
export function durationOf(duration: unknown): number {
  if (typeof duration === 'number') return duration * DURATION_UNITS.d!
  const [, count, unit] = DURATION.exec(String(duration)) ?? []
  return count === undefined ? Number.NaN : Number(count) * DURATION_UNITS[unit!.toLowerCase()]!
}

/** Records between looks at the file's size. */
const CHECK_EVERY = 512
/** Between looks by the timer, which is set to the beginnings of seconds. */
const TICK_MS = 1_000
/** Later than this after the end of a period, the event loop does not run: the call rolls. */
const LATE_MS = 100
/** A clock that is put back by more than this was wrong before. */
const PUT_BACK_MS = 3_600_000

/** When a file is rolled, and under which name. */
class Roller {
  #rolls = 0
  #appender: EngineAppender | null = null
  /** A moment of the period that the file is of. */
  #periodTime: number
  #period: string
  /** The latest that the clock has said. */
  #latest: number
  #inode: number | null = null
  #next: { period: string; index: number } | null = null
  #timer: NodeJS.Timeout | null = null
  #isFlushing = false
  #closed = false
  readonly #work: RolledWork
  readonly #outage: Outage

  constructor(
    private readonly file: string,
    private readonly names: RollNames,
    private readonly archive: Archive,
    private readonly maxSize: number,
    report: (error: ShardlogError) => void
  ) {
    this.#work = new RolledWork(file, names, archive, report)
    this.#outage = new Outage('rolling', file, report)
    const stat = fs.statSync(file, { throwIfNoEntry: false })
    this.#latest = Date.now()
    this.#periodTime = stat !== undefined && stat.size > 0 ? stat.mtimeMs : this.#latest
    this.#period = names.period(this.#periodTime)
  }

  get counts(): AppenderStats {
    const { compressed, deleted, outage } = this.#work
    return { rolls: this.#rolls, compressed, deleted, failures: this.#outage.failures + outage.failures }
  }

  start(appender: EngineAppender, rollsAtStart: boolean): void {
    this.#appender = appender
    this.#inode = this.#stat()?.ino ?? null
    try {
      this.#work.moveParked()
      // Beside many files this takes a while: not in the call that finds the file to be full.
      this.#nextIndex()
      if (rollsAtStart) this.#roll()
    } catch (error) {
      this.#outage.failed(error)
    }
    this.#work.begin()
    this.look()
    this.#wake()
  }

  #stat(): fs.Stats | undefined {
    return fs.statSync(this.file, { throwIfNoEntry: false })
  }

  #wake(): void {
    this.#timer = setTimeout(
      () => {
        this.look()
        this.#work.retry()
        if (!this.#closed) this.#wake()
      },
      TICK_MS - (Date.now() % TICK_MS) + 1
    )
    this.#timer.unref()
  }

  /** Looks whether the file is to be rolled. `inCall`: a log call is waiting. */
  readonly look = (inCall = false): void => {
    if (this.#closed || this.#appender === null || this.#outage.isRecent) return
    try {
      if (this.names.unit !== null && this.#isOver()) this.#endPeriod(inCall)
      else this.#lookAtSize()
    } catch (error) {
      this.#outage.failed(error)
    }
  }

  #lookAtSize(): void {
    if (this.maxSize === Number.POSITIVE_INFINITY) return
    const stat = this.#stat()
    if (stat === undefined) return
    this.#inode = stat.ino
    if (stat.size >= this.maxSize) this.#roll()
  }

  /**
   * Whether the period of the file is over. It is not while a clock that was put back a little
   * repeats the end of the period before: the file goes on until the clock has passed where it was.
   */
  #isOver(): boolean {
    const now = Date.now()
    const isPutBack = now < this.#latest - PUT_BACK_MS
    if (now < this.#latest && !isPutBack) return false
    this.#latest = now
    const period = this.names.period(now)
    if (period === this.#period) return false
    return now > this.#periodTime || now < this.#periodTime - PUT_BACK_MS
  }

  #endPeriod(inCall: boolean): void {
    if (inCall && Date.now() % TICK_MS < LATE_MS) return
    if (inCall) {
      this.#rollPeriod()
      return
    }
    if (this.#isFlushing) return
    this.#isFlushing = true
    // What was logged in the period goes to its file.
    const done = (): void => {
      this.#isFlushing = false
      if (this.#closed) return
      try {
        if (this.#isOver() || this.names.period(this.#latest) !== this.#period) this.#rollPeriod()
      } catch (error) {
        this.#outage.failed(error)
      }
    }
    this.#appender!.flush().then(done, done)
  }

  #rollPeriod(): void {
    const stat = this.#stat()
    // Somebody else has begun it anew: logrotate, or another thread with the same appender.
    const isOther = stat !== undefined && this.#inode !== null && stat.ino !== this.#inode
    if (!isOther) this.#roll()
    this.#periodTime = Date.now()
    this.#period = this.names.period(this.#periodTime)
    this.#inode = this.#stat()?.ino ?? null
  }

  /** Renames the file, unless there is nothing in it. */
  #roll(): void {
    const stat = this.#stat()
    if (stat === undefined || stat.size === 0) return
    const time = this.#periodTime
    const isTaken = (name: string): boolean => !this.#claim(this.#work.parkedPath(name))
    const { name, index } = this.archive.freeName(time, this.#nextIndex(), isTaken)
    if (!this.#renamedTo(this.#work.parkedPath(name))) return
    this.#next = { period: this.#period, index: index + 1 }
    this.#inode = null
    this.#rolls++
    this.#work.add(name, time, index, this.#flushed())
    this.#work.clean()
    this.#outage.works()
  }

  /**
   * Makes an empty file, so that another thread takes another name. False: somebody has it already.
   */
  #claim(parked: string): boolean {
    try {
      fs.closeSync(fs.openSync(parked, 'wx'))
      return true
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
      throw error
    }
  }

  /** False: somebody else has renamed it meanwhile. */
  #renamedTo(parked: string): boolean {
    try {
      fs.renameSync(this.file, parked)
      return true
    } catch (error) {
      fs.rmSync(parked, { force: true })
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }

  #nextIndex(): number {
    if (this.#next?.period !== this.#period) {
      this.#next = { period: this.#period, index: this.archive.nextIndex(this.#periodTime) }
    }
    return this.#next.index
  }

  /** Resolves when the engine writes to no file that was renamed before the call. */
  async #flushed(): Promise<void> {
    for (let pause = TICK_MS / 10; ; pause = Math.min(pause * 2, TICK_MS * 10)) {
      try {
        await this.#appender!.flush()
        return
      } catch {
        // The failure is told by the destination, which keeps the lines and tries again.
        if (this.#closed) return
        await new Promise<void>(resolve => void setTimeout(resolve, pause).unref())
      }
    }
  }

  stop(): void {
    this.#closed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  /** Resolves when what was rolled is compressed and cleaned up. */
  get settled(): Promise<void> {
    return this.#work.settled
  }
}

class RollingFileAppender extends EngineAppender {
  constructor(
    records: ConstructorParameters<typeof EngineAppender>[0],
    watch: Watch,
    private readonly roller: Roller
  ) {
    super(records, watch)
  }

  override async close(): Promise<void> {
    try {
      await super.close()
    } finally {
      this.roller.stop()
      await this.roller.settled
    }
  }

  override closeSync(): void {
    this.roller.stop()
    super.closeSync()
  }

  override stats(): AppenderStats {
    return { ...super.stats(), ...this.roller.counts }
  }
}

/** Counts for a batch and for looks at the size. */
function bothWatches(roller: Roller, batch: Watch | undefined): Watch {
  const look: Watch = { every: CHECK_EVERY, call: () => roller.look(true) }
  if (batch === undefined) return look
  let records = 0
  let looked = 0
  const every = Math.min(batch.every, CHECK_EVERY)
  return {
    every,
    call: () => {
      records += every
      looked += every
      if (looked >= CHECK_EVERY) {
        looked = 0
        look.call()
      }
      if (records < batch.every) return
      records = 0
      batch.call()
    }
  }
}

function open(context: AppenderContext): Appender {
  const { options, report } = context
  const file = substitute(options.fileName as string)
  const names = new RollNames(options.filePattern as string)
  assertCompresses(names)
  const archive = new Archive(
    names,
    {
      maxFiles: options.maxFiles as number | undefined,
      maxAgeMs: options.maxAge === undefined ? undefined : durationOf(options.maxAge),
      maxTotalSize: options.maxTotalSize === undefined ? undefined : bytesOf(options.maxTotalSize)
    },
    file
  )
  makeFolder(file)
  makeFolder(path.join(names.folder, 'file'))
  assertOneDevice(file, names)
  const maxSize = options.maxSize === undefined ? Number.POSITIVE_INFINITY : bytesOf(options.maxSize)
  // Before the log is opened: recovery writes to it.
  const roller = new Roller(file, names, archive, maxSize, report)
  const records = openFile(context, (options.format as 'ndjson' | 'shard' | undefined) ?? 'ndjson')
  const batch = batchWatch(options, () => appender.flush())
  const appender = new RollingFileAppender(records, bothWatches(roller, batch), roller)
  roller.start(appender, options.rollOnStart === true)
  return appender
}

/** A rename cannot lead to another file system. */
function assertOneDevice(file: string, names: RollNames): void {
  const from = path.dirname(file)
  if (fs.statSync(from).dev === fs.statSync(names.folder).dev) return
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `file_pattern leads to ${names.folder}, which is on another file system than ${from}: files are renamed, which cannot lead there`
  )
}

function check(options: Readonly<Record<string, unknown>>): { option: string; message: string }[] {
  const problems: { option: string; message: string }[] = []
  const must = (option: string, isRight: boolean, message: string): void => {
    if (!isRight) problems.push({ option, message })
  }
  const sized = ['maxSize', 'maxTotalSize'].filter(option => options[option] !== undefined)
  for (const option of sized) {
    must(option, bytesOf(options[option]) >= 1, 'must be a number of bytes, or one with a unit as 64MB or 1 GiB')
  }
  if (options.maxAge !== undefined) {
    must('maxAge', durationOf(options.maxAge) > 0, 'must be a number of days, or one with a unit as 30d or 12h')
  }
  try {
    const names = new RollNames(options.filePattern as string)
    assertCompresses(names)
    const isSized = options.maxSize !== undefined || options.rollOnStart === true
    must(
      'filePattern',
      names.unit !== null || isSized,
      'has no %d{…}: max_size is needed, or nothing would roll the file'
    )
  } catch (error) {
    if (!(error instanceof ShardlogError)) throw error
    problems.push({ option: 'filePattern', message: error.message })
  }
  return problems
}

const size = (description: string) => ({ type: ['integer', 'string'], description })

export const rollingFile: AppenderKind = {
  type: 'RollingFile',
  description: 'A file that is renamed by time, size or both; kill-proof as `File` is.',
  schema: {
    properties: {
      ...fileProperties,
      filePattern: {
        type: 'string',
        minLength: 1,
        description:
          'Names of rolled files: `%d{yyyy-MM-dd}` is the date of their period (its finest unit says how long periods are), `%i` a number, `%p` the process id; `.gz` or `.zst` at its end: they are compressed.'
      },
      format: { enum: ['ndjson', 'shard'], default: 'ndjson', description: 'Lines, or blocks with checksums.' },
      maxSize: size('Size from which on the file is rolled: `64MB`, or bytes. Default: by time alone.'),
      maxFiles: { type: 'integer', minimum: 1, description: 'Rolled files that are kept. Default: all.' },
      maxAge: {
        type: ['number', 'string'],
        description: 'Age at which rolled files are deleted: `30d`, `12h`, or days. Default: none.'
      },
      maxTotalSize: size('Size of all rolled files together, beyond which the oldest are deleted. Default: none.'),
      rollOnStart: { type: 'boolean', default: false, description: 'Whether each start begins a new file.' }
    },
    required: ['fileName', 'filePattern']
  },
  check,
  open
}
