import type { ShardlogError } from '../errors'
import { setImmediate } from '../timers'

/**
 * Calls `onError` from the event loop, without keeping it alive. On a turn of its own, so that what the callback throws is
 * an uncaught exception of the application, and not lost between the addon's frames.
 */
export function deliver(onError: (error: ShardlogError) => void, error: ShardlogError): void {
  setImmediate(() => onError(error)).unref()
}
