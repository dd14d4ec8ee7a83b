import { COUNTS, type Count, SharedStatistics } from './shared-statistics'

const PLACES = Object.fromEntries(COUNTS.map((name, place) => [name, place])) as Record<Count, number>
const { totalLogs: TOTAL, droppedLogs: DROPPED } = PLACES

/** What the JavaScript engine counts of a log, over all threads that have it open; docs in `StatsSnapshot`. */
export class Counters extends SharedStatistics {
  /** Counts a log call. */
  call(): void {
    this.count(TOTAL, 1n)
  }

  /** Counts an entry that was not accepted. Returns false, what the log call returns. */
  drop(): false {
    this.count(DROPPED, 1n)
    return false
  }

  add(name: Count, more = 1): void {
    if (more > 0) this.count(PLACES[name], BigInt(more))
  }
}
