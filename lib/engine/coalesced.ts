/**
 * Lets calls of `run` that come while one is under way share the next one: whatever was accepted before such a call is
 * covered by a run that begins after it.
 */
export function coalesced(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | null = null
  let next: Promise<void> | null = null

  function begin(): Promise<void> {
    const started = run().finally(() => {
      running = null
    })
    running = started
    return started
  }

  function beginNext(): Promise<void> {
    next = null
    // Begun by somebody else since: later than the call that asked for this one.
    return running ?? begin()
  }

  return () => {
    if (running === null) return begin()
    // How the run under way ends is told to those who asked for it.
    next ??= running.then(beginNext, beginNext)
    return next
  }
}
