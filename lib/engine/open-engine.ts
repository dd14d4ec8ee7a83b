/**
 * Which engine a config gets, and the warning where the JavaScript engine stands in for the native
 * one.
 */

import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import { ShardlogError } from '../errors'
import type { ResolvedConfig } from '../types'
import type { Engine } from './engine'
import { openJsEngine } from './js/js-engine'
import { loadNative } from './load-native'
import { openNativeEngine } from './native-engine'

/**
 * Whether the config's engine is the native one: 'auto' is where a build loads. Where none does
 * although one is shipped for the platform, the process is warned, once. Throws
 * ERR_SHARDLOG_NO_NATIVE if the config insists and none loads.
 */
export function isNative({ engine }: Pick<ResolvedConfig, 'engine'>): boolean {
  if (engine === 'js') return false
  try {
    loadNative()
    return true
  } catch (error) {
    const missing = error instanceof ShardlogError && error.code === 'ERR_SHARDLOG_NO_NATIVE'
    if (engine === 'native' || !missing) throw error
    warnOfJsEngine(error)
    return false
  }
}

/** Opens the engine the config asks for, which `stats().engine` tells. */
export function openEngine(config: ResolvedConfig): Engine {
  return isNative(config) ? openNativeEngine(config) : openJsEngine(config)
}

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

/**
 * Warns, once in a process, where an addon is shipped for the platform; elsewhere the JavaScript
 * engine is what is expected.
 */
function warnOfJsEngine({ message }: ShardlogError): void {
  if (!SHIPPED.has(`${process.platform}-${process.arch}`) || !isFirst()) return
  const why = message.split('\nOne build')[0] as string
  process.emitWarning(`${why}\n${LOST}`, { type: 'ShardlogWarning', code: 'SHARDLOG_JS_ENGINE' })
}
