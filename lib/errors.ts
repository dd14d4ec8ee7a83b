import os from 'node:os'
import { types } from 'node:util'

/** What an error may carry beside its message and code. */
export interface ShardlogErrorDetails {
  errno?: string | undefined
  syscall?: string | undefined
  path?: string | undefined
  cause?: unknown
}

/**
 * An error with a `code`: `ERR_SHARDLOG_…`; where the kernel said no, also its errno's name and the
 * system call.
 */
export class ShardlogError extends Error {
  override readonly name = 'ShardlogError'
  /** `'ERR_SHARDLOG_CONFIG'`, `'ERR_SHARDLOG_LOCKED'`, …; docs/reference/api.md lists them. */
  readonly code: string
  /** Name of the kernel's errno, `'ENOSPC'`, where there was one. */
  readonly errno?: string
  /** The system call that failed, where there was one. */
  readonly syscall?: string
  /** The file concerned, where there is one. */
  readonly path?: string

  constructor(code: string, message: string, details: ShardlogErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    if (details.errno !== undefined) this.errno = details.errno
    if (details.syscall !== undefined) this.syscall = details.syscall
    if (details.path !== undefined) this.path = details.path
  }
}

interface ErrorFields {
  code?: unknown
  errno?: unknown
  syscall?: unknown
  path?: unknown
}

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/**
 * Name of an errno. libuv has none for some, EDQUOT among them: it tells their number, here in
 * `number` or in the name.
 */
function errnoName(name: unknown, number?: unknown): string | undefined {
  const known = text(name)
  const told = /^Unknown system error (-\d+)$/.exec(known ?? '')?.[1]
  const value = told ?? (known === 'UNKNOWN' ? number : undefined)
  if (value === undefined) return known
  return Object.entries(os.constants.errno).find(([, errno]) => errno === -Number(value))?.[0] ?? known
}

/**
 * Whether it is an error, of whichever realm: those of the addon and of Node are of another than a
 * module's that Jest loads.
 */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error
}

/**
 * The same error as a ShardlogError, if it is one in all but class (the addon throws plain errors
 * with a code).
 */
export function asShardlogError(error: unknown): ShardlogError {
  if (error instanceof ShardlogError) return error
  if (!isError(error)) return new ShardlogError('ERR_SHARDLOG_INTERNAL', String(error), { cause: error })
  const fields = error as ErrorFields
  const code = text(fields.code)
  if (code?.startsWith('ERR_SHARDLOG_')) {
    const details = { errno: errnoName(fields.errno), syscall: text(fields.syscall), path: text(fields.path) }
    return new ShardlogError(code, error.message, { ...details, cause: error.cause })
  }
  return new ShardlogError('ERR_SHARDLOG_INTERNAL', error.message, { cause: error })
}

/** An error of `node:fs` under one of our codes. `context` says what was attempted. */
export function fromSystemError(code: string, context: string, error: unknown, path?: string): ShardlogError {
  const fields = error as ErrorFields & { message?: unknown }
  const details = {
    errno: errnoName(fields.code, fields.errno),
    syscall: text(fields.syscall),
    path: path ?? text(fields.path)
  }
  return new ShardlogError(code, `${context}: ${String(fields.message ?? error)}`, { ...details, cause: error })
}

/** What `onError` is told when writing works again after a failure. */
export function resumed(path: string): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_RESUMED', `writing ${path} works again`, { path })
}

/**
 * Number of single-character insertions, deletions, replacements and swaps of neighbours that turn
 * `a` into `b`.
 */
function editDistance(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let distance = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + cost)
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) distance = Math.min(distance, beforePrevious[j - 2]! + 1)
      row.push(distance)
    }
    beforePrevious = previous
    previous = row
  }
  return previous[b.length]!
}

/**
 * The name a misspelt one was probably meant to be, or undefined if none is near. Case does not
 * count.
 */
export function nearestName(given: string, names: readonly string[]): string | undefined {
  const lower = given.toLowerCase()
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(given.length / 3)) + 1
  for (const name of names) {
    const distance = editDistance(lower, name.toLowerCase())
    if (distance < bestDistance) [best, bestDistance] = [name, distance]
  }
  return best
}
