import fs from 'node:fs'
import type { BufferSet, Run } from './buffer-set'
import type { FileForm, Whole } from './file-form'

const NEWLINE = '\n'

export function countLines(bytes: Buffer): number {
  let lines = 0
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) lines++
  return lines
}

function endsLine(path: string, size: number): boolean {
  if (size === 0) return true
  const fd = fs.openSync(path, 'r')
  try {
    const last = Buffer.alloc(1)
    fs.readSync(fd, last, 0, 1, size - 1)
    return last.toString('latin1') === NEWLINE
  } finally {
    fs.closeSync(fd)
  }
}

/** A file that is nothing but its entries, which are lines. */
export class TextForm implements FileForm {
  readonly alignment = 1

  isWhole(path: string, size: number, end: number): boolean {
    return size === end || endsLine(path, size)
  }

  /** Ends a line that the file ends within. As `PrepareText` of `native/engine/append_point.cc`. */
  mend(path: string): number {
    const { size } = fs.statSync(path)
    if (endsLine(path, size)) return size
    fs.appendFileSync(path, NEWLINE)
    return size + NEWLINE.length
  }

  size(run: Run): number {
    return run.valid
  }

  put(run: Run, _set: BufferSet, to: Buffer, at: number): number {
    return at + run.copy(to, at)
  }

  whole(run: Run, out: number): Whole {
    const { bytes } = run
    const end = bytes.subarray(0, out).lastIndexOf(NEWLINE) + 1
    // An entry is a line but for what was written as several, or as none.
    return { bytes: end, entries: Math.min(run.entries, countLines(bytes.subarray(0, end))) }
  }

  /** The start of a line stays as the start of a line. */
  cutOff(run: Run, _path: string, _offset: number, out: number): Whole {
    return this.whole(run, out)
  }

  wrote(): void {
    // Lines are not numbered.
  }

  startFile(): void {
    // Nothing tells one file's lines from another's.
  }
}
