/** The option `browser.reportCaller`: where a call stands in the program. */

/** Frames between the program's call and the question: of this function, the logger's writing, the level's method. */
const OWN_FRAMES = 3

/** `file:line:column` of the program's call; null if the stack does not tell. */
export function callerLocation(): string | null {
  // Some browsers begin a stack with the error's name, some do not.
  const frames = (new Error().stack ?? '').split('\n').filter(line => /:\d+:\d+/.test(line))
  const frame = frames[OWN_FRAMES] ?? ''
  return /(?:\(|@|at\s+)([^(@\s][^(@]*:\d+:\d+)\)?$/.exec(frame.trim())?.[1] ?? null
}
