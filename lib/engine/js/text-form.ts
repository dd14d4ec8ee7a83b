import fs from 'node:fs'
import type { BufferSet, Run } from './buffer-set'
import type { FileForm } from './file-form'

const NEWLINE = '\n'

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

  wrote(): void {
    // Lines are not numbered.
  }

  startFile(): void {
    // Nothing tells one file's lines from another's.
  }
}
