/**
 * What is left to do with files that were renamed: they get their names and are compressed. What
 * fails is tried again, as long as the appender is open; the next start finds what is left then.
 */

import fs from 'node:fs'
import path from 'node:path'
import { asShardlogError, fromSystemError, ShardlogError } from '../errors'
import { performance } from '../timers'
import { type Archive, isLeftBehind } from './archive'
import { makeFolder } from './engine-appender'
import type { RollNames } from './roll-names'

const FIRST_RETRY_MS = 1_000
const MAX_RETRY_MS = 60_000

/** Tells of what fails once, and when it works again; says when to try again. */
export class Outage {
  failures = 0
  #retryMs = 0
  #retryAt = 0

  /**
   * @param what is done, as the subject of a sentence
   * @param file that it is done to
   */
  constructor(
    private readonly what: string,
    private readonly file: string,
    private readonly report: (error: ShardlogError) => void
  ) {}

  /** Whether it has failed a moment ago. */
  get isRecent(): boolean {
    return this.#retryMs > 0 && performance.now() < this.#retryAt
  }

  failed(error: unknown): void {
    this.failures++
    const isFirst = this.#retryMs === 0
    this.#retryMs = isFirst ? FIRST_RETRY_MS : Math.min(MAX_RETRY_MS, 2 * this.#retryMs)
    this.#retryAt = performance.now() + this.#retryMs
    if (!isFirst) return
    const known = error instanceof ShardlogError
    this.report(
      known
        ? asShardlogError(error)
        : fromSystemError('ERR_SHARDLOG_IO', `${this.what} ${this.file} fails`, error, this.file)
    )
  }

  works(): void {
    if (this.#retryMs === 0) return
    this.#retryMs = 0
    this.report(new ShardlogError('ERR_SHARDLOG_RESUMED', `${this.what} ${this.file} works again`, { path: this.file }))
  }
}

/** A name for a renamed file, in the first place. */
interface Wanted {
  readonly name: string
  readonly time: number
  readonly index: number
}

/** A file that was renamed. */
interface Job {
  path: string
  /** What it is to be called; null: it has its name. */
  wanted: Wanted | null
  /** Settled when nobody writes to it any more. */
  readonly flushed: Promise<void>
}

/** The renamed files of one log. */
export class RolledWork {
  compressed = 0
  deleted = 0
  readonly outage: Outage
  readonly #jobs: Job[] = []
  #work: Promise<void> = Promise.resolve()

  constructor(
    private readonly file: string,
    private readonly names: RollNames,
    private readonly archive: Archive,
    report: (error: ShardlogError) => void
  ) {
    this.outage = new Outage('naming and compressing rolled files of', file, report)
  }

  // Recovery looks for a renamed log beside the log, under names that begin with the log's. So the
  // file has such a name, which says what it is to be called, until the engine has done with it.

  parkedPath(name: string): string {
    return this.#parkedPrefix + encodeURIComponent(name)
  }

  get #parkedPrefix(): string {
    return `${this.file}.rolled.`
  }

  /** Files that an earlier process has renamed, and not given their names. */
  moveParked(): void {
    const prefix = path.basename(this.#parkedPrefix)
    const folder = path.dirname(this.file)
    for (const entry of fs.readdirSync(folder)) {
      const parked = path.join(folder, entry)
      if (!entry.startsWith(prefix) || !isLeftBehind(parked)) continue
      const name = nameOf(entry.slice(prefix.length))
      // A name that was taken, and nothing renamed to it.
      if (fs.statSync(parked).size === 0) fs.rmSync(parked)
      // Somebody's file of that name stays: the next roll of the period has another.
      else if (name !== null && this.names.match(name) !== null) this.#moveLeft(parked, name)
    }
  }

  /**
   * A file was renamed to `parkedPath(name)`.
   *
   * @param time of the period that it is of
   * @param flushed settled when nobody writes to it any more
   */
  add(name: string, time: number, index: number, flushed: Promise<void>): void {
    this.#jobs.push({ path: this.parkedPath(name), wanted: { name, time, index }, flushed })
    this.#do(() => this.#finish())
  }

  /** Finishes what an earlier process has left, and deletes what is beyond the limits. */
  begin(): void {
    this.#do(async () => {
      const left = await this.archive.tidy()
      this.#jobs.unshift(...left.map(path => ({ path, wanted: null, flushed: Promise.resolve() })))
      await this.#finish()
    })
    this.clean()
  }

  /** Tries again what has failed. */
  retry(): void {
    if (this.#jobs.length > 0 && !this.outage.isRecent) this.#do(() => this.#finish())
  }

  clean(): void {
    this.#do(async () => {
      this.deleted += await this.archive.clean(Date.now())
    })
  }

  /** Resolves when all that can be done is done. */
  get settled(): Promise<void> {
    return this.#work
  }

  /** One thing after the other. */
  #do(task: () => Promise<void>): void {
    this.#work = this.#work.then(task).catch(error => this.outage.failed(error))
  }

  async #finish(): Promise<void> {
    let failure: unknown
    for (const job of [...this.#jobs]) {
      try {
        await job.flushed
        await this.#finishOne(job)
        this.#jobs.splice(this.#jobs.indexOf(job), 1)
      } catch (error) {
        // One file that cannot be compressed is no reason to leave the others.
        failure ??= error
      }
    }
    if (failure !== undefined) throw failure
    this.outage.works()
  }

  async #finishOne(job: Job): Promise<void> {
    if (job.wanted !== null) {
      let moved: string | null = null
      while (moved === null) moved = this.#move(job.path, this.#stillFree(job.wanted))
      job.path = moved
      job.wanted = null
    }
    await this.archive.compress(job.path)
    if (this.names.compression !== null) this.compressed++
  }

  /** The name, or a later one of its period where somebody has taken it meanwhile. */
  #stillFree({ name, time, index }: Wanted): string {
    if (this.archive.isFree(name)) return name
    return this.archive.freeName(time, index + 1, other => fs.existsSync(this.parkedPath(other))).name
  }

  /** As #move, of a process that may have died when it had taken the name. */
  #moveLeft(parked: string, name: string): void {
    const to = path.join(this.names.folder, name)
    if (fs.statSync(to, { throwIfNoEntry: false })?.size === 0) fs.rmSync(to)
    this.#move(parked, name)
  }

  /**
   * Gives a file its name, if nobody has it: another thread may just be giving it to its own.
   *
   * @returns its path; null if somebody has
   */
  #move(parked: string, name: string): string | null {
    const to = path.join(this.names.folder, name)
    if (!this.archive.isFree(name)) return null
    makeFolder(to)
    try {
      fs.closeSync(fs.openSync(to, 'wx'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null
      throw error
    }
    try {
      fs.renameSync(parked, to)
    } catch (error) {
      fs.rmSync(to, { force: true })
      throw error
    }
    return to
  }
}

/** What a parked file is to be called; null: it is somebody else's. */
function nameOf(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}
