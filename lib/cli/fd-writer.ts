import { write } from 'node:fs'

/** Pause before a full pipe that somebody made non-blocking is tried again. */
const RETRY_MS = 5

/** The reader of our output has gone: stop quietly, as a pipeline's members do. */
export class OutputClosed extends Error {}

function writeOnce(fd: number, bytes: Uint8Array, start: number, end: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, start, end - start, null, (error, count) => {
      if (!error) resolve(count)
      else if (error.code === 'EAGAIN') setTimeout(() => resolve(0), RETRY_MS)
      else if (error.code === 'EPIPE') reject(new OutputClosed('output closed'))
      else reject(error)
    })
  })
}

/** Collected output is written when it reaches this size. */
const FULL_BYTES = 256 * 1024

/** Writes to a file descriptor, waiting until the bytes are taken, so that a slow reader slows us down. */
export class FdWriter {
  private text: string[] = []
  private parts: Uint8Array[] = []
  private collected = 0

  constructor(private readonly fd: number) {}

  /** @throws OutputClosed if nobody reads any more. */
  async write(bytes: Uint8Array, start = 0, end = bytes.length): Promise<void> {
    for (let at = start; at < end; ) at += await writeOnce(this.fd, bytes, at, end)
  }

  /** Collects text or bytes; `isFull` says when to call `flush`. The bytes must not change before. */
  add(part: string | Uint8Array): void {
    this.collected += part.length
    if (typeof part === 'string') {
      this.text.push(part)
      return
    }
    this.endText()
    this.parts.push(part)
  }

  get isFull(): boolean {
    return this.collected >= FULL_BYTES
  }

  async flush(): Promise<void> {
    this.endText()
    const bytes = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts)
    this.parts = []
    this.collected = 0
    await this.write(bytes)
  }

  private endText(): void {
    if (this.text.length === 0) return
    this.parts.push(Buffer.from(this.text.join('')))
    this.text = []
  }
}
