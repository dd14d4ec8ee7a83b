import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** Where a scanner gets its bytes from. */
export interface Source {
  readonly path: string
  /** Whether any position can be read at any time. */
  readonly seekable: boolean
  /** Bytes there are now; Infinity as long as a pipe has not ended. */
  size(): Promise<number>
  /** The first bytes: at least eight, unless there are fewer at present. They are read again afterwards. */
  head(): Promise<Buffer>
  /** Reads up to `length` bytes; 0 at the end. A pipe only takes positions in order. */
  read(target: Buffer, offset: number, length: number, position: number): Promise<number>
  close(): Promise<void>
}

/** As much of a file as is looked at to tell what it is. */
const HEAD_BYTES = 64 * 1024
/** As much of a pipe: it may be long before more comes. */
const PIPE_HEAD_BYTES = 8

export class FileSource implements Source {
  readonly seekable = true

  private constructor(
    readonly path: string,
    readonly handle: FileHandle
  ) {}

  /** Opens a regular file, without waiting for anybody; throws what the kernel said (ENOENT, EACCES, …), or that it is none. */
  static async open(path: string): Promise<FileSource> {
    const { O_RDONLY, O_NONBLOCK = 0 } = constants
    const handle = await open(path, O_RDONLY | O_NONBLOCK)
    if ((await handle.stat()).isFile()) return new FileSource(path, handle)
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

/** A stream that can be read once, from front to back: standard input, a FIFO. */
export class StreamSource implements Source {
  readonly seekable = false
  private readonly chunks: AsyncIterator<Buffer>
  private chunk: Buffer = Buffer.alloc(0)
  private ended = false
  private consumed = 0

  constructor(
    readonly path: string,
    private readonly stream: Readable
  ) {
    this.chunks = stream[Symbol.asyncIterator]()
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

  private async more(): Promise<void> {
    const step = await this.chunks.next()
    if (step.done) this.ended = true
    else this.chunk = this.chunk.length === 0 ? step.value : Buffer.concat([this.chunk, step.value])
  }
}
