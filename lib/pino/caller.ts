/** The files that a call came from: where a transport's target is looked up. */

type PrepareStackTrace = typeof Error.prepareStackTrace

const callSites: NonNullable<PrepareStackTrace> = (_error, sites) => sites

/** Absolute paths (or URLs) of the files on the stack above the function that asks, nearest first. */
export function callers(): string[] {
  const before = Error.prepareStackTrace
  Error.prepareStackTrace = callSites
  const { stack } = new Error()
  Error.prepareStackTrace = before
  if (!Array.isArray(stack)) return []
  const files = (stack as NodeJS.CallSite[]).slice(2).map(site => site.getFileName())
  return files.filter((file): file is string => Boolean(file))
}
