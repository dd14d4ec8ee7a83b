import { ShardlogError } from '../errors'
import type { ResolvedConfig } from '../types'
import type { Engine } from './engine'
import { openJsEngine } from './js/js-engine'
import { loadNative } from './load-native'
import { openNativeEngine } from './native-engine'
import { warnOfJsEngine } from './warn-of-js-engine'

/**
 * Whether the config's engine is the native one: 'auto' is where a build loads. Where none does although one is shipped for the
 * platform, the process is warned, once. Throws ERR_SHARDLOG_NO_NATIVE if the config insists and none loads.
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
