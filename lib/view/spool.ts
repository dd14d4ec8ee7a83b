/**
 * A temporary file for what cannot be read at any place twice: what comes out of a gzipped log or a
 * pipe, and events that were decoded.
 */

import fs from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { fromSystemError } from '../errors'
import type { Source } from '../reader/source'

const MODE = 0o600

export class Spool {
  #length = 0
  readonly #handle: FileHandle
  /** Where the system does not let go of the name of an open file: what is to be removed. */
  readonly #leftover: string | null

  private constructor(handle: FileHandle, leftover: string | null) {
    this.#handle = handle
    this.#leftover = leftover
  }

  /**
   * Makes the file, in the system's directory for temporary files. Its name is removed at once, so
   * that it goes with the process, whatever ends that.
   *
   * @throws ShardlogError `ERR_SHARDLOG_IO`
   */
  static async create(): Promise<Spool> {
    const directory = os.tmpdir()
    try {
      const folder = fs.mkdtempSync(path.join(directory, 'shardlog-view-'))
      const file = path.join(folder, 'records')
      try {
        const handle = await open(file, 'wx+', MODE)
        return new Spool(handle, removeNow(folder) ? null : folder)
      } catch (error) {
        fs.rmSync(folder, { recursive: true, force: true })
        throw error
      }
    } catch (error) {
      throw fromSystemError('ERR_SHARDLOG_IO', `cannot make a temporary file in ${directory}`, error, directory)
    }
  }

  get handle(): FileHandle {
    return this.#handle
  }

  get length(): number {
    return this.#length
  }

  /**
   * Appends bytes; returns where they begin.
   *
   * @throws ShardlogError `ERR_SHARDLOG_IO`
   */
  async append(bytes: Uint8Array): Promise<number> {
    const start = this.#length
    try {
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#handle.write(bytes, at, bytes.length - at, start + at)).bytesWritten
      }
    } catch (error) {
      throw fromSystemError('ERR_SHARDLOG_IO', 'cannot write a temporary file', error, os.tmpdir())
    }
    this.#length += bytes.length
    return start
  }

  async close(): Promise<void> {
    await this.#handle.close()
    if (this.#leftover !== null) fs.rmSync(this.#leftover, { recursive: true, force: true })
  }
}

/** Whether the names are gone already. */
function removeNow(folder: string): boolean {
  try {
    fs.rmSync(folder, { recursive: true })
    return true
  } catch {
    return false // Windows keeps the name of what is open.
  }
}

/** A source that is read once from front to back, and leaves what was read in a spool. */
export class SpooledSource implements Source {
  readonly seekable = false
  readonly path: string
  readonly #inner: Source
  readonly #spool: Spool

  constructor(inner: Source, spool: Spool) {
    this.path = inner.path
    this.#inner = inner
    this.#spool = spool
  }

  size(): Promise<number> {
    return this.#inner.size()
  }

  head(): Promise<Buffer> {
    return this.#inner.head()
  }

  async read(target: Buffer, offset: number, length: number, position: number): Promise<number> {
    const count = await this.#inner.read(target, offset, length, position)
    if (count > 0) await this.#spool.append(target.subarray(offset, offset + count))
    return count
  }

  close(): Promise<void> {
    return this.#inner.close()
  }
}
