import { splitLines } from './lines'
import type { OpenOptions } from './open-scanner'
import { openSource } from './open-source'
import { scanSource } from './scan-files'
import type { BlockItem, ScanItem } from './types'

/** A generation larger than this is not sorted as a whole, so that memory stays bounded. */
const MAX_HELD_BYTES = 128 * 1024 * 1024

/** Lines are put together to batches of so many. */
const BATCH_LINES = 1000

function timeOf(item: ScanItem): bigint | undefined {
  if (item.kind === 'lines') return item.time
  return item.kind === 'block' ? item.info.firstTime : undefined
}

/** Sorts by the time of lines, or at which blocks were begun; what has no time stays behind what stood before it. */
export function sortByTime(items: readonly ScanItem[]): ScanItem[] {
  let last = 0n
  const timed = items.flatMap(single).map(item => {
    last = timeOf(item) ?? last
    return { item, time: last }
  })
  timed.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0))
  return timed.map(({ item }) => item)
}

const single = (item: ScanItem): ScanItem[] => (item.kind === 'lines' ? splitLines(item) : [item])

function sameGeneration(a: BlockItem, b: BlockItem): boolean {
  return a.info.stream === b.info.stream && a.info.generation === b.info.generation
}

/**
 * One log's items in time order. Lines come one by one as they stand: whoever wrote them has put them in order. Of blocks only those
 * of one generation overlap in time, and they stand together, so each generation is sorted by itself.
 */
async function* inTimeOrder(batches: AsyncIterable<ScanItem[]>): AsyncGenerator<ScanItem, void> {
  let held: ScanItem[] = []
  let bytes = 0
  let current: BlockItem | null = null
  for await (const items of batches) {
    for (const item of items.flatMap(single)) {
      if (item.kind !== 'block' && held.length === 0) {
        yield item
        continue
      }
      if (item.kind === 'block') {
        if (current && (!sameGeneration(current, item) || bytes > MAX_HELD_BYTES)) {
          yield* sortByTime(held)
          held = []
          bytes = 0
        }
        current = item
        bytes += item.info.valid
      }
      held.push(item)
    }
  }
  yield* sortByTime(held)
}

interface Head {
  item: ScanItem
  time: bigint
  rest: AsyncGenerator<ScanItem, void>
}

async function advance(rest: AsyncGenerator<ScanItem, void>, time: bigint): Promise<Head | null> {
  const step = await rest.next()
  if (step.done) return null
  const own = timeOf(step.value)
  return { item: step.value, time: own !== undefined && own > time ? own : time, rest }
}

async function* merged(paths: readonly string[], options: OpenOptions): AsyncGenerator<ScanItem, void> {
  let heads: Head[] = []
  const open: AsyncGenerator<ScanItem, void>[] = []
  try {
    for (const path of paths) {
      const rest = inTimeOrder(scanSource(await openSource(path), options))
      open.push(rest)
      const head = await advance(rest, 0n)
      if (head) heads.push(head)
    }
    while (heads.length > 0) {
      const first = heads.reduce((best, head) => (head.time < best.time ? head : best))
      yield first.item
      const next = await advance(first.rest, first.time)
      heads = next ? heads.map(head => (head === first ? next : head)) : heads.filter(head => head !== first)
    }
  } finally {
    for (const rest of open) await rest.return()
  }
}

/** Several logs merged by the time of lines, or at which blocks were begun: blocks one by one, lines in batches. */
export async function* scanByTime(paths: readonly string[], options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  let lines: ScanItem[] = []
  for await (const item of merged(paths, options)) {
    const isLine = item.kind === 'lines'
    if (lines.length >= BATCH_LINES || (!isLine && lines.length > 0)) {
      yield lines
      lines = []
    }
    if (isLine) lines.push(item)
    else yield [item]
  }
  if (lines.length > 0) yield lines
}
