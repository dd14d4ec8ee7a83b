/** What has to be written before the thread ends. */
export interface Ending {
  /** Writes everything, or gives it up and counts it. Never throws. */
  atExit(): void
}

const open = new Set<Ending>()
let installed = false

/** One listener for all logs of the thread; it runs on every way out but a signal. */
function endAll(): void {
  for (const log of open) log.atExit()
}

/** Whether 'exit' is being emitted: a listener added now would not be called any more. */
const isExiting = (): boolean => (process as { _exiting?: boolean })._exiting === true

/** Has `log` written when the thread ends, before those handlers of 'exit' look at its counters that were there when it was opened. */
export function flushAtExit(log: Ending): void {
  open.add(log)
  if (isExiting()) log.atExit()
  if (installed) return
  installed = true
  process.prependListener('exit', endAll)
}

/** Forgets a closed log. */
export function forgetAtExit(log: Ending): void {
  open.delete(log)
  if (open.size > 0) return
  process.off('exit', endAll)
  installed = false
}
