/** What the JavaScript engine counts; docs in `StatsSnapshot`. */
export class Counters {
  totalLogs = 0
  droppedLogs = 0
  oversizedLogs = 0
  emptyLogs = 0
  blockedLogs = 0
  bytesWritten = 0
  payloadBytes = 0
  writtenLogs = 0
  flushes = 0
  flushErrors = 0
  setSwaps = 0
  reopens = 0
  readonly writesOfShard: number[]

  constructor(numShards: number) {
    this.writesOfShard = new Array<number>(numShards).fill(0)
  }

  /** Counts an entry that was not accepted. Returns false, what the log call returns. */
  drop(): false {
    this.droppedLogs++
    return false
  }
}
