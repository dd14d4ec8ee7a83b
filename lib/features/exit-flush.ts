/** What is held back is written before the process ends. */

interface Held {
  finish(): void
}

const held = new Set<Held>()
let listens = false
let exiting = false

function finishAll(): void {
  for (const each of [...held]) each.finish()
}

function finishForGood(): void {
  exiting = true
  finishAll()
}

/** From now on the end of the process is noticed, before the handlers by which destinations flush themselves if they come later. */
export function watchExit(): void {
  if (listens) return
  listens = true
  process.prependListener('beforeExit', finishAll)
  process.prependListener('exit', finishForGood)
}

/** Whether the 'exit' handlers run: what they hold back would never be written. */
export function isExiting(): boolean {
  return exiting
}

/** Calls `finish` when the process ends, unless `release` came first. */
export function holdUntilExit(what: Held): void {
  held.add(what)
}

export function release(what: Held): void {
  held.delete(what)
}
