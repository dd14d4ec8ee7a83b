/** JSON text of values, with an answer for those that `JSON.stringify` refuses. */

import { configure } from 'safe-stable-stringify'
import type { Stringify } from './internals'

/** Characters that a JSON string cannot hold as they are, or (surrogates) perhaps not. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is for
const NEEDS_ESCAPE = /[\u0000-\u001f"\\\ud800-\udfff]/

const TOO_COMPLEX = '"[unable to serialize, circular reference is too complex to analyze]"'

/** A JSON string. */
export function quote(text: string): string {
  return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`
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
