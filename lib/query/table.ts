/** Rows as a table for a person. */

import type { Shown } from './result'

/** Columns are as wide as these rows need. */
const MEASURED_ROWS = 1000
/** Longer values are cut. */
const MOST_WIDTH = 60
/** What is looked at of a value that is to be cut. */
const MOST_LOOKED_AT = 1000
const GAP = '  '

const WIDE =
  /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3fffd}]/u
const INVISIBLE = /[\p{Mn}\p{Me}\p{Cf}]/u
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const PLAIN = /^[\x00-\x7f]*$/

/** Columns of a terminal that a character takes. */
function widthOf(character: string): number {
  if (INVISIBLE.test(character)) return 0
  return WIDE.test(character) ? 2 : 1
}

/** Columns of a terminal that a text takes. */
function textWidth(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const character of text) width += widthOf(character)
  return width
}

/** The beginning of a text, with an ellipsis if there is more. */
function cut(text: string): string {
  if (textWidth(text) <= MOST_WIDTH) return text
  let width = 0
  let kept = ''
  for (const character of text) {
    width += widthOf(character)
    if (width > MOST_WIDTH - 1) break
    kept += character
  }
  return `${kept}…`
}

function pad(text: string, width: number, isRight: boolean): string {
  const space = ' '.repeat(Math.max(0, width - textWidth(text)))
  return isRight ? space + text : text + space
}

/**
 * Lines of a table, newlines included; the heading first.
 *
 * @param visible makes a value one line that a terminal only shows
 */
export async function* tableLines(shown: Shown, visible: (text: string) => string): AsyncGenerator<string, void> {
  const names = shown.names.map(name => cut(visible(name)))
  const widths = names.map(textWidth)
  const lineOf = (cells: readonly string[]): string =>
    `${cells
      .map((cell, i) => pad(cell, widths[i]!, shown.isNumeric[i] === true))
      .join(GAP)
      .trimEnd()}\n`
  const cellsOf = (row: readonly (string | null)[]): string[] =>
    row.map(value => (value === null ? 'NULL' : cut(visible(value.slice(0, MOST_LOOKED_AT)))))
  let measured: string[][] | null = []
  const begin = function* (): Generator<string, void> {
    for (const cells of measured ?? [])
      for (const [i, cell] of cells.entries()) widths[i] = Math.max(widths[i]!, textWidth(cell))
    yield lineOf(names)
    yield lineOf(widths.map(width => '-'.repeat(width)))
    yield* (measured ?? []).map(lineOf)
    measured = null
  }
  for await (const rows of shown.rows) {
    for (const row of rows) {
      const cells = cellsOf(row)
      if (measured === null) yield lineOf(cells)
      else if (measured.push(cells) === MEASURED_ROWS) yield* begin()
    }
  }
  if (measured !== null) yield* begin()
}
