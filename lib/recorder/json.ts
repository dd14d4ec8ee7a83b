/** JSON of what was recorded, as text that every decoder takes. */

/** An escape: a pair of surrogates, one that stands alone, or another. */
const ESCAPE = /\\(?:ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}|ud[89a-f][\da-f]{2}|.)/gis
const MAY_BE_ALONE = /\\ud[89a-f]/i
const LONE_ESCAPE_LENGTH = 6

/**
 * Parses JSON. A surrogate that stands alone, as a text has that was cut within a character,
 * becomes U+FFFD: UTF-8 has none, and readers of CBOR refuse the whole file for it.
 *
 * @throws SyntaxError
 */
export function parseWellFormed(json: string): unknown {
  if (!MAY_BE_ALONE.test(json)) return JSON.parse(json) as unknown
  return JSON.parse(json.replace(ESCAPE, one => (one.length === LONE_ESCAPE_LENGTH ? '\\ufffd' : one)))
}
