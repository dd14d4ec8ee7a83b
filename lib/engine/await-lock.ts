import { ShardlogError } from '../errors'
import { performance } from '../timers'
import { pause } from './js/pause'

const FIRST_PAUSE_MS = 2
const LONGEST_PAUSE_MS = 50

const isLocked = (error: unknown): boolean => error instanceof ShardlogError && error.code === 'ERR_SHARDLOG_LOCKED'

/**
 * Calls `open` until nobody else has the log open, for `timeoutMs` at the most, sleeping between the attempts: the kernel has no lock that
 * can be waited for up to a time.
 *
 * @throws ShardlogError what `open` throws, `ERR_SHARDLOG_LOCKED` only when the time is over
 */
export function awaitLock<T>(timeoutMs: number, open: () => T): T {
  const deadline = performance.now() + timeoutMs
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return open()
    } catch (error) {
      const left = deadline - performance.now()
      if (!isLocked(error) || left <= 0) throw error
      pause(Math.min(pauseMs, left))
    }
  }
}
