import type { JsLog } from './js-log'

const open = new Set<JsLog>()
let installed = false

/** One listener for all logs of the thread; it runs on every way out but a signal. */
function flushAll(): void {
  for (const log of open) log.atExit()
}

/** Whether 'exit' is being emitted: a listener added now would not be called any more. */
const isExiting = (): boolean => (process as { _exiting?: boolean })._exiting === true

/** Has `log` flushed when the thread ends. */
export function flushAtExit(log: JsLog): void {
  open.add(log)
  if (isExiting()) log.atExit()
  if (installed) return
  installed = true
  process.on('exit', flushAll)
}

/** Forgets a closed log. */
export function forgetAtExit(log: JsLog): void {
  open.delete(log)
  if (open.size > 0) return
  process.off('exit', flushAll)
  installed = false
}
