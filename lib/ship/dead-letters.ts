/** The dead-letter file: what the other side refuses for good, a line of JSON each, and why. */

import { type FileHandle, open } from 'node:fs/promises'
import { fromSystemError, ShardlogError } from '../errors'

/** What is set aside, beside the time. */
export interface DeadLetter {
  /** Of a record; null of what was none: a line that was cut off. */
  id: string | null
  reason: string
  /** Where it should have gone. */
  target: string
  /** Null where there are no bytes to be had: damaged blocks. */
  bytes: Buffer | null
  /** Where it stands, of what was no record. */
  place?: { path: string; offset: number; length: number }
}

/** The bytes as text if they are UTF-8, else in base64. */
export function bytesAsJson(bytes: Buffer): { record: string } | { record_base64: string } {
  const record = bytes.toString('utf8')
  return Buffer.from(record).equals(bytes) ? { record } : { record_base64: bytes.toString('base64') }
}

export class DeadLetters {
  private handle: FileHandle | null = null
  private size = 0

  /** @param most bytes of the file, beyond which nothing is taken */
  constructor(
    readonly file: string,
    private readonly most: number
  ) {}

  /**
   * Appends letters; they are on the device when it resolves.
   *
   * @throws ShardlogError `ERR_SHARDLOG_SHIP_DEAD_LETTER` if that cannot be, or the file is full:
   *   shipping waits then
   */
  async add(letters: readonly DeadLetter[]): Promise<void> {
    const time = new Date().toISOString()
    const lines = letters.map(({ bytes, ...rest }) =>
      JSON.stringify({ time, ...rest, ...(bytes === null ? {} : bytesAsJson(bytes)) })
    )
    const text = `${lines.join('\n')}\n`
    try {
      const handle = await this.opened()
      if (this.size + text.length > this.most) {
        const message = `${this.file} has reached ${this.most} bytes: move it away when it has been looked at`
        throw new ShardlogError('ERR_SHARDLOG_SHIP_DEAD_LETTER', message, { path: this.file })
      }
      await handle.appendFile(text)
      await handle.datasync()
      this.size += Buffer.byteLength(text)
    } catch (error) {
      await this.close()
      if (error instanceof ShardlogError) throw error
      throw fromSystemError('ERR_SHARDLOG_SHIP_DEAD_LETTER', `cannot write ${this.file}`, error, this.file)
    }
  }

  private async opened(): Promise<FileHandle> {
    if (this.handle) return this.handle
    this.handle = await open(this.file, 'a', 0o600)
    this.size = (await this.handle.stat()).size
    return this.handle
  }

  /** Once it is closed it is opened anew at its path. */
  async close(): Promise<void> {
    const { handle } = this
    this.handle = null
    await handle?.close()
  }
}
