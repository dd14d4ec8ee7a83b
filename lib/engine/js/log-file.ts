import fs from 'node:fs'
import { fromSystemError } from '../../errors'
import { pause } from '../engine'
import { blank, type FileEncoder } from './encoders'

const { O_APPEND, O_CREAT, O_WRONLY, O_DSYNC } = fs.constants
const SETTLE_TRIES = 5

/** How a write ended. */
interface WriteResult {
  /** Bytes that are in the file. */
  written: number
  error?: unknown
}

/**
 * What has become of the file since the last write: nothing; somebody has written to it, or cut it;
 * or it is another one.
 */
export type Change = 'none' | 'other' | 'cut' | 'file'

/** Of what a write may have left, so much is looked for, and then gone on with. */
const LOOKED_FOR_BYTES = 64

/**
 * The log's file: appended to with O_APPEND, so that the engines of several workers can share it;
 * opened anew when somebody deletes or replaces it.
 */
export class LogFile {
  #fd: number
  #device = 0
  #inode = 0
  /** Where we know the file to end; 0 if we do not know. */
  #end = 0
  /**
   * Bytes at the end that a failed write has left in the page cache, but not on the device; `at`:
   * where.
   */
  #unsynced: { at: number; length: number } | undefined

  constructor(
    readonly path: string,
    private readonly dsync: boolean,
    private readonly encoder: FileEncoder
  ) {
    this.#fd = this.#open()
  }

  /**
   * Repairs a torn end. Only the first engine of a process does it: another may be appending
   * already.
   */
  prepare(): void {
    this.#end = this.encoder.repair(this.path)
  }

  /** Where what we wrote last ends, as far as we know. */
  get end(): number {
    return this.#end
  }

  /**
   * Before each write: notices that the path names another file now, or none, and whether the file
   * ends where our last write did.
   *
   * @param goesOn whether that left something half, which is to be gone on with; if not, the file
   *   is made ready for what comes
   */
  check(goesOn: boolean): Change {
    const named = fs.statSync(this.path, { throwIfNoEntry: false })
    if (named === undefined || named.dev !== this.#device || named.ino !== this.#inode) {
      const fd = this.#open()
      fs.closeSync(this.#fd)
      this.#fd = fd
      this.#unsynced = undefined
      this.prepare()
      return 'file'
    }
    if (goesOn) return this.#changeSince(fs.fstatSync(this.#fd).size)
    const size = this.#settledSize()
    const isOurs = size === this.#end
    if (size < this.#end) this.prepare()
    else if (!this.encoder.isWhole(this.path, size, this.#end)) this.#end = this.encoder.complete(this.path)
    else this.#end = size
    return isOurs ? 'none' : 'other'
  }

  #changeSince(size: number): Change {
    if (size === this.#end) return 'none'
    return size < this.#end ? 'cut' : 'other'
  }

  /**
   * Appends `bytes` from `from` on (whole blocks or lines, or the rest of them) in as few calls as
   * the kernel lets it, several on short writes. What is in the file stays there.
   */
  append(bytes: Buffer, from: number): WriteResult {
    let written = from
    try {
      written += this.#writeOver(bytes.subarray(from))
    } catch (error) {
      return { written, error }
    }
    while (written < bytes.length) {
      const rest = bytes.subarray(written)
      const before = fs.fstatSync(this.#fd).size
      try {
        const count = fs.writeSync(this.#fd, rest, 0, rest.length)
        if (!this.#landed(rest.subarray(0, count), before, written > 0)) return { written }
        written += count
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EINTR') continue
        const left = this.#left(rest, before)
        if (left === 0 || !this.dsync) return { written: written + left, error }
        this.#unsynced = { at: this.#end - left, length: left }
        return { written, error }
      }
    }
    return { written }
  }

  /**
   * Writes the same bytes over what a failed write has left, so that they come to the device. How
   * many; 0 if others are wanted there.
   */
  #writeOver(bytes: Buffer): number {
    if (this.#unsynced === undefined) return 0
    const { at, length } = this.#unsynced
    const part = bytes.subarray(0, length)
    if (!this.#read(at, part.length).equals(part)) {
      this.#unsynced = undefined
      return 0
    }
    const fd = fs.openSync(this.path, O_WRONLY | O_DSYNC)
    try {
      let count = 0
      while (count < part.length) count += fs.writeSync(fd, part, count, part.length - count, at + count)
    } finally {
      fs.closeSync(fd)
    }
    this.#unsynced = length > part.length ? { at: at + part.length, length: length - part.length } : undefined
    return part.length
  }

  /**
   * Whether what was just written lies where it is of use: what others have appended at the same
   * moment may have moved it, so that blocks do not begin where readers look for them.
   *
   * @param goesOn whether it is the rest of something
   */
  #landed(bytes: Buffer, before: number, goesOn: boolean): boolean {
    const { size } = fs.fstatSync(this.#fd)
    const isLast = size === before + bytes.length
    if (this.encoder.alignment > 1) {
      // The end that the check has found may be another since.
      const at = isLast ? before : this.#find(bytes, before, size)
      const isAligned = at !== undefined && at % this.encoder.alignment === 0
      if (isLast ? !goesOn && !isAligned : goesOn || !isAligned) {
        if (at !== undefined) this.#withdraw(at, bytes)
        return false
      }
    }
    // Behind what somebody else has written, in the middle of a line perhaps, it is for the next
    // check to see.
    this.#end = isLast ? size : 0
    return true
  }

  /**
   * Blanks what was just written at `at`, which is written again: it might be taken for blocks
   * where a sector of it begins as they do.
   */
  #withdraw(at: number, bytes: Buffer): void {
    try {
      if (this.#read(at, bytes.length).equals(bytes)) blank(this.path, at, bytes.length)
    } catch {
      // It stays, as bytes that belong to no block.
    }
  }

  /**
   * How many of `bytes` a failed write has left behind `before`. More than the kernel told may be
   * there: a write that fails on its way to the device is in the page cache all the same, and would
   * be in the log twice if all of it were tried again.
   */
  #left(bytes: Buffer, before: number): number {
    try {
      const { size } = fs.fstatSync(this.#fd)
      const at = this.#find(bytes, before, size)
      if (at === undefined) return 0
      const there = this.#read(at, Math.min(size - at, bytes.length))
      let count = 0
      while (count < there.length && there[count] === bytes[count]) count++
      this.#end = at + count
      return count
    } catch {
      return 0 // The failure of the write itself is being reported.
    }
  }

  /** Where the beginning of `bytes` lies in [from, to) of the file. */
  #find(bytes: Buffer, from: number, to: number): number | undefined {
    const there = this.#read(from, to - from)
    const start = bytes.subarray(0, Math.min(bytes.length, LOOKED_FOR_BYTES))
    const found = there.indexOf(start)
    if (found >= 0) return from + found
    // Less of it than that may be the last there is.
    for (let length = Math.min(start.length, there.length); length > 0; length--) {
      if (there.subarray(-length).equals(start.subarray(0, length))) return to - length
    }
    return undefined
  }

  #read(from: number, length: number): Buffer {
    const fd = fs.openSync(this.path, 'r')
    try {
      const bytes = Buffer.allocUnsafe(length)
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, from))
    } finally {
      fs.closeSync(fd)
    }
  }

  close(): void {
    fs.closeSync(this.#fd)
  }

  #open(): number {
    const fd = fs.openSync(this.path, O_WRONLY | O_CREAT | O_APPEND | (this.dsync ? O_DSYNC : 0), 0o644)
    const info = fs.fstatSync(fd)
    this.#device = info.dev
    this.#inode = info.ino
    this.#end = 0
    return fd
  }

  /** The file's size, once another worker's append that shows half way is through. */
  #settledSize(): number {
    let { size } = fs.fstatSync(this.#fd)
    for (let i = 0; i < SETTLE_TRIES && !this.encoder.isWhole(this.path, size, this.#end); i++) {
      pause(1)
      size = fs.fstatSync(this.#fd).size
    }
    return size
  }
}

/** Opens the log for the JavaScript engine. Throws ERR_SHARDLOG_IO. */
export function openLogFile(path: string, dsync: boolean, encoder: FileEncoder, first: boolean): LogFile {
  try {
    const file = new LogFile(path, dsync, encoder)
    if (first) file.prepare()
    return file
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot open ${path}`, error, path)
  }
}
