/**
 * The events of a flight recorder as lines, those that are there and those that come. Its file is
 * read from outside: the process does not notice.
 */

import { setTimeout } from 'node:timers/promises'
import type { ShardlogError } from '../errors'
import { type BlockInfo, Entry } from '../reader/items'
import { type Arena, isRing, readArenaCounts, readArenaFile, startOf } from '../recorder/arena'
import type { RecordedEvent } from '../recorder/decode'
import { readEvents, type Watermark } from '../recorder/snapshot'
import type { Source, ViewedEvent } from './events'
import { plural, say } from './terminal'

/** As long a new event may go unnoticed. */
const POLL_MS = 100
const NS_PER_MS = 1e6

/** Whether a file is a recorder's. */
export function isRecorder(file: string): boolean {
  try {
    return isRing(startOf(file))
  } catch {
    // Whoever reads it tells why not.
    return false
  }
}

/** Names of levels and their numbers, as a recorder's process has told them. */
export const levelsOf = (file: string): Readonly<Record<string, number>> => readArenaCounts(file).about.levels

/** The line that a logger writes of an event. */
function lineOf({ time, level, target, message, fields }: RecordedEvent, levels: Source['levels']): string {
  const number = levels[level] ?? Number(level)
  const line = {
    ...(level === '' ? {} : { level: Number.isNaN(number) ? level : number }),
    time: Number(time) / NS_PER_MS,
    ...(target === '' ? {} : { name: target }),
    ...fields,
    msg: message
  }
  return `${JSON.stringify(line, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}\n`
}

function entryOf(event: ViewedEvent): Entry {
  const { file: path, levels } = event.source
  const bytes = Buffer.from(lineOf(event, levels))
  const block: BlockInfo = {
    path,
    offset: 0,
    source: 'arena',
    valid: bytes.length,
    entries: 1,
    hasTrailer: false,
    recovered: false,
    firstTime: event.time
  }
  return new Entry(block, bytes, 0, bytes.length, 0)
}

/** Tells what has come since it was last asked. */
export class RecorderFollower {
  #watermark: Watermark = new Map()
  #source: Source | null = null
  #created = 0n
  #recorded = -1

  constructor(readonly file: string) {}

  /**
   * Events that were not told before, in the order of time.
   *
   * @throws ShardlogError `ERR_SHARDLOG_IO`, `ERR_SHARDLOG_CORRUPT`
   */
  next(): ViewedEvent[] {
    // The counters alone are some hundred KiB, and mostly as they were.
    const { recorded, created } = readArenaCounts(this.file)
    if (recorded === this.#recorded && created === this.#created) return []
    const arena = readArenaFile(this.file)
    const isNew = arena.created !== this.#created || this.#source?.pid !== arena.pid
    if (isNew) this.#begin(arena)
    const steps = readEvents({ arena, minAge: 0, watermark: this.#watermark })
    let step = steps.next()
    while (!step.done) step = steps.next()
    const { events, counters } = step.value
    const lost = isNew ? 0 : counters.recorded - this.#recorded - events.length
    if (lost > 0) say(`${this.file}: ${plural(lost, 'event')} overwritten before anybody read them`)
    this.#recorded = Math.max(counters.recorded, arena.recorded)
    const source = this.#source as Source
    return events.map(event => ({ ...event, source }))
  }

  #begin({ about, pid, created }: Arena): void {
    const { service, hostname, levels } = about
    this.#watermark = new Map()
    this.#created = created
    this.#source = {
      file: this.file,
      kind: 'recorder',
      service,
      hostname,
      pid,
      reason: null,
      counters: null,
      levels,
      damaged: 0
    }
  }
}

export interface RecorderTail {
  follower: RecorderFollower
  filter: ((event: ViewedEvent) => boolean) | null
  print: (entries: readonly Entry[]) => Promise<void>
}

/** Prints the last events of those that pass. */
export async function printRecorderEnd({ follower, filter, print }: RecorderTail, lines: number): Promise<void> {
  const events = follower.next()
  const passing = filter === null ? events : events.filter(filter)
  await print(lines === 0 ? [] : passing.slice(-lines).map(entryOf))
}

/**
 * Prints the events that come, until the signal fires; over the ends of processes, whose recorders
 * take their files with them, and the starts of others.
 */
export async function followRecorder({ follower, filter, print }: RecorderTail, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const events = follower.next()
      await print((filter === null ? events : events.filter(filter)).map(entryOf))
    } catch (error) {
      if ((error as ShardlogError).errno !== 'ENOENT') throw error
    }
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => undefined) // It was aborted.
  }
}
