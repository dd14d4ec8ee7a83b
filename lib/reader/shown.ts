import { ShownEntries } from './shown-entries'
import { ShownLines } from './shown-lines'
import type { ScanItem } from './types'

/** What has been shown out of arenas, so that it is not shown again when it stands in the log. */
export class Shown {
  /** Out of arenas of raw entries. */
  readonly entries = new ShownEntries()
  /** Out of arenas of records. */
  readonly lines = new ShownLines()

  /** The items without what was shown before. */
  filter(items: readonly ScanItem[]): ScanItem[] {
    return this.lines.filter(this.entries.filter(items))
  }

  /** Forgets the generations below `written`: the log has been read past them. */
  forgetBelow(stream: bigint, written: bigint): void {
    this.entries.forgetBelow(stream, written)
    this.lines.forgetBelow(stream, written)
  }

  /** Forgets all streams but `stream`: their arenas are gone and the log has been read to its end. */
  forgetOthers(stream: bigint | null): void {
    this.entries.forgetOthers(stream)
    this.lines.forgetOthers(stream)
  }
}
