/**
 * What the terminal program shows, apart from how: the events in order, which of them a filter
 * leaves, which one is selected, what is searched. It reads and searches in the background, and
 * answers at once with what is known.
 */

import { setImmediate } from '../timers'
import type { Clock } from './clock'
import { ERROR_CLASS, LEVEL_CLASSES, type LevelTable, type ViewEvent } from './event'
import { EventIndex } from './event-index'
import type { Feed } from './feeds'
import type { Column, Histogram } from './histogram'
import { Loader } from './loader'
import { type EventFilter, FilterProbe } from './probes'
import { RecordReader } from './records'
import { Scan } from './scan'
import { type Found, Search } from './search'

/** What a person is told; empty: nothing. */
export type Message = { text: string; isError: boolean }

interface ActiveFilter {
  probe: FilterProbe
  scan: Scan
  isLevelOnly: boolean
}

/** Where a jump goes to that has to wait for what is not known yet. */
interface Jump {
  what: 'match' | 'error'
  direction: 1 | -1
  from: number
}

export interface ViewerOptions {
  feeds: readonly Feed[]
  clock: Clock
  levels: LevelTable
  /** Called when there is something else to show. */
  onChange(): void
}

export class Viewer {
  readonly index: EventIndex
  readonly clock: Clock
  readonly #reader: RecordReader
  readonly #loader: Loader
  readonly #onChange: () => void
  #filter: ActiveFilter | null = null
  #search: Search | null = null
  /** Position of the selected event, or where it would be. */
  #selected = 0
  /** Whether the selection stays with the last event. */
  #sticks = false
  #jump: Jump | null = null
  #isStopped = false
  #wake: (() => void) | null = null
  message: Message = { text: '', isError: false }

  constructor({ feeds, clock, levels, onChange }: ViewerOptions) {
    this.clock = clock
    this.#onChange = onChange
    this.index = new EventIndex(feeds.length, levels)
    this.#reader = new RecordReader(this.index, clock, levels)
    this.#loader = new Loader(feeds, this.index, () => this.#progressed())
  }

  /**
   * Reads, filters and searches until `stop`.
   *
   * @throws what the files throw
   */
  async run(): Promise<void> {
    await Promise.all([this.#loader.run(), this.#work()])
  }

  stop(): void {
    this.#isStopped = true
    this.#loader.stop()
    this.#wake?.()
  }

  #progressed(): void {
    this.#wake?.()
    this.#tryJump()
    this.#onChange()
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      const worked = (await this.#filterStep()) || (await this.#searchStep())
      if (worked) {
        this.#tryJump()
        this.#onChange()
        await new Promise<void>(resolve => setImmediate(resolve))
      } else {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
        this.#wake = null
      }
    }
  }

  async #filterStep(): Promise<boolean> {
    const filter = this.#filter
    if (filter === null || filter.scan.at >= this.index.length) return false
    try {
      await filter.scan.step(this.index.length)
    } catch (error) {
      if (this.#filter === filter) this.#filter = null
      this.say((error as Error).message, true)
    }
    return true
  }

  async #searchStep(): Promise<boolean> {
    const search = this.#search
    if (search === null || !search.hasWork) return false
    try {
      await search.step(this.#jump?.what === 'match' && this.#jump.direction < 0)
    } catch (error) {
      if (this.#search === search) this.#search = null
      this.#jump = null
      this.say((error as Error).message, true)
    }
    return true
  }

  say(text: string, isError = false): void {
    this.message = { text, isError }
    this.#onChange()
  }

  // What is shown.

  /** Events that the filter leaves, as far as it has come. */
  get length(): number {
    return this.#filter === null ? this.index.length : this.#filter.scan.found.length
  }

  /** Whether all events are known that are to be shown. */
  get isComplete(): boolean {
    return this.index.isComplete && (this.#filter === null || this.#filter.scan.at >= this.index.length)
  }

  get isFiltered(): boolean {
    return this.#filter !== null
  }

  /** How much is read, and filtered, from 0 to 1; null where nobody can tell. */
  get readProgress(): number | null {
    return this.#loader.progress
  }

  get filterProgress(): number {
    return this.#filter === null || this.index.length === 0 ? 1 : this.#filter.scan.at / this.index.length
  }

  get search(): Search | null {
    return this.#search
  }

  #positionOf(row: number): number {
    return this.#filter === null ? row : this.#filter.scan.found.at(row)
  }

  /** The row of the first event shown from a position on. */
  #rowOf(position: number): number {
    return this.#filter === null ? position : this.#filter.scan.found.countBelow(position)
  }

  /** Row of the selected event; -1 if there is none. */
  get selected(): number {
    const last = this.length - 1
    return this.#sticks ? last : Math.min(this.#rowOf(this.#selected), last)
  }

  /** Events of rows, from `from` on. */
  async rows(from: number, count: number): Promise<ViewEvent[]> {
    const events: ViewEvent[] = []
    for (let row = Math.max(0, from); row < Math.min(this.length, from + count); row++) {
      events.push(await this.#reader.event(this.#positionOf(row)))
    }
    return events
  }

  /** The bars of what is shown. */
  columns(most: number): Column[] {
    const filter = this.#filter
    const columns = this.#histogram.columns(most)
    if (filter === null || !filter.isLevelOnly) return columns
    const { levelTable } = this.index
    const shown = LEVEL_CLASSES.map(() => false)
    for (let id = 0; id < levelTable.length; id++) if (filter.probe.passesId(id)) shown[levelTable.classOf(id)] = true
    return columns.map(column => ({ ...column, counts: column.counts.map((n, i) => (shown[i] ? n : 0)) }))
  }

  get #histogram(): Histogram {
    return this.#filter?.probe.histogram ?? this.index.histogram
  }

  /** Ticks of the first and the last event shown; null without any that has a time. */
  get range(): { first: number; last: number } | null {
    return this.#histogram.range
  }

  // Moving.

  /** Selects a row; the nearest there is. */
  select(row: number): void {
    this.#jump = null
    this.#sticks = false
    if (this.length === 0) return
    this.#selected = this.#positionOf(Math.max(0, Math.min(row, this.length - 1)))
    if (row >= this.length - 1 && this.isFollowing) this.#sticks = true
  }

  move(rows: number): void {
    this.select(this.selected + rows)
  }

  /** Selects the last event, also when there are more. */
  selectLast(): void {
    this.select(this.length - 1)
    this.#sticks = this.isFollowing || !this.isComplete
  }

  get isFollowing(): boolean {
    return this.#loader.isFollowing
  }

  /** Looks for what is new, or no longer. */
  follow(isOn: boolean): void {
    this.#loader.isFollowing = isOn
    if (isOn) this.selectLast()
    else this.select(this.selected)
  }

  /** Selects the first event shown of that time or later. */
  async selectTime(ticks: number): Promise<void> {
    let position = this.index.blockOf(ticks)
    const ns = this.clock.nsOf(ticks)
    while (position < this.index.length && (await this.#reader.event(position)).time < ns) position++
    if (position < this.index.length) this.select(this.#rowOf(position))
    else this.selectLast()
  }

  // Filter and search.

  /** Shows what passes; null: everything. What is selected stays so, if it is shown. */
  setFilter(filter: EventFilter | null): void {
    this.select(this.selected)
    this.#sticks = false
    if (filter === null) {
      this.#filter = null
    } else {
      const place = { index: this.index, reader: this.#reader, clock: this.clock }
      const probe = new FilterProbe(place, filter)
      this.#filter = { probe, scan: new Scan(place, probe), isLevelOnly: filter.isLevelOnly }
    }
    this.#wake?.()
    this.#onChange()
  }

  /**
   * Searches from the selected event on, and selects the first match.
   *
   * @throws SyntaxError of a pattern that is none
   */
  setSearch(text: string): void {
    if (text === '') {
      this.#search = null
      this.#jump = null
    } else {
      this.#search = new Search({ index: this.index, reader: this.#reader }, text, this.selectedPosition)
      this.#jump = { what: 'match', direction: 1, from: this.selectedPosition }
      this.#tryJump()
    }
    this.#wake?.()
    this.#onChange()
  }

  /** Position of the selected event in the index. */
  get selectedPosition(): number {
    return this.selected < 0 ? 0 : this.#positionOf(this.selected)
  }

  /** Gives up what is searched or waited for; whether there was anything. */
  cancel(): boolean {
    const was = this.#jump !== null || this.#search?.hasWork === true
    this.#jump = null
    if (this.#search !== null) this.#search.isStopped = true
    return was
  }

  /** Selects the next match or error, or the one before. */
  jump(what: Jump['what'], direction: Jump['direction']): void {
    if (what === 'match' && this.#search === null) {
      this.say('nothing was searched for yet: /', true)
      return
    }
    if (what === 'match') this.#search!.isStopped = false
    this.#jump = { what, direction, from: direction > 0 ? this.selectedPosition + 1 : this.selectedPosition }
    this.#wake?.()
    this.#tryJump()
    this.#onChange()
  }

  /** Whether a jump waits for what is not known yet. */
  get isWaiting(): boolean {
    return this.#jump !== null
  }

  #tryJump(): void {
    const jump = this.#jump
    if (jump === null) return
    const found = jump.what === 'error' ? this.#findError(jump) : this.#findMatch(jump)
    if (found === 'later') return
    this.#jump = null
    if (found === 'none') {
      const what = jump.what === 'match' ? `'${this.#search?.matcher.text ?? ''}' is in no event that is shown` : ''
      this.message = { text: what || `no ${jump.direction > 0 ? 'further' : 'earlier'} error`, isError: true }
      return
    }
    this.#sticks = false
    this.#selected = found
  }

  #findError(jump: Jump): Found {
    const { levelTable } = this.index
    let row = this.#rowOf(jump.from) - (jump.direction < 0 ? 1 : 0)
    for (; row >= 0 && row < this.length; row += jump.direction) {
      const position = this.#positionOf(row)
      if (levelTable.classOf(this.index.levelAt(position)) >= ERROR_CLASS) return position
    }
    if (row < 0 || this.isComplete) return 'none'
    // What was looked at need not be again.
    if (this.length > 0) jump.from = this.#positionOf(this.length - 1) + 1
    return 'later'
  }

  /** The next match that the filter leaves: of two ascending lists, in turn the next of each. */
  #findMatch(jump: Jump): Found {
    const search = this.#search
    if (search === null) return 'none'
    const isForward = jump.direction > 0
    for (let turns = 0; turns < 2; ) {
      const found = isForward ? search.next(jump.from) : search.previous(jump.from)
      if (typeof found !== 'number' || this.#filter === null) return found
      if (found >= this.#filter.scan.at) return 'later'
      if (isForward ? found < jump.from : found >= jump.from) turns++
      const row = this.#rowOf(found)
      if (row < this.length && this.#positionOf(row) === found) return found
      const next = isForward ? row : row - 1
      if (next >= 0 && next < this.length) {
        jump.from = this.#positionOf(next) + (isForward ? 0 : 1)
      } else {
        if (!this.isComplete) return 'later'
        turns++
        jump.from = isForward ? 0 : this.index.length
      }
    }
    return 'none'
  }
}
