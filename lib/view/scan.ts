/** Looks for events in an index, window by window, so that keys are looked at in between. */

import type { EventIndex } from './event-index'
import { NumberList } from './numbers'
import type { LoadedPage, RecordReader } from './records'

/** So many events are looked at in one go: some milliseconds. */
const WINDOW = 4096

const PERHAPS = 1
const YES = 2

/** Records of one file, and which of them are wanted, or found. */
export class Marks {
  readonly #flags: Uint8Array

  constructor(
    readonly from: number,
    readonly to: number
  ) {
    this.#flags = new Uint8Array(to - from)
  }

  want(record: number): void {
    this.#flags[record - this.from] = PERHAPS
  }

  isWanted(record: number): boolean {
    return this.#flags[record - this.from] === PERHAPS
  }

  find(record: number): void {
    this.#flags[record - this.from] = YES
  }

  isFound(record: number): boolean {
    return this.#flags[record - this.from] === YES
  }

  get isAnyWanted(): boolean {
    return this.#flags.includes(PERHAPS)
  }
}

/** What is looked for. */
export interface Probe {
  /**
   * Whether the index alone rules an event out (`no`), tells that it is one (`yes`), or does not
   * tell.
   */
  judge(position: number): 'no' | 'yes' | 'perhaps'
  /** Calls `marks.find` for each wanted record of the pages that is one. */
  find(pages: readonly LoadedPage[], marks: Marks): void
}

export class Scan {
  /** Positions that were found, in ascending order. */
  readonly found: NumberList = new NumberList(Uint32Array)
  readonly #index: EventIndex
  readonly #reader: RecordReader
  readonly #probe: Probe
  readonly #onFound: (position: number) => void
  /** The next position that is looked at. */
  at: number

  constructor(
    place: { index: EventIndex; reader: RecordReader },
    probe: Probe,
    from = 0,
    onFound: (position: number) => void = () => undefined
  ) {
    this.#index = place.index
    this.#reader = place.reader
    this.#probe = probe
    this.#onFound = onFound
    this.at = from
  }

  /**
   * Looks at the next events, none from position `end` on.
   *
   * @throws what the probe throws
   */
  async step(end: number): Promise<void> {
    const from = this.at
    const to = Math.min(end, from + WINDOW)
    const marks = this.#index.tables.map((_, source) => {
      return new Marks(this.#index.rank(source, from), this.#index.rank(source, to))
    })
    this.#judge(from, to, marks)
    for (const [source, marked] of marks.entries()) {
      if (!marked.isAnyWanted) continue
      for await (const pages of this.#reader.pages(source, marked.from, marked.to)) this.#probe.find(pages, marked)
    }
    this.#eachRecord(from, to, marks, (position, marked, record) => {
      if (!marked.isFound(record)) return
      this.found.push(position)
      this.#onFound(position)
    })
    this.at = to
  }

  #judge(from: number, to: number, marks: readonly Marks[]): void {
    this.#eachRecord(from, to, marks, (position, marked, record) => {
      const judgement = this.#probe.judge(position)
      if (judgement === 'yes') marked.find(record)
      else if (judgement === 'perhaps') marked.want(record)
    })
  }

  #eachRecord(
    from: number,
    to: number,
    marks: readonly Marks[],
    use: (position: number, marked: Marks, record: number) => void
  ): void {
    const next = marks.map(marked => marked.from)
    for (let position = from; position < to; position++) {
      const source = this.#index.sourceAt(position)
      use(position, marks[source]!, next[source]!++)
    }
  }
}
