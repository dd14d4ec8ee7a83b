/** JSON text of values, with an answer for those that `JSON.stringify` refuses. */

import { configure } from 'safe-stable-stringify'
import type { Stringify } from './internals'

/** Characters that a JSON string cannot hold as they are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is for
const SPECIAL = /[\u0000-\u001f"\\]/
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above
const CONTROL = /[\u0000-\u001f]/
const QUOTES_AND_BACKSLASHES = /["\\]/g

/** Longest string, in UTF-16 units, whose lone surrogates stay as they are (U+FFFD in UTF-8), as they do in pino's lines. */
const SHORT = 100

const TOO_COMPLEX = '"[unable to serialize, circular reference is too complex to analyze]"'

/** A JSON string. Lone surrogates are escaped in long strings and in those with control characters: what pino writes. */
export function quote(text: string): string {
  if (text.length > SHORT) return JSON.stringify(text)
  if (!SPECIAL.test(text)) return `"${text}"`
  return CONTROL.test(text) ? JSON.stringify(text) : `"${text.replace(QUOTES_AND_BACKSLASHES, '\\$&')}"`
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

/**
 * The serializer for values that `JSON.stringify` refuses.
 *
 * @param depthLimit deepest nesting written, a positive integer
 * @param edgeLimit most entries written of each object or array, a positive integer
 */
export function safeStringify(depthLimit: number, edgeLimit: number): Stringify {
  const safe = configure({ maximumDepth: depthLimit, maximumBreadth: edgeLimit })
  return value => safe(value)
}
