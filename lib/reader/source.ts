/**
 * The bytes of a log: a file or a pipe that is open, gzipped or not, and the window of it that lies
 * in memory.
 */

import { constants, createReadStream } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip, type Gunzip } from 'node:zlib'
import type { LogPlace } from '../arena/locate'
import { fromSystemError, ShardlogError } from '../errors'
import { alignUp, SECTOR_BYTES } from '../format/constants'
import { setImmediate } from '../timers'
import type { DamageReport } from './items'

/** Where a scanner gets its bytes from: a log that is open. */
export interface Source extends LogPlace {
  /** Whether any position can be read at any time. */
  readonly seekable: boolean
  /** Bytes there are now; Infinity as long as a pipe has not ended. */
  size(): Promise<number>
  /**
   * The first bytes: at least eight, unless there are fewer at present. They are read again
   * afterwards.
   */
  head(): Promise<Buffer>
  /** Reads up to `length` bytes; 0 at the end. A pipe only takes positions in order. */
  read(target: Buffer, offset: number, length: number, position: number): Promise<number>
  /** Of gzipped data that was read as far as it could be: what is wrong with the rest. */
  readonly damage?: GzipDamage | null
  close(): Promise<void>
}

/** As much of a file as is looked at to tell what it is. */
const HEAD_BYTES = 64 * 1024
/** As much of a pipe: it may be long before more comes. */
const PIPE_HEAD_BYTES = 8

export class FileSource implements Source {
  readonly seekable = true
  readonly path: string
  readonly arenaDir: string | undefined

  protected constructor(
    { path, arenaDir }: LogPlace,
    readonly handle: FileHandle
  ) {
    this.path = path
    this.arenaDir = arenaDir
  }

  /**
   * Opens a regular file, without waiting for anybody; throws what the kernel said (ENOENT, EACCES,
   * …), or that it is none.
   */
  static async open(log: LogPlace): Promise<FileSource> {
    const { O_RDONLY, O_NONBLOCK = 0 } = constants
    const handle = await open(log.path, O_RDONLY | O_NONBLOCK)
    if ((await handle.stat()).isFile()) return new FileSource(log, handle)
    await handle.close()
    throw Object.assign(new Error('it is not a regular file'), { code: 'EINVAL' })
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size
  }

  async head(): Promise<Buffer> {
    const bytes = Buffer.alloc(HEAD_BYTES)
    let count = 0
    for (let more = 1; more > 0 && count < HEAD_BYTES; count += more) {
      more = await this.read(bytes, count, HEAD_BYTES - count, count)
    }
    return bytes.subarray(0, count)
  }

  async read(target: Buffer, offset: number, length: number, position: number): Promise<number> {
    return (await this.handle.read(target, offset, length, position)).bytesRead
  }

  close(): Promise<void> {
    return this.handle.close()
  }
}

// Gzipped logs, as they lie in files or come out of pipes.

/** What is decompressed at once. */
const INFLATED_BYTES = 256 * 1024
const MAGIC = Buffer.from([0x1f, 0x8b, 0x08])

/** Bytes that tell whether data is gzipped. */
const GZIP_MAGIC_BYTES = MAGIC.length

/** Whether data that begins so is gzipped. */
const isGzip = (start: Buffer): boolean => start.subarray(0, MAGIC.length).equals(MAGIC)

/** Where gzipped data is cut off or damaged, and how. */
export interface GzipDamage {
  /** Bytes of it that were read before. */
  offset: number
  message: string
}

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/**
 * Gives data to be decompressed, a chunk when the one before has been taken. What the data has
 * given so far is read before its end is told, which throws it away where it comes too early.
 */
async function feed(gunzip: Gunzip, chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of chunks) {
    if (gunzip.destroyed) return
    await new Promise<void>(resolve => {
      gunzip.once('close', resolve)
      gunzip.write(chunk, () => {
        gunzip.off('close', resolve)
        resolve()
      })
    })
  }
  while (!gunzip.destroyed && gunzip.readableLength > 0) await nextTurn()
  gunzip.end()
}

/**
 * Decompresses all members of gzipped data, in memory that does not grow with what comes out.
 * Data that is cut off or damaged gives what stands before; `onDamage` is told then.
 */
async function* gunzipped(
  chunks: AsyncIterable<Buffer>,
  onDamage: (damage: GzipDamage) => void
): AsyncGenerator<Buffer, void> {
  const gunzip = createGunzip({ chunkSize: INFLATED_BYTES })
  const fed = feed(gunzip, chunks)
  // Of a source that fails, and is told below; the decompressor waits for more.
  fed.catch((error: Error) => gunzip.destroy(error))
  let isOfSource = false
  fed.catch(() => {
    isOfSource = true
  })
  try {
    for await (const chunk of gunzip) yield chunk as Buffer
  } catch (error) {
    if (isOfSource) throw error
    onDamage({ offset: gunzip.bytesWritten, message: (error as Error).message })
  } finally {
    gunzip.destroy()
  }
}

/**
 * A stream that can be read once, from front to back: standard input, a FIFO; and a gzipped file.
 * What is gzipped is decompressed, whatever it is called.
 */
export class StreamSource implements Source {
  readonly seekable = false
  damage: GzipDamage | null = null
  private readonly chunks: AsyncIterator<Buffer>
  private chunk: Buffer = Buffer.alloc(0)
  private ended = false
  private consumed = 0

  constructor(
    readonly path: string,
    private readonly stream: Readable
  ) {
    this.chunks = this.contents()
  }

  async size(): Promise<number> {
    return this.ended ? this.consumed : Number.POSITIVE_INFINITY
  }

  async head(): Promise<Buffer> {
    while (this.chunk.length < PIPE_HEAD_BYTES && !this.ended) await this.more()
    return this.chunk
  }

  async read(target: Buffer, offset: number, length: number, _position: number): Promise<number> {
    while (this.chunk.length === 0 && !this.ended) await this.more()
    const count = Math.min(length, this.chunk.length)
    this.chunk.copy(target, offset, 0, count)
    this.chunk = this.chunk.subarray(count)
    this.consumed += count
    return count
  }

  async close(): Promise<void> {
    this.stream.destroy()
  }

  /** What the stream holds, decompressed if it is gzipped. */
  private async *contents(): AsyncGenerator<Buffer, void> {
    const chunks = this.stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    let start: Buffer = Buffer.alloc(0)
    for (let step = await chunks.next(); !step.done; step = await chunks.next()) {
      start = Buffer.concat([start, step.value])
      if (start.length >= GZIP_MAGIC_BYTES) break
    }
    const all = async function* (): AsyncGenerator<Buffer, void> {
      if (start.length > 0) yield start
      for (let step = await chunks.next(); !step.done; step = await chunks.next()) yield step.value
    }
    if (!isGzip(start)) return yield* all()
    yield* gunzipped(all(), damage => {
      this.damage = damage
    })
  }

  private async more(): Promise<void> {
    const step = await this.chunks.next()
    if (step.done) this.ended = true
    else this.chunk = this.chunk.length === 0 ? step.value : Buffer.concat([this.chunk, step.value])
  }
}

/** A file that cannot be opened or read. */
export function readError(path: string, error: unknown): ShardlogError {
  if (error instanceof ShardlogError) return error
  return fromSystemError('ERR_SHARDLOG_READ', `cannot read ${path}`, error, path)
}

/** Whether a file is gzipped, by its first bytes. */
export async function isGzipped(source: FileSource): Promise<boolean> {
  const start = Buffer.alloc(GZIP_MAGIC_BYTES)
  await source.read(start, 0, start.length, 0)
  return isGzip(start)
}

/** What is wrong with the gzipped data of a source that has been read to its end, if any is. */
export function gzipDamage({ path, damage }: Source): DamageReport[] {
  if (!damage) return []
  const { offset } = damage
  const message = `${damage.message}: the gzipped data is cut off or damaged; what stands before is delivered`
  return [{ kind: 'damage', damage: { kind: 'bad-gzip', path, offset, length: 0, message } }]
}

/**
 * Opens what the path of a log names: a regular file; a pipe or a gzipped file, which are read from
 * front to back.
 * @throws ShardlogError `ERR_SHARDLOG_READ`
 */
export async function openSource(log: LogPlace): Promise<Source> {
  const { path } = log
  try {
    const stats = await stat(path)
    if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
    const file = stats.isFile() ? await FileSource.open(log) : null
    if (file !== null && !(await isGzipped(file))) return file
    await file?.close()
    return new StreamSource(path, createReadStream(path))
  } catch (error) {
    throw readError(path, error)
  }
}

export const CHUNK_BYTES = 4 * 1024 * 1024
/** Room in front of a chunk for the cut-off block before it. */
const HEADROOM_BYTES = 512 * 1024

interface ReadAhead {
  buffer: Buffer
  position: number
  count: Promise<number>
}

/**
 * The part of a source that lies in memory: a sliding window, read in large chunks, the next one
 * while the present one is being used. Chunks are never overwritten unless `reuse` is set, so that
 * views of them stay good.
 */
export class Window {
  buffer: Buffer = Buffer.alloc(0)
  /** Position in the file of `buffer[origin]`. */
  start = 0
  private origin = 0
  private length = 0
  private ahead: ReadAhead | null = null
  private spare: Buffer | null = null

  constructor(
    private readonly source: Source,
    private readonly options: { reuse: boolean; readAhead: boolean; chunkBytes?: number }
  ) {}

  /** Bytes that lie in memory from `position` on. */
  available(position: number): number {
    return position < this.start ? 0 : Math.max(0, this.start + this.length - position)
  }

  /** Index in `buffer` of a position that is available. */
  index(position: number): number {
    return this.origin + position - this.start
  }

  /**
   * Slides the window to `position` and reads until `length` bytes are there or the source has no
   * more. What lies before `position` is gone afterwards, and with `reuse` so are views of it.
   * @param room bytes to make room for where memory has to be got; more than `length` if more will
   *   be asked for later
   * @returns bytes available from `position` on.
   */
  async load(position: number, length: number, room = length): Promise<number> {
    if (this.available(position) >= length) return this.available(position)
    if (!(await this.takeReadAhead(position))) this.slide(position, room)
    while (this.length < length || this.length === 0) {
      if (this.buffer.length - this.origin - this.length === 0) this.slide(position, room)
      const at = this.origin + this.length
      const count = await this.source.read(this.buffer, at, this.buffer.length - at, this.start + this.length)
      if (count === 0) break
      this.length += count
    }
    this.readAhead()
    return this.available(position)
  }

  /** Forgets what was read, so that a changed file is read anew. */
  async reset(): Promise<void> {
    await this.settle()
    this.length = 0
  }

  /** Waits for the read under way; to be called before the source is closed. */
  async settle(): Promise<void> {
    const ahead = this.ahead
    this.ahead = null
    // The outcome of a read ahead that nobody wants any more does not matter.
    if (ahead) await ahead.count.catch(() => 0)
  }

  private slide(position: number, length: number): void {
    const kept = this.available(position)
    const from = kept > 0 ? this.index(position) : 0
    const chunk = this.options.chunkBytes ?? CHUNK_BYTES
    const wanted = Math.max(chunk, alignUp(length, SECTOR_BYTES))
    const inPlace = this.options.reuse && this.buffer.length >= wanted
    const target = inPlace ? this.buffer : Buffer.allocUnsafeSlow(wanted)
    if (kept > 0) this.buffer.copy(target, 0, from, from + kept)
    this.buffer = target
    this.origin = 0
    this.start = position
    this.length = kept
  }

  private async takeReadAhead(position: number): Promise<boolean> {
    const ahead = this.ahead
    if (!ahead) return false
    this.ahead = null
    const count = await ahead.count
    const kept = this.available(position)
    const fits = ahead.position === position + kept && kept <= HEADROOM_BYTES && count > 0
    if (!fits) return false
    if (kept > 0) {
      const from = this.index(position)
      this.buffer.copy(ahead.buffer, HEADROOM_BYTES - kept, from, from + kept)
    }
    if (this.options.reuse) this.spare = this.buffer
    this.buffer = ahead.buffer
    this.origin = HEADROOM_BYTES - kept
    this.start = position
    this.length = kept + count
    return true
  }

  private readAhead(): void {
    if (!this.options.readAhead || this.ahead) return
    const size = HEADROOM_BYTES + CHUNK_BYTES
    const spare = this.spare?.length === size ? this.spare : null
    const buffer = spare ?? Buffer.allocUnsafeSlow(size)
    this.spare = null
    const position = this.start + this.length
    const count = this.source.read(buffer, HEADROOM_BYTES, CHUNK_BYTES, position)
    // Rejections are reported when the bytes are asked for; this keeps them from counting as
    // unhandled until then.
    count.catch(() => 0)
    this.ahead = { buffer, position, count }
  }
}
