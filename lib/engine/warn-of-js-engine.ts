/** The warning that the JavaScript engine stands in where the native one should have been. */

import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import type { ShardlogError } from '../errors'

/** Platforms whose addons the package carries. */
const SHIPPED: ReadonlySet<string> = new Set(['linux-x64', 'linux-arm64'])

const LOST =
  "The JavaScript engine is used instead: a kill of the process loses what is buffered (crashSafe is off), and lines are made and written on the caller's thread. " +
  "engine: 'js' asks for it without this warning, engine: 'native' makes it an error."

/** Under this the process, and each worker that is started later, knows that it has been warned. */
const WARNED = 'shardlog.warnedOfJsEngine'
const warnedSym = Symbol.for(WARNED)

/** Says so, to the caller alone: several copies of this module may be loaded. */
function isFirst(): boolean {
  const marks = process as unknown as Record<symbol, unknown>
  if (marks[warnedSym] === true || getEnvironmentData(WARNED) === true) return false
  Object.defineProperty(process, warnedSym, { value: true })
  setEnvironmentData(WARNED, true)
  return true
}

/** Warns, once in a process, where an addon is shipped for the platform; elsewhere the JavaScript engine is what is expected. */
export function warnOfJsEngine({ message }: ShardlogError): void {
  if (!SHIPPED.has(`${process.platform}-${process.arch}`) || !isFirst()) return
  const why = message.split('\nOne build')[0] as string
  process.emitWarning(`${why}\n${LOST}`, { type: 'ShardlogWarning', code: 'SHARDLOG_JS_ENGINE' })
}
