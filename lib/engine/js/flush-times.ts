import type { FlushMetrics } from '../../types'
import type { Counters } from './counters'

const NS_PER_MS = 1e6
const SHARES = [0.5, 0.9, 0.99, 0.999]

/** Durations of flushes, of all threads that have the log open. */
export class FlushTimes {
  constructor(private readonly counters: Counters) {}

  record(milliseconds: number): void {
    this.counters.countDuration(Math.max(1, Math.round(milliseconds * NS_PER_MS)))
  }

  metrics(): Omit<FlushMetrics, 'lastError'> {
    const { count, mean, max, below } = this.counters.durations(SHARES)
    const [p50, p90, p99, p999] = below.map(duration => duration / NS_PER_MS) as [number, number, number, number]
    return { count, avgFlushDurationMs: mean / NS_PER_MS, maxFlushDurationMs: max / NS_PER_MS, p50, p90, p99, p999 }
  }
}
