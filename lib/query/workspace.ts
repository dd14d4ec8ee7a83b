/** The directory of a query: links to files that lie elsewhere, and files made of others. */

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fromSystemError } from '../errors'

const FULL_BYTES = 1024 * 1024
const MODE = 0o600
const NEWLINE = 0x0a

/** A new file, written some lines at a time. */
export class FileWriter {
  readonly #fd: number
  #full = Buffer.allocUnsafe(FULL_BYTES)
  #at = 0
  /** Whether nothing was written. */
  isEmpty = true

  /** @throws ShardlogError `ERR_SHARDLOG_IO` */
  constructor(readonly path: string) {
    try {
      this.#fd = fs.openSync(path, 'wx', MODE)
    } catch (error) {
      throw this.#failure(error)
    }
  }

  addText(text: string): void {
    const bytes = Buffer.from(text)
    this.add(bytes, 0, bytes.length)
  }

  /** Adds `bytes[start, end)`. */
  add(bytes: Buffer, start: number, end: number): void {
    this.isEmpty = false
    if (end - start > FULL_BYTES - this.#at) this.#flush()
    if (end - start > FULL_BYTES) {
      this.#write(bytes.subarray(start, end))
      return
    }
    bytes.copy(this.#full, this.#at, start, end)
    this.#at += end - start
  }

  /** Adds a line, and a newline unless it has one. */
  addLine(bytes: Buffer, start: number, end: number): void {
    this.add(bytes, start, end)
    if (end === start || bytes[end - 1] !== NEWLINE) this.addText('\n')
  }

  close(): void {
    try {
      this.#flush()
    } finally {
      fs.closeSync(this.#fd)
    }
  }

  #flush(): void {
    this.#write(this.#full.subarray(0, this.#at))
    this.#at = 0
  }

  #write(bytes: Buffer): void {
    try {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.#fd, bytes, at)
    } catch (error) {
      throw this.#failure(error)
    }
  }

  #failure(error: unknown): Error {
    return fromSystemError('ERR_SHARDLOG_IO', `cannot write ${this.path}`, error, this.path)
  }
}

/** A directory of its own, which nobody else can look into, and which is removed. */
export class Workspace {
  readonly directory: string
  #made = 0

  /** @throws ShardlogError `ERR_SHARDLOG_IO` */
  constructor() {
    try {
      this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-query-'))
    } catch (error) {
      throw fromSystemError('ERR_SHARDLOG_IO', `cannot make a directory in ${os.tmpdir()}`, error, os.tmpdir())
    }
  }

  /**
   * A new name in it, that has the index of a file at its end: SQL sees these names alone, whatever
   * is in the files' own.
   */
  path(index: number, suffix: string): string {
    return path.join(this.directory, `${++this.#made}-${index}.${suffix}`)
  }

  /** A link to a file; null where links cannot be made. */
  link(file: string, index: number): string | null {
    const link = this.path(index, 'link')
    try {
      fs.symlinkSync(path.resolve(file), link)
      return link
    } catch {
      // What cannot be linked to is copied.
      return null
    }
  }

  remove(): void {
    fs.rmSync(this.directory, { recursive: true, force: true })
  }
}
