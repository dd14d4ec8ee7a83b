import { isUtf8 } from 'node:buffer'
import { JsonChecker } from './json-line'
import { lineEnd, msOfValue } from './lines'
import type { LinesItem } from './types'

/** Called with what is wrong with a line, and where it stands in the file. */
export type OnBadLine = (offset: number, length: number, message: string) => void

const isBlank = (line: Buffer): boolean => line.every(byte => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))

function problemOf(line: Buffer): string {
  if (isBlank(line)) return 'an empty line'
  return line.includes(0) ? 'a line with NUL bytes' : 'a line that is no JSON'
}

/** Checks that each line is JSON, whatever of, in memory that does not depend on their number. */
export class LineChecker {
  /** Lines so far. */
  lines = 0
  /** Earliest and latest time that any of them tells, ms since the epoch; undefined if none did. */
  firstMs: number | undefined
  lastMs: number | undefined
  private readonly json = new JsonChecker()

  constructor(private readonly onBadLine: OnBadLine) {}

  add(item: LinesItem): void {
    const { data, end } = item
    const shift = item.offset - item.start
    const sound = isUtf8(data.subarray(item.start, end))
    for (let start = item.start; start < end; ) {
      const next = lineEnd(data, start, end)
      this.lines++
      if (!this.json.check(data, start, next)) {
        this.onBadLine(start + shift, next - start, problemOf(data.subarray(start, next)))
      } else {
        if (this.json.timeStart >= 0) this.tell(msOfValue(data, this.json.timeStart, this.json.timeEnd))
        if (!sound && !isUtf8(data.subarray(start, next))) {
          this.onBadLine(start + shift, next - start, 'a line that is not UTF-8')
        }
      }
      start = next
    }
  }

  private tell(ms: number | undefined): void {
    if (ms === undefined) return
    if (this.firstMs === undefined || ms < this.firstMs) this.firstMs = ms
    if (this.lastMs === undefined || ms > this.lastMs) this.lastMs = ms
  }
}
