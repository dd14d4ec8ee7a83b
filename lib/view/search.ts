/**
 * The matches of a search, which is made from where one stands, to the end, then from the start.
 */

import type { EventIndex } from './event-index'
import { Matcher } from './matcher'
import { SearchProbe } from './probes'
import type { RecordReader } from './records'
import { Scan } from './scan'

/** A position; `none`: there is nothing; `later`: as much is not known yet. */
export type Found = number | 'none' | 'later'

export class Search {
  readonly matcher: Matcher
  readonly #index: EventIndex
  readonly #origin: number
  /** From where the search was begun; and what comes before that. */
  readonly #behind: Scan
  readonly #before: Scan
  isStopped = false

  /** @throws SyntaxError of a pattern that is none */
  constructor(place: { index: EventIndex; reader: RecordReader }, text: string, origin: number) {
    this.matcher = new Matcher(text)
    this.#index = place.index
    this.#origin = origin
    const probe = new SearchProbe(this.matcher)
    this.#behind = new Scan(place, probe, origin)
    this.#before = new Scan(place, probe, 0)
  }

  get hasWork(): boolean {
    return !this.isStopped && (this.#behind.at < this.#index.length || this.#before.at < this.#origin)
  }

  /** Whether every event was looked at. */
  get isComplete(): boolean {
    return !this.hasWork && !this.isStopped && this.#index.isComplete
  }

  /** How much is looked at, from 0 to 1. */
  get progress(): number {
    const done = this.#behind.at - this.#origin + this.#before.at
    return this.#index.length === 0 ? 1 : done / this.#index.length
  }

  get count(): number {
    return this.#behind.found.length + this.#before.found.length
  }

  /** How many matches come before a position, and whether it is one. */
  rank(position: number): { before: number; isMatch: boolean } {
    const isBehind = position >= this.#origin
    const { found } = isBehind ? this.#behind : this.#before
    const at = found.countBelow(position)
    const isMatch = at < found.length && found.at(at) === position
    return { before: at + (isBehind ? this.#before.found.length : 0), isMatch }
  }

  /** @param isBackward whether what comes before is wanted first */
  async step(isBackward: boolean): Promise<void> {
    const isBeforeDone = this.#before.at >= this.#origin
    const isBehindDone = this.#behind.at >= this.#index.length
    if (!isBeforeDone && (isBackward || isBehindDone)) await this.#before.step(this.#origin)
    else await this.#behind.step(this.#index.length)
  }

  /** The first match from a position on, else, unless `isWrapped`, the first of all. */
  next(from: number, isWrapped = false): Found {
    if (from < this.#origin) {
      const found = firstFrom(this.#before, from, this.#origin)
      if (found !== 'none') return found
    }
    const found = firstFrom(this.#behind, Math.max(from, this.#origin), this.#index.length)
    if (found !== 'none') return found
    if (!this.#index.isComplete) return 'later'
    return isWrapped ? 'none' : this.next(0, true)
  }

  /** The last match before a position, else, unless `isWrapped`, the last of all. */
  previous(before: number, isWrapped = false): Found {
    if (before > this.#origin) {
      const found = lastBefore(this.#behind, before)
      if (found !== 'none') return found
    }
    const found = lastBefore(this.#before, Math.min(before, this.#origin))
    if (found !== 'none' || isWrapped) return found
    return this.#index.isComplete ? this.previous(this.#index.length, true) : 'later'
  }
}

function firstFrom({ found, at }: Scan, from: number, end: number): Found {
  const index = found.countBelow(from)
  if (index < found.length) return found.at(index)
  return at < end ? 'later' : 'none'
}

function lastBefore({ found, at }: Scan, before: number): Found {
  if (at < before) return 'later'
  const index = found.countBelow(before)
  return index === 0 ? 'none' : found.at(index - 1)
}
