/** Options of pino's stream, and what stands for each where the engine writes. */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'

/** What the engine has in place of an option; of `sync` also what it does without. */
const INSTEAD: Readonly<Record<string, string>> = {
  append: 'lines are always appended: leave it out',
  contentMode: 'lines are UTF-8: leave it out',
  fd: 'dest takes the number of a descriptor',
  fsync: 'dsync, which is on by default for files: what a flush wrote is on the device',
  maxLength: 'bufferSize says how much waits, onFull what becomes of what finds no room',
  maxWrite: 'bufferSize and flushInterval say how much is written at once: leave it out',
  minLength: 'flushInterval says when lines are written, bufferSize how many wait: leave it out',
  mkdir: 'the folder has to exist: make it by fs.mkdirSync(folder, { recursive: true })',
  mode: 'the file is made with mode 0644: make it beforehand for another',
  periodicFlush: 'flushInterval says how often what waits is written',
  retryEAGAIN: 'onFull and blockTimeout say what happens while nobody reads',
  sync: 'no call waits for the kernel, and a file loses nothing for it when the process ends: leave it out; flushSync() waits'
}

/** What only pino's stream can do, or be asked to do at another time than it is here. */
export const PINO_OPTIONS: readonly string[] = Object.keys(INSTEAD)

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` if one of them is given for a destination of the engine's */
export function refusePinoOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || !Object.hasOwn(INSTEAD, name)) continue
    const message = `option ${name} (value ${inspect(value)}) is of pino's stream, which a destination with a format is not: ${INSTEAD[name]}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }
}
