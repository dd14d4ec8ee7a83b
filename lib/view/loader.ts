/** Brings the events of feeds into an index: all there are, by time, then what is new. */

import { clearTimeout, setImmediate, setTimeout } from '../timers'
import type { EventIndex } from './event-index'
import type { Feed } from './feeds'
import type { Batch } from './page'

/** How long what is new may go unnoticed. */
const POLL_MS = 100

interface Head {
  source: number
  batch: Batch
  at: number
}

export class Loader {
  /** Whether what is new is looked for once all is read. */
  isFollowing = false
  #isStopped = false
  #wake: (() => void) | null = null
  readonly #feeds: readonly Feed[]
  readonly #index: EventIndex
  readonly #onProgress: () => void

  /** @param onProgress called whenever there is more in the index */
  constructor(feeds: readonly Feed[], index: EventIndex, onProgress: () => void) {
    this.#feeds = feeds
    this.#index = index
    this.#onProgress = onProgress
  }

  /**
   * Reads until `stop`.
   *
   * @throws what the feeds throw
   */
  async run(): Promise<void> {
    await this.#readAll()
    this.#index.isComplete = true
    this.#onProgress()
    while (!this.#isStopped) {
      const isMore = this.isFollowing && (await this.#readNew())
      if (isMore) this.#onProgress()
      if (!this.#isStopped) await this.#pause(isMore ? 0 : POLL_MS)
    }
  }

  /** How much is read, from 0 to 1; null where nobody can tell. */
  get progress(): number | null {
    let sum = 0
    for (const { progress } of this.#feeds) {
      if (progress === null) return null
      sum += progress
    }
    return sum / this.#feeds.length
  }

  stop(): void {
    this.#isStopped = true
    this.#wake?.()
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      if (ms === 0) {
        setImmediate(resolve)
        return
      }
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async #headOf(source: number): Promise<Head | null> {
    const batch = await this.#feeds[source]!.next()
    if (batch === null) return null
    this.#index.addPages(source, batch)
    return { source, batch, at: 0 }
  }

  async #readAll(): Promise<void> {
    let heads: Head[] = []
    for (let source = 0; source < this.#feeds.length; source++) {
      const head = await this.#headOf(source)
      if (head !== null) heads.push(head)
    }
    while (heads.length > 0 && !this.#isStopped) {
      const head = leastOf(heads)
      this.#take(head, heads)
      if (head.at < head.batch.count) continue
      this.#onProgress()
      // Keys are looked at between two batches.
      await this.#pause(0)
      const next = await this.#headOf(head.source)
      if (next === null) heads = heads.filter(other => other !== head)
      else Object.assign(head, next)
    }
  }

  /**
   * Takes all events of a head that come before those of the others; of equal times, the first
   * file's first.
   */
  #take(head: Head, heads: readonly Head[]): void {
    const { batch, source, at } = head
    let to = at
    if (heads.length === 1) to = batch.count
    else {
      let limit = Number.POSITIVE_INFINITY
      let limitSource = Number.POSITIVE_INFINITY
      for (const other of heads) {
        if (other === head) continue
        const time = other.batch.times[other.at]!
        if (time < limit || (time === limit && other.source < limitSource)) {
          limit = time
          limitSource = other.source
        }
      }
      const isFirst = source < limitSource
      do to++
      while (to < batch.count && (batch.times[to]! < limit || (isFirst && batch.times[to] === limit)))
    }
    this.#index.append(source, batch, at, to)
    head.at = to
  }

  /** What is new in each file; whether there is anything. */
  async #readNew(): Promise<boolean> {
    let heads: Head[] = []
    for (const [source, feed] of this.#feeds.entries()) {
      const head = feed.canFollow ? await this.#headOf(source) : null
      if (head !== null) heads.push(head)
    }
    if (heads.length === 0) return false
    while (heads.length > 0) {
      const head = leastOf(heads)
      this.#take(head, heads)
      if (head.at === head.batch.count) heads = heads.filter(other => other !== head)
    }
    return true
  }
}

function leastOf(heads: readonly Head[]): Head {
  let least = heads[0]!
  for (const head of heads) if (head.batch.times[head.at]! < least.batch.times[least.at]!) least = head
  return least
}
