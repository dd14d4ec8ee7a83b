/** What processes of ours have left that are over. */

import fs from 'node:fs'
import { isRunning } from './arena'

/** When this process began, in ms since the Unix epoch. */
const startOfProcess = (): number => Date.now() - process.uptime() * 1000

/**
 * Whether a file is ours, and the process is over that has put its number into the file's name.
 *
 * @param pid 0: nobody has
 */
export function isLeft(file: string, pid: number): boolean {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  // What others have put there may be anything: a pipe that nobody writes to, a link.
  if (!stat?.isFile() || stat.uid !== (process.geteuid?.() ?? stat.uid)) return false
  if (pid === 0) return true
  // A process that starts anew often has the number that the one before it had, as in a container.
  return pid === process.pid ? stat.ctimeMs < startOfProcess() : !isRunning(pid)
}
