/** What scans look for: events that pass a filter, and those that hold a text. */

import { type Clock, NO_TIME } from './clock'
import { type LevelTable, OTHER_LEVEL, type ViewEvent, type ViewSource } from './event'
import type { EventIndex } from './event-index'
import { Histogram } from './histogram'
import { Hint, type Matcher } from './matcher'
import type { LoadedPage, RecordReader } from './records'
import type { Marks, Probe } from './scan'
import { withinTime } from './within-time'

/** Which events are shown. */
export interface EventFilter {
  passes(event: ViewEvent): boolean
  /** Whether events of a level can pass. */
  passesLevel(level: string, source: ViewSource): boolean
  /** ns since the Unix epoch; null: no limit. */
  since: bigint | null
  until: bigint | null
  /** Whether the level is all that it asks. */
  isLevelOnly: boolean
  /** Whether regular expressions are in it. */
  hasPattern: boolean
  /** Values that the text of each event that passes has in it, as they are or escaped. */
  values: readonly string[]
}

/** Calls `use` for each wanted record of some pages that may hold what all hints are of. */
function eachWanted(
  pages: readonly LoadedPage[],
  marks: Marks,
  hints: readonly Hint[],
  use: (page: LoadedPage, i: number) => void
): void {
  for (const page of pages) {
    const { start } = page
    const bytes = hints.length === 0 ? '' : page.data.toString('latin1', start, page.end)
    for (const hint of hints) hint.begin(bytes)
    const mayHold = (from: number, to: number): boolean => hints.every(hint => hint.mayHold(from - start, to - start))
    if (!mayHold(start, page.end)) continue
    const { starts, ends } = page.extent
    const from = Math.max(marks.from, page.first)
    const to = Math.min(marks.to, page.first + page.page.count)
    for (let record = from; record < to; record++) {
      const i = record - page.first
      if (marks.isWanted(record) && i < starts.length && mayHold(starts[i]!, ends[i]!)) use(page, i)
    }
  }
}

export class FilterProbe implements Probe {
  /** Of the events that passed; null: their levels tell it. */
  readonly histogram: Histogram | null
  readonly #filter: EventFilter
  readonly #index: EventIndex
  readonly #reader: RecordReader
  readonly #clock: Clock
  /** By the level's id. */
  readonly #passesLevel: boolean[] = []
  readonly #hints: readonly Hint[]

  constructor(place: { index: EventIndex; reader: RecordReader; clock: Clock }, filter: EventFilter) {
    this.#filter = filter
    this.#index = place.index
    this.#reader = place.reader
    this.#clock = place.clock
    this.#hints = filter.values.map(value => Hint.ofValue(value))
    this.histogram = filter.isLevelOnly ? null : new Histogram()
  }

  get #levels(): LevelTable {
    return this.#index.levelTable
  }

  passesId(id: number): boolean {
    const level = this.#levels.level(id)
    if (level === undefined) return true
    this.#passesLevel[id] ??= this.#filter.passesLevel(level.name, level.source)
    return this.#passesLevel[id]
  }

  judge(position: number): 'no' | 'yes' | 'perhaps' {
    const id = this.#index.levelAt(position)
    if (!this.passesId(id)) return 'no'
    const { since, until, isLevelOnly } = this.#filter
    if (isLevelOnly && id !== OTHER_LEVEL) return 'yes'
    if (since === null && until === null) return 'perhaps'
    const { earliest, latest } = this.#index.timesAround(position)
    const isEarly = since !== null && (latest === NO_TIME ? since > 0n : this.#clock.nsOf(latest) < since)
    const isLate = until !== null && earliest !== NO_TIME && this.#clock.nsOf(earliest) >= until
    return isEarly || isLate ? 'no' : 'perhaps'
  }

  find(pages: readonly LoadedPage[], marks: Marks): void {
    const look = () => {
      eachWanted(pages, marks, this.#hints, (page, i) => {
        const event = page.volume.decode(page.text(i), this.#reader.timeBefore(page, i))
        if (!this.#filter.passes(event)) return
        marks.find(page.first + i)
        this.histogram?.add(this.#clock.ticksOf(event.time), this.#levels.classOf(this.#idOf(event)))
      })
    }
    if (this.#filter.hasPattern) withinTime(look, 'the pattern of the filter')
    else look()
  }

  #idOf({ level, source }: ViewEvent): number {
    return this.#levels.idOf(level, source)
  }
}

/** The part of a line that `encodeEvent` made which a person sees: all but its time and thread. */
const shownPart = (line: string): string => line.slice(line.indexOf(',', line.indexOf(',') + 1) + 1)

export class SearchProbe implements Probe {
  readonly #matcher: Matcher

  constructor(matcher: Matcher) {
    this.#matcher = matcher
  }

  judge(): 'perhaps' {
    return 'perhaps'
  }

  find(pages: readonly LoadedPage[], marks: Marks): void {
    if (this.#matcher.isPattern) withinTime(() => this.#find(pages, marks), `the pattern ${this.#matcher.text}`)
    else this.#find(pages, marks)
  }

  #find(pages: readonly LoadedPage[], marks: Marks): void {
    const { hint } = this.#matcher
    eachWanted(pages, marks, hint === null ? [] : [hint], (page, i) => {
      const text = page.text(i)
      if (this.#matcher.matches(page.volume.isLog ? text : shownPart(text))) marks.find(page.first + i)
    })
  }
}
