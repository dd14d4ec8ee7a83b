/** What tells that loggers of several threads write to one log. */

import path from 'node:path'

/** What of destinations is looked at: a descriptor's number, a file's path. */
interface Named {
  fd?: unknown
  file?: unknown
}

/** A name for the log that `stream` leads to, the same in all threads of the process; null if it is this thread's alone, as far as can be told. */
export function logNameOf(stream: object): string | null {
  const { fd, file } = stream as Named
  if (typeof file === 'string') return `file ${path.resolve(file)}`
  return typeof fd === 'number' && fd >= 0 ? `descriptor ${fd}` : null
}
