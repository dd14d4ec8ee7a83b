/** The files that a call came from: where a transport's target is looked up. */

import { ownFolder } from '../own-place'

/** Most frames of ours between the program's call and the question. */
const OWN_FRAMES = 5

const callSites: NonNullable<typeof Error.prepareStackTrace> = (_error, sites) => sites

function stack(): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.prepareStackTrace = callSites
  Error.stackTraceLimit = stackTraceLimit + OWN_FRAMES
  const sites = new Error().stack as unknown
  Error.prepareStackTrace = prepareStackTrace
  Error.stackTraceLimit = stackTraceLimit
  return Array.isArray(sites) ? (sites as NodeJS.CallSite[]) : []
}

/** Absolute paths (or URLs) of the files on the stack that are not ours, nearest first. */
export function callers(): string[] {
  const files = stack()
    .map(site => site.getFileName())
    .filter((file): file is string => Boolean(file))
  const others = files.filter(file => ownFolder === null || !file.startsWith(ownFolder))
  // All are ours where the program is one of ours: the command, or a test.
  return others.length > 0 ? others : files
}
