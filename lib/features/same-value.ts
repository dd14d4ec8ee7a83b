/** Whether two logged values print the same, as far as that can be told without printing them. */

interface Coded {
  code?: unknown
}

/** Errors that tell the same, though each has a stack of its own. */
function sameError(a: Error & Coded, b: Error & Coded): boolean {
  return a.name === b.name && a.message === b.message && a.code === b.code
}

/** Objects may have changed between two calls, even if they are the same; only errors are compared. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a instanceof Error && b instanceof Error) return sameError(a, b)
  const isReference = (typeof a === 'object' && a !== null) || typeof a === 'function'
  return !isReference && Object.is(a, b)
}
