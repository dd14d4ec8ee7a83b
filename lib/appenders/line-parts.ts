/**
 * Lines in parts. Of most patterns all but the message is the same from line to line, for a
 * millisecond at least: it is made and encoded once, and the message is not copied into a string
 * of its own first.
 */

import type { Piece } from '../record/record-encoder'
import type { RecordView } from './record-view'

/** A line in parts: one that is the record's own, between two that many lines have. */
export interface LineParts {
  readonly before: Piece
  readonly text: string
  readonly after: Piece
}

/** Makes a record into a line, its newline included. */
export interface Layout {
  (record: RecordView): string
  /**
   * The same in parts, until the next call; null: this line has none. Undefined: no line has.
   */
  readonly parts?: ((record: RecordView) => LineParts | null) | undefined
}

/** Makes a part of a line. */
export interface Print {
  (record: RecordView): string
  /** What alone its text depends on, as a sum; undefined: on more. */
  readonly by?: number | undefined
}

/** What texts depend on, to be added up. */
export const BY = { nothing: 0, level: 1, logger: 2, time: 4 } as const

/** The print, as one that depends on that alone. */
export const dependsOn = (by: number, print: (record: RecordView) => string): Print => Object.assign(print, { by })

/** What a sequence of prints depends on. */
export const basisOf = (prints: readonly Print[]): number | undefined =>
  prints.reduce<number | undefined>(
    (sum, { by }) => (sum === undefined || by === undefined ? undefined : sum | by),
    BY.nothing
  )

const pieceOf = (text: string): Piece => ({ text, bytes: Buffer.from(text) })
const NONE = pieceOf('')

/**
 * Makes lines of `before`, the message and `after`, whose texts depend on the level, the logger
 * and the time. The result is the same object each time.
 */
export function inParts(before: Print, after: Print): (record: RecordView) => LineParts {
  const isTimed = ((before.by! | after.by!) & BY.time) !== 0
  const parts = { before: NONE, text: '', after: NONE }
  let time = Number.NaN
  let label: string | null = null
  let name = ''
  return record => {
    // First: a getter that is asked for the message may log a line of its own.
    const { text } = record
    const now = isTimed ? record.time : 0
    if (now !== time || record.label !== label || record.name !== name) {
      time = now
      label = record.label
      name = record.name
      parts.before = pieceOf(before(record))
      parts.after = pieceOf(after(record))
    }
    parts.text = text
    return parts
  }
}
