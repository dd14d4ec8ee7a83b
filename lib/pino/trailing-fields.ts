/** Fields after the message: `log.info('user login', { userId: 123 })`, which pino ignores. */

import { hasPlaceholder } from './format-args'
import type { Fields, Internals } from './internals'
import { chindingsSym, errorKeySym, lsCacheSym, messageKeySym, timeSym, trailingFieldsSym } from './symbols'
import type { TimeFn } from './types'

/** Whether an object is one of fields and nothing else, of whatever realm. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object)
  if (prototype === Object.prototype || prototype === null) return true
  // That of another realm, as test frameworks make them, is known by what only that object has.
  const isRoot = Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf')
  return isRoot && !Array.isArray(object)
}

/** Keys that a line begins with: level, time, bindings. */
interface Begun {
  head: string
  time: TimeFn
  bindings: string
  keys: ReadonlySet<string>
}

// Calls of one logger and level follow each other.
let recent: Begun | null = null

/** Names in a part of a JSON object that begins with a comma; none if it is no such thing. */
function namesIn(part: string): string[] {
  try {
    return Object.keys(JSON.parse(`{${part.slice(1)}}`) as object)
  } catch {
    return [] // The time function of the program may write what it likes.
  }
}

function keysOf(logger: Internals, level: number): ReadonlySet<string> {
  const head = logger[lsCacheSym][level] ?? ''
  const time = logger[timeSym]
  const bindings = logger[chindingsSym]
  if (recent !== null && recent.head === head && recent.time === time && recent.bindings === bindings)
    return recent.keys
  const keys = new Set([...namesIn(head), ...namesIn(time()), ...namesIn(bindings), String(logger[messageKeySym])])
  recent = { head, time, bindings, keys }
  return keys
}

function without(taken: ReadonlySet<string>, fields: Fields): object {
  const keys = Object.keys(fields).filter(key => !taken.has(key))
  return Object.fromEntries(keys.map(key => [key, fields[key]]))
}

/** The fields without those whose keys the line has already: what it says of level, time or message is its own. */
function withoutTaken(logger: Internals, level: number, fields: Fields): object {
  const taken = keysOf(logger, level)
  // A loop, since nearly always nothing is made for it.
  for (const key in fields) if (taken.has(key)) return without(taken, fields)
  return fields
}

/**
 * The object of `(message, fields)` whose fields join the line: a plain one or an error, after a message without placeholders, unless the
 * logger is not to look for any.
 *
 * @returns null if there is none
 */
export function trailingFields(logger: Internals, level: number, message: unknown, last: unknown): object | null {
  const isObject = typeof last === 'object' && last !== null
  if (!isObject || typeof message !== 'string' || !logger[trailingFieldsSym] || hasPlaceholder(message)) return null
  const kind = kindOf(last)
  if (kind === 'plain') return withoutTaken(logger, level, last as Fields)
  return kind === 'error' && !keysOf(logger, level).has(logger[errorKeySym]) ? last : null
}

function kindOf(object: object): 'plain' | 'error' | 'other' {
  try {
    if (object instanceof Error) return 'error'
    return isPlain(object) ? 'plain' : 'other'
  } catch {
    return 'other' // A proxy that has been revoked, for one: pino ignores it.
  }
}
