/** JSON text of values, with an answer for those that `JSON.stringify` refuses. */

import { configure } from 'safe-stable-stringify'
import type { Stringify } from './internals'

const QUOTE = 34
const BACKSLASH = 92
/** The first character code that a JSON string can hold as it is. */
const FIRST_PLAIN = 32
const FIRST_SURROGATE = 0xd800

/** Longest string, in UTF-16 units, whose lone surrogates stay as they are (U+FFFD in UTF-8), as they do in pino's lines. */
const SHORT = 100

const TOO_COMPLEX = '"[unable to serialize, circular reference is too complex to analyze]"'

/** A JSON string. Lone surrogates are escaped in long strings and in those with control characters: what pino writes. */
export function quote(text: string): string {
  const { length } = text
  if (length > SHORT) return JSON.stringify(text)
  let isPlain = true
  // A loop over the characters of a short string beats a regular expression.
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code < FIRST_PLAIN) return JSON.stringify(text)
    if (code === QUOTE || code === BACKSLASH) isPlain = false
  }
  return isPlain ? `"${text}"` : `"${text.replace(/["\\]/g, '\\$&')}"`
}

/** As `JSON.stringify`, of a string: at a third of its cost where the string is short and has nothing to escape. */
export function quoteExactly(text: string): string {
  const { length } = text
  if (length > SHORT) return JSON.stringify(text)
  for (let at = 0; at < length; at++) {
    const code = text.charCodeAt(at)
    if (code < FIRST_PLAIN || code === QUOTE || code === BACKSLASH || code >= FIRST_SURROGATE)
      return JSON.stringify(text)
  }
  return `"${text}"`
}

/** JSON text by `JSON.stringify`; where that throws, by `safe`; where that throws too, a text that says so. */
export const stringify: Stringify = (value, safe) => {
  try {
    return JSON.stringify(value)
  } catch {
    // Circular values and bigints come here: the safe serializer has an answer for both.
    return stringifySafely(value, safe)
  }
}

function stringifySafely(value: unknown, safe: Stringify | undefined): string | undefined {
  try {
    return safe ? safe(value) : TOO_COMPLEX
  } catch {
    return TOO_COMPLEX
  }
}

const isLimit = (limit: number): boolean => Number.isInteger(limit) && limit > 0

/**
 * The serializer for values that `JSON.stringify` refuses.
 *
 * @param depthLimit deepest nesting written, a positive integer
 * @param edgeLimit most entries written of each object or array, a positive integer
 */
export function safeStringify(depthLimit: number, edgeLimit: number): Stringify {
  const make = () => configure({ maximumDepth: depthLimit, maximumBreadth: edgeLimit })
  // The package takes milliseconds to load, and few programs need it. Wrong limits it refuses at once.
  let safe = isLimit(depthLimit) && isLimit(edgeLimit) ? undefined : make()
  return value => {
    safe ??= make()
    return safe(value)
  }
}
