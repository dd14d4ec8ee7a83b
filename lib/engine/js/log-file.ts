import fs from 'node:fs'
import { fromSystemError } from '../../errors'
import type { FileForm } from './file-form'
import { pause } from './pause'

const { O_APPEND, O_CREAT, O_WRONLY, O_DSYNC } = fs.constants
const SETTLE_TRIES = 5

/** How a write ended: all of it, or an error; what a failed one left in the file was taken back. */
export interface WriteResult {
  /** Bytes that the kernel accepted and that stay. */
  written: number
  error?: unknown
}

/**
 * The log's file: appended to with O_APPEND, so that the engines of several workers can share it; opened anew when
 * somebody deletes or replaces it.
 */
export class LogFile {
  #fd: number
  #device = 0
  #inode = 0
  /** Where we know the file to end; 0 if we do not know. */
  #end = 0

  constructor(
    readonly path: string,
    private readonly dsync: boolean,
    private readonly form: FileForm
  ) {
    this.#fd = this.#open()
  }

  /** Mends a torn end. Only the first engine of a process does it: another may be appending already. */
  prepare(): void {
    this.#end = this.form.mend(this.path)
  }

  /** Before each set: notices that the path names another file now, or none, or that somebody truncated it. True if opened anew. */
  check(): boolean {
    const named = fs.statSync(this.path, { throwIfNoEntry: false })
    if (named === undefined || named.dev !== this.#device || named.ino !== this.#inode) {
      const fd = this.#open()
      fs.closeSync(this.#fd)
      this.#fd = fd
      this.prepare()
      return true
    }
    const size = this.#settledSize()
    if (size < this.#end || !this.form.isWhole(this.path, size, this.#end)) this.prepare()
    return false
  }

  /** Appends `bytes` (whole blocks or lines) in as few calls as the kernel lets it, several on short writes. */
  append(bytes: Uint8Array): WriteResult {
    const start = fs.fstatSync(this.#fd).size
    let written = 0
    while (written < bytes.length) {
      try {
        written += fs.writeSync(this.#fd, bytes, written, bytes.length - written)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EINTR') continue
        this.#takeBack(start, bytes)
        return { written: 0, error }
      }
    }
    this.#end = start + written
    return { written }
  }

  /**
   * Removes what a failed append left, if nobody appended behind it. More than the kernel told may be there: a write that
   * fails on its way to the device is in the page cache all the same, and would be in the log twice once it is tried again.
   */
  #takeBack(start: number, bytes: Uint8Array): void {
    try {
      const { size } = fs.fstatSync(this.#fd)
      // Where another worker has appended in between, ours begins further on.
      const from = [start, size - bytes.length].find(at => at >= start && this.#endsWith(bytes, at, size))
      if (from !== undefined) fs.ftruncateSync(this.#fd, from)
    } catch {
      // The failure of the write itself is being reported; check() fills the tail up before the next one.
    }
  }

  /** Whether the file's bytes from `from` to its end are the first ones of `bytes`. */
  #endsWith(bytes: Uint8Array, from: number, size: number): boolean {
    const length = size - from
    if (length <= 0 || length > bytes.length) return false
    const fd = fs.openSync(this.path, 'r')
    try {
      const there = Buffer.allocUnsafe(length)
      return fs.readSync(fd, there, 0, length, from) === length && there.equals(bytes.subarray(0, length))
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
    for (let i = 0; i < SETTLE_TRIES && !this.form.isWhole(this.path, size, this.#end); i++) {
      pause(1)
      size = fs.fstatSync(this.#fd).size
    }
    return size
  }
}

/** Opens the log for the JavaScript engine. Throws ERR_SHARDLOG_IO. */
export function openLogFile(path: string, dsync: boolean, form: FileForm, first: boolean): LogFile {
  try {
    const file = new LogFile(path, dsync, form)
    if (first) file.prepare()
    return file
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot open ${path}`, error, path)
  }
}
