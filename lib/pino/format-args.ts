/** Messages with placeholders: filling them, and which arguments they take. */

import format from 'quick-format-unescaped'
import { loggedObject } from './http-objects'
import type { FormatOptions } from './internals'

const PERCENT = 37
/** Letters that take an argument after a percent sign. */
const PLACEHOLDERS = 'dfiOojs'

/** The message with its placeholders filled in; messages that are no strings come back as they are. */
export function formatMessage(message: unknown, values: readonly unknown[], options: FormatOptions): unknown {
  return format(message, values, options)
}

/** How many of `limit` arguments the placeholders of `message` take. */
function argumentsTaken(message: string, limit: number): number {
  let taken = 0
  for (let at = message.indexOf('%'); at >= 0 && taken < limit; at = message.indexOf('%', at)) {
    if (PLACEHOLDERS.includes(message.charAt(at + 1)) && at + 1 < message.length) taken++
    at += message.charCodeAt(at + 1) === PERCENT ? 2 : 1
  }
  return taken
}

/**
 * The object at the end of `(message, ...values, fields)` whose fields join the line: a last argument that is an object and
 * that no placeholder takes.
 *
 * @returns null if there is none
 */
export function trailingFields(message: unknown, values: readonly unknown[]): object | null {
  const last = values[values.length - 1]
  if (typeof last !== 'object' || last === null || typeof message !== 'string') return null
  return argumentsTaken(message, values.length) < values.length ? loggedObject(last) : null
}
