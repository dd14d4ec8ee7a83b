import { type FSWatcher, watch } from 'node:fs'
import path from 'node:path'
import { clearTimeout, setTimeout } from '../timers'

/** How long a change may go unnoticed where the kernel tells nothing: memory written through an arena's mapping. */
const POLL_MS = 100

/** Waits until files may have changed: a watch on their directories wakes it early, a timer at the latest. */
export class ChangeWaiter {
  private readonly watchers: FSWatcher[] = []
  private wake: (() => void) | null = null
  private changed = false

  constructor(
    paths: readonly string[],
    private readonly signal?: AbortSignal
  ) {
    const names = new Set(paths.map(file => path.resolve(file)))
    for (const folder of new Set([...names].map(file => path.dirname(file)))) this.watch(folder, names)
    signal?.addEventListener('abort', this.notify)
  }

  /** Resolves at a change, after a tenth of a second, or when the signal fires. */
  async wait(): Promise<void> {
    if (!this.changed && !this.signal?.aborted) {
      await new Promise<void>(resolve => {
        const timer = setTimeout(resolve, POLL_MS)
        this.wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.wake = null
    this.changed = false
  }

  close(): void {
    for (const watcher of this.watchers) watcher.close()
    this.signal?.removeEventListener('abort', this.notify)
    this.notify()
  }

  private readonly notify = (): void => {
    this.changed = true
    this.wake?.()
  }

  private watch(folder: string, names: Set<string>): void {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name === null || names.has(path.join(folder, name))) this.notify()
      })
      // A watch that breaks (limits, network file systems) leaves the timer, which is enough.
      watcher.on('error', () => watcher.close())
      this.watchers.push(watcher)
    } catch {
      // No watches to be had here; the timer is enough.
    }
  }
}
