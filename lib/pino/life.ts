/** What a logger says of its destination, and does with it: counters, flushing, closing. */

import { featuresSym } from '../features/symbols'
import type { StatsSnapshot } from '../types'
import { isStandard } from './destination'
import type { Internals, Stream } from './internals'
import { streamSym } from './symbols'

interface Counting {
  getStatsSnapshot?: () => StatsSnapshot
  streams?: unknown
}

interface Ending extends Stream {
  end?: (callback?: () => void) => unknown
  once?: (event: string, listener: (value?: unknown) => void) => unknown
  destroyed?: boolean
  ended?: boolean
}

function countersOf(stream: unknown): StatsSnapshot[] {
  const { getStatsSnapshot, streams } = stream as Counting
  if (typeof getStatsSnapshot === 'function') return [getStatsSnapshot.call(stream)]
  return Array.isArray(streams) ? streams.flatMap(entry => countersOf((entry as { stream: object }).stream)) : []
}

/** The counters of several destinations as one's: numbers are added up, the rest is the first one's. */
function sum(all: readonly StatsSnapshot[]): StatsSnapshot | null {
  const [first, ...others] = all
  if (first === undefined) return null
  const total = { ...first } as unknown as Record<string, unknown>
  for (const [name, value] of Object.entries(first)) {
    if (typeof value !== 'number' || name === 'ioAlignment') continue
    total[name] = others.reduce((so, stats) => so + ((stats as unknown as Record<string, number>)[name] ?? 0), value)
  }
  return total as unknown as StatsSnapshot
}

/** The counters of the logger's destination, of several added up; null if it has none, as pino's streams. */
export function getStatsSnapshot(this: Internals): StatsSnapshot | null {
  return sum(countersOf(this[streamSym]))
}

/** Writes what was logged so far before it returns, where the destination can. */
export function flushSync(this: Internals): void {
  this[featuresSym]?.deduplicator?.finish()
  this[streamSym].flushSync?.()
}

function ended(stream: Ending): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = stream.end
    if (typeof end !== 'function' || stream.destroyed || stream.ended) {
      resolve()
      return
    }
    stream.once?.('close', () => resolve())
    stream.once?.('error', reject)
    end.call(stream)
    if (typeof stream.once !== 'function') resolve()
  })
}

/** Of standard output, or a multistream: what goes on, or says nothing of its end. */
async function flushed(logger: Internals): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    logger.flush(error => (error ? reject(error) : resolve()))
  })
}

/**
 * Writes what was logged so far, and ends the destination: later lines of all its loggers are dropped. Standard output, which all loggers without a
 * destination share, is flushed only.
 */
export async function close(this: Internals): Promise<void> {
  const stream = this[streamSym] as Ending
  this[featuresSym]?.deduplicator?.finish()
  if (isStandard(stream) || (stream as unknown) === process.stdout || (stream as unknown) === process.stderr) {
    await flushed(this)
    return
  }
  const { streams } = stream as { streams?: { stream: Ending }[] }
  if (Array.isArray(streams)) await Promise.all(streams.map(entry => ended(entry.stream)))
  else await ended(stream)
}
