/**
 * What becomes of rolled files: they are compressed beside the application, and deleted when there
 * are too many of them, or too old ones.
 */

import fs from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { threadId } from 'node:worker_threads'
import zlib from 'node:zlib'
import { fromSystemError, ShardlogError } from '../errors'
import type { RolledName, RollNames } from './roll-names'

/** What is kept; undefined: no limit. */
export interface Retention {
  readonly maxFiles?: number | undefined
  readonly maxAgeMs?: number | undefined
  readonly maxTotalSize?: number | undefined
}

interface RolledFile extends RolledName {
  readonly path: string
  readonly size: number
  readonly time: number
}

/** Read and written at once: what a thread of libuv's pool compresses in a few milliseconds. */
const CHUNK_BYTES = 1 << 18

interface Zstd {
  createZstdCompress?: (options?: object) => NodeJS.ReadWriteStream
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` if this Node cannot */
export function assertCompresses(names: RollNames): void {
  if (names.compression !== 'zstd' || typeof (zlib as Zstd).createZstdCompress === 'function') return
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `the ending .zst needs a Node with Zstandard in node:zlib, 22.15 or 23.8 and later; this is ${process.version}. Use .gz`
  )
}

function compressor(names: RollNames): NodeJS.ReadWriteStream {
  const options = { chunkSize: CHUNK_BYTES }
  return names.compression === 'zstd' ? (zlib as Zstd).createZstdCompress!(options) : zlib.createGzip(options)
}

const TEMPORARY = /^\.(.+)\.\d+-\d+-\d+\.tmp$/

/**
 * Whether a file has its name since before this process began: what made it is gone then, since one
 * process has the log. Another thread of this process may be at a later one. (A process's id does
 * not tell: in containers it is always the same.)
 */
export function isLeftBehind(file: string): boolean {
  const stat = fs.statSync(file, { throwIfNoEntry: false })
  return stat !== undefined && stat.ctimeMs < Date.now() - process.uptime() * 1000
}

let made = 0

/**
 * Where a file is compressed to before it has its name: a place of its own each time, since an
 * appender that is opened anew may find what the one before it is still at.
 */
const temporaryOf = (file: string): string =>
  path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}-${threadId}-${made++}.tmp`)

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(descriptor)
  } finally {
    fs.closeSync(descriptor)
  }
}

/**
 * Compresses a file to its name with the ending, which is there as a whole or not at all, and then
 * deletes it.
 */
async function compress(file: string, names: RollNames): Promise<void> {
  const to = file + names.ending
  const temporary = temporaryOf(to)
  try {
    const { atime, mtime, mode } = await fs.promises.stat(file)
    await pipeline(
      fs.createReadStream(file, { highWaterMark: CHUNK_BYTES }),
      compressor(names),
      fs.createWriteStream(temporary, { mode: mode & 0o777, highWaterMark: CHUNK_BYTES })
    )
    const handle = await fs.promises.open(temporary, 'r+')
    try {
      // Its age is that of what is in it.
      await handle.utimes(atime, mtime)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await fs.promises.rename(temporary, to)
    syncFolder(path.dirname(to))
    await fs.promises.unlink(file)
  } catch (error) {
    await fs.promises.rm(temporary, { force: true })
    throw error
  }
}

const isMissing = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT'

/** Files below a folder, relative to it, in folders down to `depth`. Links are not followed. */
function filesBelow(folder: string, depth: number): string[] {
  let entries: fs.Dirent[]
  try {
    entries = fs.readdirSync(folder, { withFileTypes: true })
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
  return entries.flatMap(entry => {
    if (entry.isFile()) return depth === 0 ? [entry.name] : []
    if (!entry.isDirectory() || depth === 0) return []
    return filesBelow(path.join(folder, entry.name), depth - 1).map(name => `${entry.name}/${name}`)
  })
}

/** Rolled files of one pattern. */
export class Archive {
  /** What is known of files from the look before: they do not change any more. */
  #known = new Map<string, RolledFile>()

  constructor(
    private readonly names: RollNames,
    private readonly retention: Retention,
    /** The file that is written now, which the pattern may name, too. */
    private readonly current: string
  ) {}

  #matching(): RolledName[] {
    const { folder, depth } = this.names
    const current = path.resolve(this.current)
    return filesBelow(folder, depth).flatMap(name => {
      const rolled = this.names.match(name)
      return rolled === null || path.resolve(folder, name) === current ? [] : [rolled]
    })
  }

  /**
   * The files, the oldest first. Of many files those that are new are looked at one after the
   * other, so that the event loop goes on.
   */
  async list(): Promise<RolledFile[]> {
    const known = new Map<string, RolledFile>()
    for (const rolled of this.#matching()) {
      const file = this.#known.get(rolled.name) ?? (await this.#look(rolled))
      if (file !== null) known.set(rolled.name, file)
    }
    this.#known = known
    const files = [...known.values()]
    const began = new Map<string, number>()
    for (const { period, time } of files) began.set(period, Math.min(time, began.get(period) ?? time))
    // Of one period by their numbers: copies and tools change times, and clocks go back.
    return files.sort((a, b) => began.get(a.period)! - began.get(b.period)! || a.index - b.index)
  }

  async #look(rolled: RolledName): Promise<RolledFile | null> {
    const file = path.join(this.names.folder, rolled.name)
    try {
      const { size, mtimeMs } = await fs.promises.stat(file)
      return { ...rolled, path: file, size, time: mtimeMs }
    } catch (error) {
      if (isMissing(error)) return null
      throw error
    }
  }

  /**
   * A name of the period of `time` that no file has, relative to the folder.
   *
   * @param isTaken asked of a name that is free in the folder
   */
  freeName(time: number, from: number, isTaken: (name: string) => boolean): { name: string; index: number } {
    for (let index = from; ; index++) {
      const name = this.names.name(time, index)
      if (this.isFree(name) && !isTaken(name)) return { name, index }
    }
  }

  /** Whether neither a file of that name nor a compressed one is there. */
  isFree(name: string): boolean {
    const { folder, ending } = this.names
    const file = path.join(folder, name)
    const isThere = fs.existsSync(file) || (ending !== '' && fs.existsSync(file + ending))
    return !isThere && path.resolve(file) !== path.resolve(this.current)
  }

  /** The number behind the highest of a period. */
  nextIndex(time: number): number {
    const period = this.names.period(time)
    const same = this.#matching().filter(file => file.period === period)
    return same.reduce((next, { index }) => Math.max(next, index + 1), this.names.firstIndex)
  }

  /** Compresses a rolled file, where the pattern asks for it. */
  async compress(file: string): Promise<void> {
    if (this.names.compression === null) return
    try {
      await compress(file, this.names)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !fs.existsSync(file)) return
      throw fromSystemError('ERR_SHARDLOG_IO', `cannot compress ${file}`, error, file)
    }
  }

  /**
   * Deletes what earlier processes had begun to compress. The files that they have left to be
   * compressed.
   */
  async tidy(): Promise<string[]> {
    if (this.names.compression === null) return []
    const { folder, depth } = this.names
    for (const name of filesBelow(folder, depth)) {
      const [, of] = TEMPORARY.exec(path.basename(name)) ?? []
      const target = of === undefined ? null : this.names.match(path.posix.join(path.posix.dirname(name), of))
      if (target?.isCompressed && isLeftBehind(path.join(folder, name))) {
        await fs.promises.rm(path.join(folder, name), { force: true })
      }
    }
    return this.#matching()
      .filter(({ isCompressed }) => !isCompressed)
      .map(({ name }) => path.join(folder, name))
  }

  /** Deletes what is beyond the limits, the oldest first. Returns how many files that were. */
  async clean(now: number): Promise<number> {
    const { maxFiles = Number.POSITIVE_INFINITY, maxAgeMs = Number.POSITIVE_INFINITY } = this.retention
    const { maxTotalSize = Number.POSITIVE_INFINITY } = this.retention
    const limits = [maxFiles, maxAgeMs, maxTotalSize]
    if (limits.every(limit => limit === Number.POSITIVE_INFINITY)) return 0
    const files = await this.list()
    let count = files.length
    let total = files.reduce((sum, { size }) => sum + size, 0)
    let deleted = 0
    for (const file of files) {
      const isTooMuch = count > maxFiles || total > maxTotalSize || now - file.time > maxAgeMs
      if (!isTooMuch) continue
      await fs.promises.rm(file.path, { force: true })
      this.#known.delete(file.name)
      count--
      total -= file.size
      deleted++
    }
    return deleted
  }
}
