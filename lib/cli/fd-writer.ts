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

/** Writes to a file descriptor, waiting until the bytes are taken, so that a slow reader slows us down. */
export class FdWriter {
  private text: string[] = []
  private textLength = 0

  constructor(private readonly fd: number) {}

  /** @throws OutputClosed if nobody reads any more. */
  async write(bytes: Uint8Array, start = 0, end = bytes.length): Promise<void> {
    for (let at = start; at < end; ) at += await writeOnce(this.fd, bytes, at, end)
  }

  /** Collects text; `isFull` says when to call `flush`. */
  add(text: string): void {
    this.text.push(text)
    this.textLength += text.length
  }

  get isFull(): boolean {
    return this.textLength >= 256 * 1024
  }

  async flush(): Promise<void> {
    const text = this.text.join('')
    this.text = []
    this.textLength = 0
    if (text !== '') await this.write(Buffer.from(text))
  }
}
