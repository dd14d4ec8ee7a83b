/** Lines of a terminal: pieces of text with a style each, that fit into so many columns. */

import { visibleLine } from '../text'

/** How a piece looks. */
export type Style =
  | 'plain'
  | 'dim'
  | 'bold'
  | 'bar'
  | 'match'
  | 'error'
  | 'key'
  | 'target'
  | `level${number}`
  | `cell${number}-${number}`

export interface Piece {
  text: string
  style: Style
}

export interface Line {
  pieces: Piece[]
  /** The whole line is marked. */
  isSelected?: boolean
}

/** Columns that a text takes, without control characters in it. */
export type Measure = (text: string) => number

const ASCII = /^[\x20-\x7e]*$/
const BREAKS = /\s*[\r\n\t]\s*/g

/** A text on one line: breaks are blanks, control characters shown as characters. */
export function oneLine(text: string, most: number): string {
  // No character is shown in less than one, but for marks that are put on others.
  const start = text.length > 8 * most ? text.slice(0, 8 * most) : text
  return visibleLine(start.replace(BREAKS, ' '))
}

export function widthOf(text: string, measure: Measure): number {
  return ASCII.test(text) ? text.length : measure(text)
}

/** As much of a text as fits into `width` columns. */
export function cut(text: string, width: number, measure: Measure): string {
  if (ASCII.test(text)) return text.slice(0, Math.max(0, width))
  let used = 0
  let kept = ''
  for (const character of text) {
    used += measure(character)
    if (used > width) break
    kept += character
  }
  return kept
}

/** The pieces of a line, as far as they fit. */
export function fitted(pieces: readonly Piece[], width: number, measure: Measure): Piece[] {
  const fitting: Piece[] = []
  let left = width
  for (const { text, style } of pieces) {
    if (left <= 0) break
    const shown = cut(text, left, measure)
    left -= widthOf(shown, measure)
    fitting.push({ text: shown, style })
    if (shown.length < text.length) break
  }
  return fitting
}

/** More of a text than fits into any line is not measured. */
const MOST_PER_COLUMN = 8

/** Lines of at most `width` columns, broken at blanks where there are any. */
export function wrap(text: string, width: number, measure: Measure): string[] {
  if (text === '') return ['']
  const lines: string[] = []
  let at = 0
  do {
    const part = text.slice(at, at + MOST_PER_COLUMN * Math.max(1, width))
    // A character that is wider than the line is shown all the same, so that there is an end.
    const head = cut(part, width, measure) || part.slice(0, part.codePointAt(0)! > 0xffff ? 2 : 1)
    const blank = head.lastIndexOf(' ')
    const isLast = at + head.length >= text.length
    const end = !isLast && blank > head.length / 2 ? blank + 1 : head.length
    lines.push(head.slice(0, end).trimEnd())
    at += end
  } while (at < text.length)
  return lines
}

const LEVEL_COLORS = ['', '90', '36', '32', '33', '31', '1;37;41']
const BAR_COLORS = [7, 8, 6, 2, 3, 1, 5]
const BRIGHT = 8

function barColor(level: number, ground: 3 | 4): string {
  const color = BAR_COLORS[level] ?? 7
  return color === BRIGHT ? `${ground === 3 ? 9 : 10}0` : `${ground}${color}`
}

/** Codes of a style, with and without colours. */
function codesOf(style: Style, hasColors: boolean): string {
  switch (style) {
    case 'plain':
      return ''
    case 'dim':
      return '2'
    case 'bold':
      return '1'
    case 'bar':
      return hasColors ? '97;44' : '7'
    case 'match':
      return hasColors ? '30;43' : '1;4'
    case 'error':
      return hasColors ? '1;31' : '1'
    case 'key':
      return hasColors ? '36' : ''
    case 'target':
      return hasColors ? '34;1' : ''
  }
  if (!hasColors) return ''
  if (style.startsWith('level')) return LEVEL_COLORS[Number(style.slice('level'.length))] ?? ''
  const [front = 0, back = -1] = style.slice('cell'.length).split('-').map(Number)
  return back === 9 ? barColor(front, 3) : `${barColor(front, 3)};${barColor(back, 4)}`
}

const ESC = '\u001b['

/** What a terminal is sent for a line. One that is selected has no colours but those of matches. */
export function encode({ pieces, isSelected = false }: Line, hasColors: boolean): string {
  const parts = pieces.map(({ text, style }) => {
    const codes = isSelected && style !== 'match' ? '7' : codesOf(style, hasColors)
    return codes === '' ? text : `${ESC}${codes}m${text}${ESC}0m`
  })
  return parts.join('')
}
