/** The option `browser.reportCaller`: where a call stands in the program. */

/** Frames of this package, of its bundle's wrappers and of packages in general. */
const OURS = /BrowserLogger|callerLocation|browser[/\\.]|node_modules|node:internal/

/** `file:line:column` of the nearest frame that is the program's; null if the stack does not tell. */
export function callerLocation(): string | null {
  const frames = new Error().stack?.split('\n').slice(1) ?? []
  for (const frame of frames) {
    const place = OURS.test(frame)
      ? undefined
      : (/\((.*:\d+:\d+)\)/.exec(frame) ?? /at\s+(.*:\d+:\d+)/.exec(frame))?.[1]
    if (place !== undefined) return place
  }
  return null
}
