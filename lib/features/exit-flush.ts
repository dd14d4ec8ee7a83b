/** What is held back is written before the process ends. */

interface Held {
  finish(): void
}

const held = new Set<Held>()
let listens = false

function finishAll(): void {
  for (const each of [...held]) each.finish()
}

/** Before the handlers by which destinations flush themselves, which were there first. */
function listen(): void {
  listens = true
  process.prependListener('beforeExit', finishAll)
  process.prependListener('exit', finishAll)
}

/** Calls `finish` when the process ends, unless `release` came first. */
export function holdUntilExit(what: Held): void {
  if (!listens) listen()
  held.add(what)
}

export function release(what: Held): void {
  held.delete(what)
}
