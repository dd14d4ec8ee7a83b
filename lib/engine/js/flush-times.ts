import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { FlushMetrics } from '../../types'

const NS_PER_MS = 1e6

/** Durations of flushes; percentiles from an HDR histogram of two significant digits, which is within 1 %. */
export class FlushTimes {
  readonly #histogram: RecordableHistogram = createHistogram({ figures: 2 })

  record(milliseconds: number): void {
    this.#histogram.record(Math.max(1, Math.round(milliseconds * NS_PER_MS)))
  }

  metrics(): Omit<FlushMetrics, 'lastError'> {
    const { count, mean, max } = this.#histogram
    if (count === 0) return { count, avgFlushDurationMs: 0, maxFlushDurationMs: 0, p50: 0, p90: 0, p99: 0, p999: 0 }
    const percentile = (p: number): number => this.#histogram.percentile(p) / NS_PER_MS
    return {
      count,
      avgFlushDurationMs: mean / NS_PER_MS,
      maxFlushDurationMs: max / NS_PER_MS,
      p50: percentile(50),
      p90: percentile(90),
      p99: percentile(99),
      p999: percentile(99.9)
    }
  }
}
