/** Events of several files as one series: snapshots, arenas of recorders, logs. */

import { readLog } from '../reader'
import { isRing, readArenaFile, startOf } from '../recorder/arena'
import { nanoseconds, type RecordedEvent } from '../recorder/decode'
import { LEVELS } from '../recorder/recorder'
import { isSnapshot, readEvents, readSnapshot, type SnapshotCounters } from '../recorder/snapshot'
import type { ViewEvent, ViewSource } from '../view/event'
import { sayDamage } from './terminal'

/** An event, and where it is from. */
export interface ViewedEvent extends ViewEvent {
  source: Source
}

export interface Source extends ViewSource {
  reason: string | null
  counters: SnapshotCounters | null
  /** Damage that was found so far. */
  damaged: number
}

export interface OpenSource {
  source: Source
  /** In the order of time; of a log, of its lines. */
  events: AsyncIterable<ViewedEvent> | Iterable<ViewedEvent>
}

function* from(source: Source, events: readonly RecordedEvent[]): Generator<ViewedEvent, void> {
  for (const event of events) yield { ...event, source }
}

function openSnapshot(file: string): OpenSource {
  const { service, hostname, pid, reason, counters, levels, events } = readSnapshot(file)
  const source: Source = {
    file,
    kind: 'snapshot',
    service,
    hostname,
    pid,
    reason,
    counters,
    levels,
    damaged: counters.damaged
  }
  return { source, events: from(source, events) }
}

function openArena(file: string): OpenSource {
  const arena = readArenaFile(file)
  const steps = readEvents({ arena, minAge: 0 })
  let step = steps.next()
  while (!step.done) step = steps.next()
  const { events, counters } = step.value
  const { service, hostname, levels } = arena.about
  const source: Source = {
    file,
    kind: 'recorder',
    service,
    hostname,
    pid: arena.pid,
    reason: null,
    counters,
    levels,
    damaged: counters.damaged
  }
  return { source, events: from(source, events) }
}

const LABELS = new Map(Object.entries(LEVELS).map(([label, number]) => [number, label]))
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function timeOf(time: unknown): bigint {
  if (typeof time === 'number') return nanoseconds(time)
  return typeof time === 'string' ? nanoseconds(Date.parse(time)) : 0n
}

/** A value that is to be text: of what is none, its JSON. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : JSON.stringify(value)
}

/**
 * What a line says; of one that is not JSON its text is the message.
 *
 * @param before the time of one that tells none
 */
export function eventOfLine<From extends ViewSource>(
  text: string,
  source: From,
  before: bigint
): ViewEvent & { source: From } {
  let line: unknown
  try {
    line = JSON.parse(text)
  } catch {
    line = null
  }
  if (!isObject(line)) return { time: before, level: '', target: '', message: text, thread: 0, fields: {}, source }
  const { level, time, name, msg, ...fields } = line
  return {
    time: time === undefined ? before : timeOf(time),
    level: LABELS.get(level as number) ?? textOf(level),
    target: textOf(name),
    message: textOf(msg),
    thread: 0,
    fields,
    source
  }
}

async function* linesOf(source: Source): AsyncGenerator<ViewedEvent, void> {
  // What has no time stays behind what stood before it.
  let before = 0n
  const onDamage = (damage: Parameters<typeof sayDamage>[0]): void => {
    source.damaged++
    sayDamage(damage)
  }
  for await (const entry of readLog(source.file, { onDamage })) {
    const text = entry.text.trimEnd()
    // A blank line is no record.
    if (text === '') continue
    const event = eventOfLine(text, source, before)
    before = event.time
    yield event
  }
}

/**
 * Opens a file, whichever of the three it is.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`, `ERR_SHARDLOG_CORRUPT`, `ERR_SHARDLOG_PACKAGE`
 */
export function openSource(file: string): OpenSource {
  const start = startOf(file)
  if (isSnapshot(start)) return openSnapshot(file)
  if (isRing(start)) return openArena(file)
  const source = logSource(file)
  return { source, events: linesOf(source) }
}

/** A log as a source. */
export function logSource(file: string): Source {
  return {
    file,
    kind: 'log',
    service: null,
    hostname: null,
    pid: null,
    reason: null,
    counters: null,
    levels: LEVELS,
    damaged: 0
  }
}

interface Cursor {
  event: ViewedEvent
  rest: AsyncIterator<ViewedEvent> | Iterator<ViewedEvent>
}

const iteratorOf = ({ events }: OpenSource): Cursor['rest'] =>
  Symbol.asyncIterator in events ? events[Symbol.asyncIterator]() : events[Symbol.iterator]()

/**
 * Events of all sources by their times; of equal ones, the first source's first. One of each is
 * held at a time.
 */
export async function* merged(sources: readonly OpenSource[]): AsyncGenerator<ViewedEvent, void> {
  const cursors: Cursor[] = []
  for (const source of sources) {
    const rest = iteratorOf(source)
    const first = await rest.next()
    if (!first.done) cursors.push({ event: first.value, rest })
  }
  while (cursors.length > 0) {
    let least = 0
    for (let i = 1; i < cursors.length; i++) if (cursors[i]!.event.time < cursors[least]!.event.time) least = i
    const cursor = cursors[least]!
    yield cursor.event
    const next = await cursor.rest.next()
    if (next.done) cursors.splice(least, 1)
    else cursor.event = next.value
  }
}
