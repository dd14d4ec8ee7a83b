import { fstatSync } from 'node:fs'
import { openSource } from '../reader/open-source'
import { FileSource, type Source, StreamSource } from '../reader/source'

/** Opens a file, or standard input for `-`: as a file if it is one, so that damage can be looked behind, else as a pipe. */
export async function openInput(name: string): Promise<Source> {
  if (name !== '-') return openSource(name)
  if (fstatSync(0).isFile()) return FileSource.open('/dev/stdin')
  return new StreamSource('-', process.stdin)
}
