/**
 * The cursor: how far each file of a log has been shipped, in a file that is replaced as a whole,
 * and who may use it.
 */

import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile, rename } from 'node:fs/promises'
import path from 'node:path'
import { jsLockHolder, Lock } from '../engine/js/lock'
import { fromSystemError, ShardlogError } from '../errors'

/**
 * Bytes of a file by which it is known again, whatever its name and inode: those before a position,
 * or, at its start, the first ones.
 */
export interface Proof {
  from: number
  bytes: number
  sha256: string
}

/** Most bytes of a proof. */
export const PROOF_BYTES = 1024

export function proofOf(from: number, bytes: Buffer): Proof {
  return { from, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex').slice(0, 32) }
}

export function isProvedBy(proof: Proof, bytes: Buffer): boolean {
  return bytes.length === proof.bytes && proofOf(proof.from, bytes).sha256 === proof.sha256
}

/** A file of a log, and how far it has been read. */
export interface FileMark {
  /** Where it was last seen. */
  path: string
  dev: string
  ino: string
  /** All before it has been read; of a log of blocks, where a block begins. */
  offset: number
  /** And so many entries of that block. */
  skip: number
  /** Null: of a file that was there, packed, before shipping began; only its inode is known. */
  proof: Proof | null
  /** Of its first bytes: by these it is looked for among many, and without them among all. */
  head?: Proof
  /** Bytes of its content that were known when it was left; more are unread. */
  end?: number
  /** Both as they were on the disk then. */
  size?: number
  mtime?: number
}

/** A rotated file that is to be read, as it was when that was decided. */
export interface PlannedFile {
  dev: string
  ino: string
  size: number
}

/** What is counted over all processes that used the cursor. */
export interface ShipCounts {
  /** Records that the other side has taken, and their bytes. */
  records: number
  bytes: number
  batches: number
  /** Batches, or parts of them, that were given to the sink; and failures of these. */
  attempts: number
  failures: number
  /** Records that were set aside in the dead-letter file. */
  deadLetters: number
  /** Places of logs that could not be read. */
  damaged: number
  /** Files that were read to their end. */
  files: number
  /** How often the file that was being read had gone before it was known to be read to its end. */
  gaps: number
}

export interface ShipState {
  format: 'shardlog-ship-1'
  /** The log, absolute. */
  log: string
  /** Names of its rotated files, where they were told. */
  rotated: string | null
  stream: string
  /** Of the next record. */
  sequence: number
  /** The file that is being read; null before there is one. */
  current: FileMark | null
  /** Files that have been read to where their marks say. */
  files: FileMark[]
  /**
   * Rotated files that are read one after the other, from `current` on: ids may have been given to
   * records of all of them.
   */
  ahead?: PlannedFile[]
  counts: ShipCounts
  /** Whether a shipper ended with all that it had sent written down here. */
  clean: boolean
  /** ms since the epoch. */
  saved: number
  pid: number
  /** For the status. */
  target: string
  lastError: { time: number; message: string } | null
}

export function newStream(): string {
  return randomBytes(8).toString('hex')
}

export function freshState(log: string): ShipState {
  const counts = {
    records: 0,
    bytes: 0,
    batches: 0,
    attempts: 0,
    failures: 0,
    deadLetters: 0,
    damaged: 0,
    files: 0,
    gaps: 0
  }
  return {
    format: 'shardlog-ship-1',
    log,
    rotated: null,
    stream: newStream(),
    sequence: 0,
    current: null,
    files: [],
    counts,
    clean: true,
    saved: 0,
    pid: 0,
    target: '',
    lastError: null
  }
}

function isCount(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}

function isMark(value: unknown): value is FileMark {
  const mark = value as FileMark | null
  return typeof mark === 'object' && mark !== null && typeof mark.path === 'string' && isCount(mark.offset)
}

function isState(value: unknown): value is ShipState {
  const state = value as ShipState | null
  if (typeof state !== 'object' || state === null || state.format !== 'shardlog-ship-1') return false
  const marks = Array.isArray(state.files) && state.files.every(isMark) && Array.isArray(state.ahead ?? [])
  const place = state.current === null || isMark(state.current)
  return marks && place && isCount(state.sequence) && /^[0-9a-f]{16}$/.test(state.stream)
}

/**
 * Reads a cursor without taking it; null if there is none.
 *
 * @throws ShardlogError `ERR_SHARDLOG_SHIP_CURSOR` if it cannot be read, or is none
 */
export async function readState(file: string): Promise<ShipState | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw fromSystemError('ERR_SHARDLOG_SHIP_CURSOR', `cannot read the cursor ${file}`, error, file)
  }
  try {
    const state: unknown = JSON.parse(text)
    if (isState(state)) return state
  } catch {
    // Said below.
  }
  const message = `${file} is no cursor of a shipper; shipping would begin anew without it: move it away if it shall`
  throw new ShardlogError('ERR_SHARDLOG_SHIP_CURSOR', message, { path: file })
}

/** Brings a folder's entries to the device, where the file system can. */
async function syncFolder(folder: string): Promise<void> {
  let handle: FileHandle
  try {
    handle = await open(folder, 'r')
  } catch {
    return // Not to be opened here (Windows): the rename alone has to do.
  }
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Pid of the shipper that has a cursor; undefined: none has. */
export function holderOf(file: string): number | undefined {
  return jsLockHolder(file)
}

/** Marks never change: of many files, those that are new are written out. */
const markTexts = new WeakMap<FileMark, string>()

function textOfMark(mark: FileMark): string {
  const known = markTexts.get(mark)
  if (known !== undefined) return known
  const text = JSON.stringify(mark)
  markTexts.set(mark, text)
  return text
}

function textOfState({ files, ...rest }: ShipState): string {
  return `${JSON.stringify(rest).slice(0, -1)},"files":[${files.map(textOfMark).join(',')}]}\n`
}

/** A cursor that is in use: nobody else may use it meanwhile. */
export class Cursor {
  private saving: Promise<void> = Promise.resolve()

  private constructor(
    readonly file: string,
    readonly state: ShipState,
    private readonly lock: Lock
  ) {}

  /**
   * @param log the log that it is to be of, absolute
   * @throws ShardlogError `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_SHIP_CURSOR`
   */
  static async open(file: string, log: string, rotated: string | null): Promise<Cursor> {
    const lock = Cursor.take(file)
    try {
      const state = (await readState(file)) ?? freshState(log)
      return new Cursor(file, { ...state, log, rotated }, lock)
    } catch (error) {
      lock.release()
      throw error
    }
  }

  private static take(file: string): Lock {
    const holder = jsLockHolder(file)
    const inUse = (pid: number | undefined): ShardlogError =>
      new ShardlogError('ERR_SHARDLOG_LOCKED', `the cursor ${file} is in use by another shipper, pid ${pid}`, {
        path: file
      })
    if (holder !== undefined) throw inUse(holder)
    const lock = new Lock(file)
    if (lock.first) {
      lock.ready()
      return lock
    }
    lock.release()
    throw inUse(process.pid)
  }

  /**
   * Writes the state as it is now, so that a kill or a power failure leaves this one or the one
   * before. Calls wait for each other.
   */
  save(): Promise<void> {
    const { state } = this
    state.saved = Date.now()
    state.pid = process.pid
    const text = textOfState(state)
    const done = this.saving.catch(() => undefined).then(() => this.write(text))
    this.saving = done
    return done
  }

  private async write(text: string): Promise<void> {
    const temporary = `${this.file}.new`
    try {
      const handle = await open(temporary, 'w', 0o600)
      try {
        await handle.writeFile(text)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, this.file)
      await syncFolder(path.dirname(this.file))
    } catch (error) {
      throw fromSystemError('ERR_SHARDLOG_SHIP_CURSOR', `cannot write the cursor ${this.file}`, error, this.file)
    }
  }

  /** Lets others use it. */
  async close(): Promise<void> {
    // Whoever saved has been told.
    await this.saving.catch(() => undefined)
    this.lock.release()
  }
}
