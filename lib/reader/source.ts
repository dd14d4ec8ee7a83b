import { type FileHandle, open } from 'node:fs/promises'
import type { Readable } from 'node:stream'

/** Where a scanner gets its bytes from. */
export interface Source {
  readonly path: string
  /** Whether any position can be read at any time. */
  readonly seekable: boolean
  /** Bytes there are now; Infinity as long as a pipe has not ended. */
  size(): Promise<number>
  /** Reads up to `length` bytes; 0 at the end. A pipe only takes positions in order. */
  read(target: Buffer, offset: number, length: number, position: number): Promise<number>
  close(): Promise<void>
}

export class FileSource implements Source {
  readonly seekable = true

  private constructor(
    readonly path: string,
    readonly handle: FileHandle
  ) {}

  /** Opens a regular file; throws what the kernel said (ENOENT, EACCES, …). */
  static async open(path: string): Promise<FileSource> {
    const handle = await open(path, 'r')
    return new FileSource(path, handle)
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size
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

  async read(target: Buffer, offset: number, length: number, _position: number): Promise<number> {
    while (this.chunk.length === 0 && !this.ended) {
      const step = await this.chunks.next()
      if (step.done) this.ended = true
      else this.chunk = step.value
    }
    const count = Math.min(length, this.chunk.length)
    this.chunk.copy(target, offset, 0, count)
    this.chunk = this.chunk.subarray(count)
    this.consumed += count
    return count
  }

  async close(): Promise<void> {
    this.stream.destroy()
  }
}
