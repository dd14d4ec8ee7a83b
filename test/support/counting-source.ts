import type { Source } from '../../lib/reader/source'

/** Bytes in memory as a file, that counts what is asked of it. */
export class CountingSource implements Source {
  readonly path = 'counted'
  readonly seekable = true
  /** Bytes read altogether. */
  bytesRead = 0
  reads = 0
  /** Size of the largest buffer that was read into. */
  largestBuffer = 0

  /** @param length size of the file: zeros follow `bytes` if it is larger. May grow */
  constructor(
    private readonly bytes: Buffer,
    public length = bytes.length
  ) {}

  async size(): Promise<number> {
    return this.length
  }

  async head(): Promise<Buffer> {
    return this.bytes.subarray(0, 65_536)
  }

  async read(target: Buffer, offset: number, length: number, position: number): Promise<number> {
    const count = Math.max(0, Math.min(length, this.length - position))
    const copied = position < this.bytes.length ? this.bytes.copy(target, offset, position, position + count) : 0
    target.fill(0, offset + copied, offset + count)
    this.bytesRead += count
    this.reads++
    this.largestBuffer = Math.max(this.largestBuffer, target.length)
    return count
  }

  async close(): Promise<void> {}
}
