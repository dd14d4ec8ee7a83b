import { ShardlogError } from '../errors'
import type { ResolvedConfig } from '../types'
import type { Engine } from './engine'
import { openJsEngine } from './js/js-engine'
import { loadNative } from './load-native'
import { openNativeEngine } from './native-engine'

/** Opens the engine the config asks for; 'auto' is native where a build loads, which `stats().engine` tells. */
export function openEngine(config: ResolvedConfig): Engine {
  if (config.engine === 'js') return openJsEngine(config)
  try {
    loadNative()
  } catch (error) {
    const missing = error instanceof ShardlogError && error.code === 'ERR_SHARDLOG_NO_NATIVE'
    if (config.engine === 'native' || !missing) throw error
    return openJsEngine(config)
  }
  return openNativeEngine(config)
}
