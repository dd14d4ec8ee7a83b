import { isUtf8 } from 'node:buffer'
import { lineEnds, timeOfLine } from './lines'
import type { Damage, LinesItem } from './types'

/** What is wrong with a line, for a person; null if it is JSON. `tell` is given the time that it tells, ns. */
function problemOf(line: Buffer, tell: (time: bigint) => void): string | null {
  const text = line.toString()
  try {
    const time = timeOfLine(JSON.parse(text))
    if (time !== undefined) tell(time)
  } catch {
    if (text.trim() === '') return 'an empty line'
    return line.includes(0) ? 'a line with NUL bytes' : 'a line that is no JSON'
  }
  return isUtf8(line) ? null : 'a line that is not UTF-8'
}

/** What is known of lines that were checked. */
export interface CheckedLines {
  lines: number
  damage: Damage[]
  /** Earliest and latest time that any of them tells, ns since the epoch. */
  firstTime: bigint | undefined
  lastTime: bigint | undefined
}

/** Checks that each line is JSON, whatever of. */
export function checkLines(item: LinesItem): CheckedLines {
  const { path, data } = item
  const checked: CheckedLines = { lines: 0, damage: [], firstTime: undefined, lastTime: undefined }
  const tell = (time: bigint): void => {
    if (checked.firstTime === undefined || time < checked.firstTime) checked.firstTime = time
    if (checked.lastTime === undefined || time > checked.lastTime) checked.lastTime = time
  }
  let start = item.start
  for (const end of lineEnds(item)) {
    const message = problemOf(data.subarray(start, end), tell)
    if (message) {
      const offset = item.offset + start - item.start
      checked.damage.push({ kind: 'bad-line', path, offset, length: end - start, message })
    }
    checked.lines++
    start = end
  }
  return checked
}
