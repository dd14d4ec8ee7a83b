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
/** What `link` fails with where the file system has no hard links, or the system allows none. */
const WITHOUT_LINKS = new Set<string | undefined>(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'])

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
      const stat = fs.statSync(parked)
      // A name that was taken, and nothing renamed to it; or a file that has its name already.
      if (stat.size === 0 || (name !== null && isSameFile(stat, this.#placeOf(name)))) fs.rmSync(parked)
      // Somebody's file of that name stays: the next roll of the period has another.
      else if (name !== null && this.names.match(name) !== null) this.#move(parked, name)
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
      job.path = this.#moveToFree(job.path, job.wanted)
      job.wanted = null
    }
    await this.archive.compress(job.path)
    if (this.names.compression !== null) this.compressed++
  }

  #placeOf(name: string): string {
    return path.join(this.names.folder, name)
  }

  /**
   * Gives a file its name, or a later one of its period where somebody has taken it meanwhile; its
   * path.
   */
  #moveToFree(parked: string, { name, time, index }: Wanted): string {
    if (this.#move(parked, name)) return this.#placeOf(name)
    const isTaken = (other: string): boolean => fs.existsSync(this.parkedPath(other)) || !this.#move(parked, other)
    return this.#placeOf(this.archive.freeName(time, index + 1, isTaken).name)
  }

  /** False: somebody has the name. Another thread may just be giving it to its own file. */
  #move(parked: string, name: string): boolean {
    if (!this.archive.isFree(name)) return false
    const to = this.#placeOf(name)
    makeFolder(to)
    try {
      // As a rename, which would replace what is there.
      fs.linkSync(parked, to)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'EEXIST') return false
      if (!WITHOUT_LINKS.has(code)) throw error
      fs.renameSync(parked, to)
      return true
    }
    fs.rmSync(parked)
    return true
  }
}

function isSameFile({ dev, ino }: fs.Stats, other: string): boolean {
  const stat = fs.statSync(other, { throwIfNoEntry: false })
  return stat !== undefined && stat.dev === dev && stat.ino === ino
}

/** What a parked file is to be called; null: it is somebody else's. */
function nameOf(encoded: string): string | null {
  try {
    return decodeURIComponent(encoded)
  } catch {
    return null
  }
}
