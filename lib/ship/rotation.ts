/**
 * The files of a log: the one at its path, and those that rotation has made of it, by rename or by
 * copy, packed or not; and how one is known again.
 */

import { createHash } from 'node:crypto'
import {
  type BigIntStats,
  constants,
  createReadStream,
  createWriteStream,
  fstatSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { open, readdir, unlink } from 'node:fs/promises'
import path from 'node:path'
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import type { LogPlace } from '../arena/locate'
import { ShardlogError } from '../errors'
import { FileSource } from '../reader/source'
import { type FileMark, isProvedBy, type Proof } from './state'

export interface LogFile {
  path: string
  dev: string
  ino: string
  /** Bytes on the disk, packed if it is. */
  size: number
  /** ms since the epoch. */
  mtime: number
  packed: boolean
}

const NS_PER_MS = 1e6
/** What lies beside logs and is none. */
const NO_LOG = /^\.|\.(?:lock|new|tmp|arena)$/
const PACKED = /\.(?:gz|zst)$/

function fileOf(file: string, { dev, ino, size, mtimeNs }: BigIntStats): LogFile {
  const mtime = Number(mtimeNs) / NS_PER_MS
  return { path: file, dev: String(dev), ino: String(ino), size: Number(size), mtime, packed: PACKED.test(file) }
}

/**
 * The regular file at a path; null if there is none. At once, as all small things are here: a
 * thread that does nothing but ship waits less for the kernel than for an event of each of many
 * files.
 */
export function fileAt(file: string): LogFile | null {
  try {
    const stats = statSync(file, { bigint: true })
    return stats.isFile() ? fileOf(file, stats) : null
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return null
    throw error
  }
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A glob of file names as an expression: `*` and `?` stand for what they do in a shell. */
function globPattern(glob: string): RegExp {
  const source = [...glob].map(char => (char === '*' ? '.*' : char === '?' ? '.' : escaped(char))).join('')
  return new RegExp(`^${source}$`)
}

/**
 * Names that rotation makes of a log's: `app.log.1`, `app.log-20240131.gz`, `app-2024-01-31-2.log`,
 * `app.3.log`. There has to be a digit, so that `app-errors.log` is a log of its own.
 */
function rotatedPattern(log: string): RegExp {
  const { base, name, ext } = path.parse(log)
  const behind = `${escaped(base)}[._-][\\w.:+-]*\\d[\\w.:+-]*`
  const between = `${escaped(name)}[._-]\\d[\\dTZ_.:+-]*${escaped(ext)}(?:\\.(?:gz|zst))?`
  return new RegExp(`^(?:${behind}|${between})$`)
}

/** Where the rotated files of a log are, and how they are called. */
export interface RotatedNames {
  folder: string
  pattern: RegExp
}

/** @param glob of names, with a folder or without; null: what rotation usually makes of them */
export function rotatedNames(log: string, glob: string | null): RotatedNames {
  if (glob === null) return { folder: path.dirname(log), pattern: rotatedPattern(log) }
  const place = path.resolve(path.dirname(log), glob)
  return { folder: path.dirname(place), pattern: globPattern(path.basename(place)) }
}

/**
 * By the numbers in their names: of `app.log.2` and `app.log.1` the first is older, of
 * `app-2024-01-30.log` and `app-2024-01-31.log` too.
 */
function byName(a: LogFile, b: LogFile): number {
  const order = a.path.localeCompare(b.path, 'en', { numeric: true })
  return /\.\d{1,4}(?:\.(?:gz|zst))?$/.test(a.path) ? -order : order
}

/** As `fileAt`, quick where there is none. */
function fileNow(file: string): LogFile | null {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
  return stats?.isFile() ? fileOf(file, stats) : null
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

const isSame = (a: LogFile | null, b: LogFile | null): boolean => a?.ino === b?.ino && a?.dev === b?.dev

/** So often a folder is read until nothing was moved meanwhile; what is missed is found later. */
const TRIES = 10

/**
 * The files of a log, the oldest first, the one at its path last. One that is being packed, and so
 * is there twice, is there once.
 */
export async function logFiles(names: RotatedNames, log: string): Promise<{ rotated: LogFile[]; own: LogFile | null }> {
  for (let tries = 1; ; tries++) {
    const own = fileAt(log)
    const list = await namesIn(names.folder)
    const found = new Map<string, LogFile>()
    for (const name of list) {
      const file = path.join(names.folder, name)
      if (!names.pattern.test(name) || NO_LOG.test(name) || file === log) continue
      const there = fileNow(file)
      if (there && there.size > 0 && !isSame(own, there)) found.set(file, there)
    }
    const again = await namesIn(names.folder)
    const before = new Set(list)
    const still = isSame(own, fileAt(log)) && again.length === list.length && again.every(name => before.has(name))
    if (!still && tries < TRIES) continue
    const files = [...found.values()].filter(file => !file.packed || !found.has(file.path.replace(PACKED, '')))
    return { rotated: files.sort((a, b) => a.mtime - b.mtime || byName(a, b)), own }
  }
}

function unpacker(file: string): Transform {
  if (file.endsWith('.gz')) return zlib.createGunzip()
  const create = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress
  if (create) return create()
  const message = `${file} cannot be read: this Node.js has no zstd; gzip can be read by all`
  throw new ShardlogError('ERR_SHARDLOG_READ', message, { path: file })
}

/** Reads of so many bytes are made at once, and files that are packed into no more unpacked. */
const AT_ONCE_BYTES = 64 * 1024
/** A packed file that has more than so many bytes is unpacked piece by piece. */
const UNPACKED_BYTES = 2 * 1024 * 1024

/** What a small gzipped file holds; null: it is no such. */
function unpackedAtOnce(file: string): Buffer | null {
  if (!file.endsWith('.gz') || statSync(file).size > AT_ONCE_BYTES) return null
  try {
    return zlib.gunzipSync(readFileSync(file), { maxOutputLength: UNPACKED_BYTES })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') return null
    throw error
  }
}

/** A file's bytes, of which few are asked for at a time. */
class LogBytes extends FileSource {
  static override async open(log: LogPlace): Promise<LogBytes> {
    const { O_RDONLY, O_NONBLOCK = 0 } = constants
    const handle = await open(log.path, O_RDONLY | O_NONBLOCK)
    if (fstatSync(handle.fd).isFile()) return new LogBytes(log, handle)
    await handle.close()
    throw Object.assign(new Error('it is not a regular file'), { code: 'EINVAL' })
  }

  /** As the kernel has it now. */
  stat(): BigIntStats {
    return fstatSync(this.handle.fd, { bigint: true })
  }

  override async size(): Promise<number> {
    return fstatSync(this.handle.fd).size
  }

  override async head(): Promise<Buffer> {
    const bytes = Buffer.alloc(Math.min(AT_ONCE_BYTES, await this.size()))
    return bytes.subarray(0, readSync(this.handle.fd, bytes, 0, bytes.length, 0))
  }

  override async read(target: Buffer, offset: number, length: number, position: number): Promise<number> {
    if (length > AT_ONCE_BYTES) return super.read(target, offset, length, position)
    return readSync(this.handle.fd, target, offset, length, position)
  }
}

/** A file of a log that is open. */
export class OpenFile {
  private constructor(
    readonly file: LogFile,
    readonly source: LogBytes
  ) {}

  /**
   * Opens a file; one that is packed through an unpacked copy in `folder` that has no name.
   *
   * @returns null if it is not there any more: rotation has moved it meanwhile
   */
  static async open(file: LogFile, folder: string, arenaDir: string | undefined): Promise<OpenFile | null> {
    try {
      if (file.packed) return new OpenFile(file, await OpenFile.unpack(file.path, folder))
      const source = await LogBytes.open({ path: file.path, arenaDir })
      const there = fileOf(file.path, source.stat())
      if (there.ino === file.ino && there.dev === file.dev) return new OpenFile(there, source)
      await source.close()
      return null
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  private static async unpack(file: string, folder: string): Promise<LogBytes> {
    const key = createHash('sha256').update(file).digest('hex').slice(0, 16)
    const copy = path.join(folder, `.shardlog-unpacked-${process.pid}-${key}`)
    try {
      const content = unpackedAtOnce(file)
      if (content !== null) writeFileSync(copy, content, { mode: 0o600 })
      else await pipeline(createReadStream(file), unpacker(file), createWriteStream(copy, { mode: 0o600 }))
      return await LogBytes.open({ path: copy, arenaDir: undefined })
    } finally {
      await unlink(copy).catch(() => undefined)
    }
  }

  /** Bytes `[from, from + length)`, as far as they are there. */
  async bytes(from: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length)
    let count = 0
    for (let more = 1; more > 0 && count < length; count += more) {
      more = await this.source.read(bytes, count, length - count, from + count)
    }
    return bytes.subarray(0, count)
  }

  /** Whether it has the bytes of a proof; no bytes prove nothing. */
  async isProvedBy(proof: Proof): Promise<boolean> {
    return proof.bytes > 0 && isProvedBy(proof, await this.bytes(proof.from, proof.bytes))
  }

  close(): Promise<void> {
    return this.source.close()
  }
}

/** Whether it is the same inode as when the mark was made. */
export function isInode(file: LogFile, mark: FileMark): boolean {
  return file.ino === mark.ino && file.dev === mark.dev
}
