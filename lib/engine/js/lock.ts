/**
 * Who may write to a log: the lock of the JavaScript engine, the flock of the native one, and
 * arenas that are left behind.
 */

import fs from 'node:fs'
import { isEmptiedArena } from '../../arena/arena-file'
import { arenaPaths } from '../../arena/locate'
import { fromSystemError, ShardlogError } from '../../errors'
import { pause } from '../engine'

/**
 * State and start time of a process, of /proc/<pid>/stat; undefined without /proc, or without such
 * a process.
 */
function statOf(pid: number | 'self'): { state: string; startTime: string } | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command in parentheses may hold anything, so fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, startTime: fields[19]! }
  } catch {
    return undefined // isAlive asks the kernel.
  }
}

/** Clock ticks since boot at which this process started. '0' where there is no /proc. */
const ownStartTime = (): string => statOf('self')?.startTime ?? '0'

/** Whether the process `pid` that started at `startTime` still runs. */
function isAlive(pid: number, startTime: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = statOf(pid)
  if (stat === undefined) return true
  return stat.state !== 'Z' && (startTime === '0' || stat.startTime === startTime)
}

const major = (device: bigint): bigint => ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
const minor = (device: bigint): bigint => (device & 0xffn) | ((device >> 12n) & 0xffffff00n)

/**
 * Pid of the process that holds a flock on `file`, as the native engine does while it has the log
 * open; undefined if none.
 */
function flockHolder(file: string): number | undefined {
  let locks: string
  try {
    locks = fs.readFileSync('/proc/locks', 'latin1')
  } catch {
    return undefined // Not Linux: there is no native engine with a flock either.
  }
  const { dev, ino } = fs.statSync(file, { bigint: true })
  const hex = (value: bigint): string => value.toString(16).padStart(2, '0')
  const id = `${hex(major(dev))}:${hex(minor(dev))}:${ino}`
  for (const line of locks.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[1] === 'FLOCK' && fields[5] === id) return Number(fields[4])
  }
  return undefined
}

const EMPTY_TRIES = 20
/**
 * How long an engine waits for another of its process to make the log ready; longer only if that
 * one was terminated meanwhile.
 */
const PREPARE_TRIES = 2_500
const TRY_MS = 2
const CLOSE_PAUSE_MS = 5
const TAKE_TRIES = 10

interface Owner {
  pid: number
  startTime: string
  /**
   * Whether the log's tail is still being repaired, or the lock about to be removed: nobody may
   * join now.
   */
  busy: boolean
}

const self: Owner = { pid: process.pid, startTime: ownStartTime(), busy: false }
const isSelf = (owner: Owner): boolean => owner.pid === self.pid && owner.startTime === self.startTime

/** Name of the file by which the JavaScript engine keeps other processes off a log. */
function lockPath(log: string): string {
  return `${log}.lock`
}

function readOwner(file: string): Owner | undefined {
  for (let i = 0; i < EMPTY_TRIES; i++) {
    let content: string
    try {
      // Nearly always there is none: an exception for each log that is opened would be a lot.
      if (fs.lstatSync(file, { throwIfNoEntry: false }) === undefined) return undefined
      content = fs.readFileSync(file, 'latin1')
    } catch (error) {
      // A log whose name leaves no room for the suffix is not the JavaScript engine's.
      if (['ENOENT', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined
      throw error
    }
    const [, pid, startTime, state] = /^(\d+) (\d+) (preparing|ready|closing) *\n$/.exec(content) ?? []
    if (pid !== undefined && startTime !== undefined) {
      return { pid: Number(pid), startTime, busy: state !== 'ready' }
    }
    pause(TRY_MS) // Created but not yet filled in by its owner.
  }
  return { pid: 0, startTime: '0', busy: false }
}

/** Same length in all states, so that one write turns one into another. */
const lockLine = (state: 'preparing' | 'ready' | 'closing'): string =>
  `${self.pid} ${self.startTime} ${state.padEnd(9)}\n`

const living = (owner: Owner): boolean => owner.pid !== 0 && isAlive(owner.pid, owner.startTime)

/**
 * Owner's pid, if a living process other than this has the log open with the JavaScript engine, or
 * this one has.
 */
export function jsLockHolder(log: string): number | undefined {
  const owner = readOwner(lockPath(log))
  return owner !== undefined && living(owner) ? owner.pid : undefined
}

export function lockedError(log: string, pid: number, engine: string): ShardlogError {
  const who = pid === process.pid ? `this process (pid ${pid}), with the ${engine} engine` : `pid ${pid}`
  const hint =
    pid === process.pid ? 'use one engine for one log' : '%p in logFilePath gives each process a file of its own'
  return new ShardlogError('ERR_SHARDLOG_LOCKED', `${log} is locked by ${who}; ${hint}`, { path: log })
}

/**
 * The lock on a log: `<log>.lock` with the owner's pid and start time. The JavaScript engine cannot
 * take the flock of the native one, but sees it in /proc/locks. All engines of one process share
 * the lock; each holds the file open, and who is the last to close it removes it.
 */
export class Lock {
  readonly #path: string
  #fd: number
  /** Whether no other engine of this process had the log open. */
  readonly first: boolean

  /** @throws ShardlogError `ERR_SHARDLOG_LOCKED` */
  constructor(readonly log: string) {
    this.#path = lockPath(log)
    try {
      const { fd, first } = this.#take()
      this.#fd = fd
      this.first = first
    } catch (error) {
      if (error instanceof ShardlogError) throw error
      throw fromSystemError('ERR_SHARDLOG_IO', `cannot create ${this.#path}`, error, this.#path)
    }
  }

  /** Refuses a log that a native engine has open. One that opens later sees this lock. */
  checkNative(): void {
    const pid = fs.existsSync(this.log) ? flockHolder(this.log) : undefined
    if (pid === undefined) return
    throw lockedError(this.log, pid, 'native')
  }

  /** The first engine has made the log ready: others of the process may append. */
  ready(): void {
    if (this.first) fs.writeSync(this.#fd, lockLine('ready'), 0)
  }

  release(): void {
    if (this.#fd < 0) return
    try {
      // Twice: two that close at once see each other the first time.
      if (!this.#removeIfLast()) {
        pause(Math.random() * CLOSE_PAUSE_MS)
        this.#removeIfLast()
      }
    } catch {
      // The file system has become read-only: the next opening takes the lock for what it is, a
      // dead process's.
    } finally {
      fs.closeSync(this.#fd)
      this.#fd = -1
    }
  }

  /**
   * Removes the lock unless another engine of the process holds it. One that joins opens the file
   * first and reads its state then; here the state is written first and the holders are looked at
   * then: one of the two sees the other.
   */
  #removeIfLast(): boolean {
    fs.writeSync(this.#fd, lockLine('closing'), 0)
    const last = !this.#othersHold()
    if (last) fs.rmSync(this.#path, { force: true })
    else fs.writeSync(this.#fd, lockLine('ready'), 0)
    return last
  }

  #take(): { fd: number; first: boolean } {
    for (let i = 0; i < TAKE_TRIES; i++) {
      const fd = this.#create()
      if (fd !== undefined) return { fd, first: true }
      const owner = readOwner(this.#path)
      if (owner === undefined) continue
      if (isSelf(owner)) {
        const shared = this.#awaitReady() ? this.#join() : this.#removeStale(owner)
        if (shared !== undefined) return { fd: shared, first: false }
      } else if (living(owner)) {
        throw lockedError(this.log, owner.pid, 'JavaScript')
      } else {
        this.#removeStale(owner)
      }
    }
    throw new ShardlogError('ERR_SHARDLOG_LOCKED', `${this.#path} keeps changing hands`, { path: this.#path })
  }

  #create(): number | undefined {
    let fd: number
    try {
      fd = fs.openSync(this.#path, 'wx', 0o644)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined
      throw error
    }
    try {
      fs.writeSync(fd, lockLine('preparing'), 0)
      this.#checkRemovable()
      return fd
    } catch (error) {
      // A full disk: an empty lock would be in the way of the next opening.
      this.#abandon(fd)
      throw error
    }
  }

  #abandon(fd: number): void {
    try {
      fs.ftruncateSync(fd)
      fs.closeSync(fd)
      fs.unlinkSync(this.#path)
    } catch {
      // Nobody's lock stays, since nothing can be removed there.
    }
  }

  /** Refuses a directory that is append-only: the lock would be in the way of the next opening. */
  #checkRemovable(): void {
    const name = `${this.#path}.${process.pid}.new`
    try {
      fs.linkSync(this.#path, name)
    } catch {
      return // File systems without hard links have no such directories.
    }
    try {
      fs.unlinkSync(name)
    } catch (error) {
      throw irremovable(this.#path, error)
    }
  }

  /** False if a thread of this process was ended in the middle of making or removing the lock. */
  #awaitReady(): boolean {
    for (let i = 0; i < PREPARE_TRIES; i++) {
      if (!readOwner(this.#path)?.busy) return true
      pause(TRY_MS)
    }
    return false
  }

  /**
   * Opens the lock another engine of this process made; undefined if that one removed it meanwhile.
   */
  #join(): number | undefined {
    let fd: number
    try {
      fd = fs.openSync(this.#path, 'r+')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw error
    }
    const named = fs.statSync(this.#path, { throwIfNoEntry: false })
    if (named?.ino === fs.fstatSync(fd).ino && readOwner(this.#path)?.busy === false) return fd
    fs.closeSync(fd)
    return undefined
  }

  /**
   * Takes a dead process's lock away; gives it back if a living one took it between the look and
   * the move.
   */
  #removeStale(dead: Owner): undefined {
    const aside = `${this.#path}.${process.pid}`
    try {
      fs.renameSync(this.#path, aside)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw irremovable(this.#path, error)
    }
    const moved = readOwner(aside)
    if (moved !== undefined && moved.pid !== dead.pid && living(moved)) fs.linkSync(aside, this.#path)
    fs.rmSync(aside, { force: true })
    return undefined
  }

  #othersHold(): boolean {
    let names: string[]
    try {
      names = fs.readdirSync('/proc/self/fd')
    } catch {
      return !this.first // No /proc: who made the lock removes it.
    }
    return names.some(name => Number(name) !== this.#fd && linkOf(name) === this.#path)
  }
}

function irremovable(file: string, error: unknown): ShardlogError {
  const context =
    `cannot remove ${file}: the JavaScript engine needs a directory that is not append-only; ` +
    "log to another one, or with the native engine and option arenaDir, or crashSafe 'shm' or false"
  return fromSystemError('ERR_SHARDLOG_IO', context, error, file)
}

function linkOf(descriptor: string): string | undefined {
  try {
    return fs.readlinkSync(`/proc/self/fd/${descriptor}`)
  } catch {
    return undefined // Closed since the directory was read.
  }
}

/**
 * Refuses a log whose native engine died and left entries behind: appending now would spoil the
 * place they belong to.
 *
 * @throws ShardlogError `ERR_SHARDLOG_ARENA_LEFT`; `ERR_SHARDLOG_LOCKED` if the native engine is
 *   alive
 */
export function checkNoArena(log: string, arenaDir?: string): void {
  const left = arenaPaths(log, arenaDir).find(file => fs.existsSync(file) && !isEmptiedArena(file))
  if (left === undefined) return
  const holder = fs.existsSync(log) ? flockHolder(log) : undefined
  if (holder !== undefined) throw lockedError(log, holder, 'native')
  const message =
    `entries of a dead process wait in ${left}, and the JavaScript engine cannot recover them: run \`shardlog recover\`, ` +
    'or open the log once with the native engine'
  throw new ShardlogError('ERR_SHARDLOG_ARENA_LEFT', message, { path: left })
}
