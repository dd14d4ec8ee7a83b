/** The transport `pino/file` (also `shardlog/file`): writes lines to a file or descriptor, from a worker thread. */

import { once } from 'node:events'
import type { SonicBoom } from 'sonic-boom'
import { openDestination, pathOrDescriptor } from './destination'

interface FileOptions {
  /** Path or descriptor. Default 1, standard output. */
  destination?: string | number
  [option: string]: unknown
}

async function file(options: FileOptions = {}): Promise<SonicBoom> {
  const { destination: dest, ...rest } = options
  const stream = openDestination({ ...rest, dest: pathOrDescriptor(dest || 1), sync: false })
  await once(stream, 'ready')
  return stream
}

export = file
