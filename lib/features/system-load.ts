/** The option `sampling.load`: less is kept while the process is busy, or the buffers are filling up. */

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks'
import type { LoadOptions } from './options'

export interface LoadStats {
  /** Mean delay of the event loop in the last part of the window, in ms. */
  eventLoopDelay: number
  /** Use of the fullest buffer of the destination, 0 to 100. */
  bufferUse: number
  /** What of the target rate is kept for it, up to 1. */
  factor: number
}

/** What of a destination is looked at. */
interface Buffered {
  getShardStats?: () => { utilizationPct: number }[]
}

const RESOLUTION_MS = 20
const NS_PER_MS = 1e6
const FULL = 100
/** However busy: what is kept at the least. */
const LEAST = 0.1

export class SystemLoad {
  readonly #limits: Required<LoadOptions>
  readonly #stream: Buffered
  readonly #delays: IntervalHistogram
  #stats: LoadStats = { eventLoopDelay: 0, bufferUse: 0, factor: 1 }

  constructor(limits: Required<LoadOptions>, stream: object) {
    this.#limits = limits
    this.#stream = stream
    this.#delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
    this.#delays.enable()
  }

  /** Looks again; what of the target rate is to be kept from now on. */
  measure(): number {
    const eventLoopDelay = this.#delay()
    const bufferUse = this.#bufferUse()
    const { eventLoopDelay: mostDelay, bufferUse: mostUse } = this.#limits
    const byDelay = eventLoopDelay <= mostDelay ? 1 : mostDelay / eventLoopDelay
    const byUse = bufferUse <= mostUse ? 1 : (FULL - bufferUse) / (FULL - mostUse)
    const factor = Math.max(LEAST, Math.min(byDelay, byUse))
    this.#stats = { eventLoopDelay, bufferUse, factor }
    return factor
  }

  #delay(): number {
    const { mean } = this.#delays
    this.#delays.reset()
    return Number.isFinite(mean) ? Math.max(0, mean / NS_PER_MS - RESOLUTION_MS) : 0
  }

  #bufferUse(): number {
    const shards = this.#stream.getShardStats?.() ?? []
    return shards.reduce((most, { utilizationPct }) => Math.max(most, utilizationPct), 0)
  }

  stats(): LoadStats {
    return this.#stats
  }
}
