import { isUtf8 } from 'node:buffer'
import { JsonChecker } from './json-line'
import { lineEnd, msOfValue } from './lines'
import type { LinesItem } from './types'

/** Called with what is wrong with a line, and where it stands in the file. */
export type OnBadLine = (offset: number, length: number, message: string) => void

const isBlank = (line: Buffer): boolean => line.every(byte => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))

function problemOf(line: Buffer, isJson: boolean): string {
  if (isJson) return 'a line that is not UTF-8'
  if (isBlank(line)) return 'an empty line'
  return line.includes(0) ? 'a line with NUL bytes' : 'a line that is no JSON'
}

/** Checks that each line is JSON, whatever of, in memory and time that do not depend on how many are not. */
export class LineChecker {
  /** Lines so far; those of them that are no JSON, or not UTF-8, and their bytes. */
  lines = 0
  badLines = 0
  badBytes = 0
  /** Earliest and latest time that any of them tells, ms since the epoch; undefined if none did. */
  firstMs: number | undefined
  lastMs: number | undefined
  private readonly json = new JsonChecker()

  /** @param most how many bad lines `onBadLine` is told of */
  constructor(
    private readonly most: number,
    private readonly onBadLine: OnBadLine
  ) {}

  add(item: LinesItem): void {
    const { data, end } = item
    const { json } = this
    const sound = isUtf8(data.subarray(item.start, end))
    for (let start = item.start; start < end; ) {
      const next = lineEnd(data, start, end)
      this.lines++
      const isJson = json.check(data, start, next)
      if (isJson && json.timeStart >= 0) this.tell(msOfValue(data, json.timeStart, json.timeEnd))
      if (!isJson || (!sound && !isUtf8(data.subarray(start, next)))) {
        this.badLines++
        this.badBytes += next - start
        if (this.badLines <= this.most)
          this.report(data.subarray(start, next), item.offset + start - item.start, isJson)
      }
      start = next
    }
  }

  private report(line: Buffer, offset: number, isJson: boolean): void {
    this.onBadLine(offset, line.length, problemOf(line, isJson))
  }

  private tell(ms: number | undefined): void {
    if (ms === undefined) return
    if (this.firstMs === undefined || ms < this.firstMs) this.firstMs = ms
    if (this.lastMs === undefined || ms > this.lastMs) this.lastMs = ms
  }
}
