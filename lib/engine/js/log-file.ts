import fs from 'node:fs'
import { fromSystemError } from '../../errors'
import { alignUp, SECTOR_BYTES } from '../../format'
import { prepareAppend } from './append-point'
import { pause } from './pause'

const { O_APPEND, O_CREAT, O_WRONLY, O_DSYNC } = fs.constants
const SETTLE_TRIES = 5

/** How a write ended: all of it, or an error; what a failed one left in the file was taken back. */
export interface WriteResult {
  /** Bytes of whole sectors' worth that the kernel accepted and that stay. */
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
  /** Where we know the file to end. */
  #end = 0

  constructor(
    readonly path: string,
    private readonly dsync: boolean
  ) {
    this.#fd = this.#open()
  }

  /** Mends a torn tail. Only the first engine of a process does it: another may be appending already. */
  prepare(): void {
    this.#end = prepareAppend(this.path)
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
    if (size < this.#end || size % SECTOR_BYTES !== 0) this.prepare()
    return false
  }

  /** Appends `bytes` (whole blocks) in as few calls as the kernel lets it, several on short writes. */
  append(bytes: Uint8Array): WriteResult {
    const start = fs.fstatSync(this.#fd).size
    let written = 0
    while (written < bytes.length) {
      try {
        written += fs.writeSync(this.#fd, bytes, written, bytes.length - written)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EINTR') continue
        this.#takeBack(start, written)
        return { written: 0, error }
      }
    }
    this.#end = start + written
    return { written }
  }

  /** Removes what a failed append left, if nobody appended behind it; a reader skips it otherwise, as its checksum fails. */
  #takeBack(start: number, written: number): void {
    try {
      if (written > 0 && fs.fstatSync(this.#fd).size === start + written) fs.ftruncateSync(this.#fd, start)
    } catch {
      // The failure of the write itself is being reported; check() fills the tail up before the next one.
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
    this.#end = alignUp(info.size, SECTOR_BYTES)
    return fd
  }

  /** The file's size, once another worker's append that shows half way is through. */
  #settledSize(): number {
    let { size } = fs.fstatSync(this.#fd)
    for (let i = 0; i < SETTLE_TRIES && size % SECTOR_BYTES !== 0; i++) {
      pause(1)
      size = fs.fstatSync(this.#fd).size
    }
    return size
  }
}

/** Opens the log for the JavaScript engine. Throws ERR_SHARDLOG_IO. */
export function openLogFile(path: string, dsync: boolean, first: boolean): LogFile {
  try {
    const file = new LogFile(path, dsync)
    if (first) file.prepare()
    return file
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot open ${path}`, error, path)
  }
}
