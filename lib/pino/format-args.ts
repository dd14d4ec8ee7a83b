/** Messages with placeholders: filling them, and whether there are any. */

import format from 'quick-format-unescaped'
import type { FormatOptions } from './internals'

const PERCENT = 37
/** Letters that take an argument after a percent sign. */
const PLACEHOLDERS = 'dfiOojs'

/** The message with its placeholders filled in; messages that are no strings come back as they are. */
export function formatMessage(message: unknown, values: readonly unknown[], options: FormatOptions): unknown {
  return format(message, values, options)
}

/** Whether a placeholder of `message` would take an argument. */
export function hasPlaceholder(message: string): boolean {
  for (let at = message.indexOf('%'); at >= 0; at = message.indexOf('%', at)) {
    if (at + 1 < message.length && PLACEHOLDERS.includes(message.charAt(at + 1))) return true
    at += message.charCodeAt(at + 1) === PERCENT ? 2 : 1
  }
  return false
}
