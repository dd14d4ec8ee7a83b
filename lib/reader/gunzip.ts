/** Gzipped logs, as they lie in files or come out of pipes. */

import { createGunzip, type Gunzip } from 'node:zlib'
import { setImmediate } from '../timers'

/** What is decompressed at once. */
const CHUNK_BYTES = 256 * 1024
const MAGIC = Buffer.from([0x1f, 0x8b, 0x08])

/** Bytes that tell whether data is gzipped. */
export const GZIP_MAGIC_BYTES: number = MAGIC.length

/** Whether data that begins so is gzipped. */
export const isGzip = (start: Buffer): boolean => start.subarray(0, MAGIC.length).equals(MAGIC)

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
export async function* gunzipped(
  chunks: AsyncIterable<Buffer>,
  onDamage: (damage: GzipDamage) => void
): AsyncGenerator<Buffer, void> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
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
