import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { readError } from './errors'
import { FileSource, type Source, StreamSource } from './source'

/**
 * Opens what a path names: a regular file, or a pipe that is read from front to back.
 * @throws ShardlogError `ERR_SHARDLOG_READ`
 */
export async function openSource(path: string): Promise<Source> {
  try {
    const stats = await stat(path)
    if (stats.isDirectory()) throw Object.assign(new Error('it is a directory'), { code: 'EISDIR' })
    if (stats.isFile()) return await FileSource.open(path)
    return new StreamSource(path, createReadStream(path))
  } catch (error) {
    throw readError(path, error)
  }
}
