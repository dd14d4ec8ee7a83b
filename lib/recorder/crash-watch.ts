/**
 * Tells recorders of exceptions and rejections that nobody catches. One set of listeners for all
 * recorders of a thread: each of its own would take those of the others for handlers of the
 * program.
 */

/**
 * @param reason `uncaughtException` or `unhandledRejection`
 * @param goesOn whether a handler of the program takes it, which may go on
 */
type Told = (error: unknown, reason: string, goesOn: boolean) => void

const EXCEPTION = 'uncaughtException'
const REJECTION = 'unhandledRejection'
/** By this another copy of the package, too, knows that the listener handles nothing. */
const OBSERVES = Symbol.for('shardlog.observes')

const told = new Set<Told>()
let watching = false

function tell(error: unknown, reason: string, goesOn: boolean): void {
  for (const one of [...told]) one(error, reason, goesOn)
}

/**
 * Node calls it for what ends the process, whatever other handlers do: it changes nothing of that.
 */
function monitor(error: unknown, origin: string): void {
  tell(error, origin, process.listenerCount(EXCEPTION) > 0)
}

/**
 * A rejection that a handler of the program's own takes does not get to the monitor. A handler of
 * ours alone would keep the process from ending, so there is one while there are others.
 */
const observer = Object.assign((error: unknown): void => tell(error, REJECTION, true), { [OBSERVES]: true })

const isHandler = (listener: unknown): boolean => !Object.hasOwn(listener as object, OBSERVES)

function adjust(hasHandlers: boolean): void {
  if (hasHandlers === watching) return
  watching = hasHandlers
  if (watching) process.prependListener(REJECTION, observer)
  else process.off(REJECTION, observer)
}

const hasHandlers = (): boolean => process.listeners(REJECTION).some(isHandler)

// Told before it is added, and after it was removed.
function added(name: string | symbol, listener: unknown): void {
  if (name === REJECTION && isHandler(listener)) adjust(true)
}

function removed(name: string | symbol): void {
  if (name === REJECTION) adjust(hasHandlers())
}

function install(): void {
  process.on('uncaughtExceptionMonitor', monitor)
  process.on('newListener', added)
  process.on('removeListener', removed)
  adjust(hasHandlers())
}

function uninstall(): void {
  process.off('uncaughtExceptionMonitor', monitor)
  process.off('newListener', added)
  process.off('removeListener', removed)
  adjust(false)
}

/** Calls `crashed` before anybody else hears of it. Returns what ends that. */
export function watchCrashes(crashed: Told): () => void {
  if (told.size === 0) install()
  told.add(crashed)
  return () => {
    if (told.delete(crashed) && told.size === 0) uninstall()
  }
}
