/** The histogram as lines of a terminal: bars of eighths of a character, one colour a level. */

import { WARN_CLASS } from './event'
import type { Column } from './histogram'
import type { Line, Piece, Style } from './styled'

const EIGHTHS = ['\u2581', '\u2582', '\u2583', '\u2584', '\u2585', '\u2586', '\u2587', '\u2588']
const FULL = 8
/** Behind the front colour of a cell: nothing. */
const NOTHING = 9

/** From the ground up: what is grave stands where it is seen however little it is. */
const ORDER = [6, 5, 4, 3, 2, 1, 0]

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0)

/**
 * Heights of the levels of a bar, in eighths, by `ORDER`: at least one of warnings and graver ones.
 */
function heightsOf({ counts }: Column, most: number, eighths: number): number[] {
  const total = Math.ceil((sum(counts) / most) * eighths)
  let below = 0
  let used = 0
  return ORDER.map(level => {
    const count = counts[level]!
    below += count
    const share = Math.round((below / most) * eighths) - used
    const least = count > 0 && level >= WARN_CLASS ? 1 : 0
    const height = Math.max(least, Math.min(share, total - used))
    used += Math.max(0, height)
    return Math.max(0, height)
  }).map((height, i, all) => {
    // Something is shown of what there is.
    const isLast = i === ORDER.findIndex(level => counts[level]! > 0)
    return isLast && all.every(other => other === 0) ? 1 : height
  })
}

/**
 * The character of one cell of a bar: what stands in it from `from` eighths on, and its colours.
 */
function cellOf(heights: readonly number[], from: number, hasColors: boolean): Piece {
  let at = 0
  const parts: { level: number; height: number }[] = []
  for (const [i, height] of heights.entries()) {
    const low = Math.max(from, at)
    const high = Math.min(from + FULL, at + height)
    if (high > low) parts.push({ level: ORDER[i]!, height: high - low })
    at += height
  }
  const [first, ...others] = parts
  if (first === undefined) return { text: ' ', style: 'plain' }
  const filled = parts.reduce((total, part) => total + part.height, 0)
  if (hasColors && others.length > 0 && filled === FULL) {
    const second = others.reduce((best, part) => (part.height > best.height ? part : best))
    return { text: EIGHTHS[first.height - 1]!, style: `cell${first.level}-${second.level}` }
  }
  // A cell has two colours: of what ends within it, what is most, or gravest.
  const most = parts.reduce((best, part) => (part.height > best.height ? part : best))
  return { text: EIGHTHS[filled - 1]!, style: `cell${most.level}-${NOTHING}` }
}

export interface BarsOptions {
  columns: readonly Column[]
  rows: number
  /** Whether the terminal shows more than ASCII. */
  isUnicode: boolean
  /** Without them a cell shows how far it is filled, and not by what. */
  hasColors: boolean
}

/** Lines of bars, the top one first, and the count that the highest one stands for. */
export function barLines({ columns, rows, isUnicode, hasColors }: BarsOptions): { lines: Line[]; most: number } {
  const most = Math.max(1, ...columns.map(({ counts }) => sum(counts)))
  const bars = columns.map(column => heightsOf(column, most, rows * FULL))
  const lines: Line[] = []
  for (let row = rows - 1; row >= 0; row--) {
    const cells = bars.map(heights => cellOf(heights, row * FULL, hasColors))
    lines.push({ pieces: joined(isUnicode ? cells : cells.map(asciiCell)) })
  }
  return { lines, most }
}

const asciiCell = ({ text, style }: Piece): Piece => ({ text: text === ' ' ? ' ' : '#', style })

/** Neighbours of one style become one piece. */
function joined(cells: readonly Piece[]): Piece[] {
  const pieces: Piece[] = []
  for (const { text, style } of cells) {
    const last = pieces.at(-1)
    if (last !== undefined && last.style === style) last.text += text
    else pieces.push({ text, style: style as Style })
  }
  return pieces
}
