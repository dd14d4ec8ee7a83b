/** Files that `shardlog query` is given, as it takes them. */

import fs from 'node:fs'
import type { LogPlace } from '../arena/locate'
import type { QueryEvent, QueryInput } from '../query/input'
import type { ScanItem } from '../reader/items'
import { hasArena } from '../reader/log-place'
import { isArena, openLog, sourceFormat } from '../reader/open-log'
import { FileSource } from '../reader/source'
import { inputLog, scanInput } from './command'
import { eventOfLine, logSource, openSource, type Source, type ViewedEvent } from './events'
import { sayDamage, sayUnread } from './terminal'

/** What was found of damage, in all inputs. */
export interface Found {
  damaged: number
}

function levelValue(level: string, levels: Readonly<Record<string, number>>): number | null {
  const number = levels[level] ?? Number(level)
  return level !== '' && Number.isInteger(number) ? number : null
}

const textOrNull = (text: string): string | null => (text === '' ? null : text)

function eventOf(event: ViewedEvent, levels: Readonly<Record<string, number>>, about: object): QueryEvent {
  const { time, level, target, message, fields } = event
  return {
    time: time > 0n ? time : null,
    level: textOrNull(level),
    levelValue: levelValue(level, levels),
    name: textOrNull(target),
    msg: textOrNull(message),
    about: about as QueryEvent['about'],
    fields
  }
}

function* recorded(source: Source, events: Iterable<ViewedEvent>): Generator<QueryEvent, void> {
  const { service, hostname, pid } = source
  for (const event of events) yield eventOf(event, source.levels, { service, hostname, pid, thread: event.thread })
}

/** Whether a log is lines in a file, and nothing else. */
async function isPlain(log: LogPlace): Promise<boolean> {
  if (hasArena(log) || !fs.statSync(log.path, { throwIfNoEntry: false })?.isFile()) return false
  const source = await openLog(log)
  if (source === null) return false
  try {
    if (!(source instanceof FileSource) || (await isArena(source))) return false
    const format = await sourceFormat(source)
    return format === 'ndjson' || (format === null && (await source.size()) === 0)
  } finally {
    await source.close()
  }
}

/** Batches of a log; its damage is told. */
async function* scan(log: LogPlace, found: Found): AsyncGenerator<ScanItem[], void> {
  for await (const items of scanInput(log, { reuse: true })) {
    for (const item of items) {
      if (item.kind !== 'damage') continue
      found.damaged++
      sayDamage(item.damage)
    }
    yield items
  }
}

/**
 * A file, whatever it is, or standard input for `-`.
 *
 * @param levels names of levels and their numbers
 * @throws ShardlogError as `openSource` and `openLog`
 */
export async function openInput(
  given: LogPlace,
  levels: Readonly<Record<string, number>>,
  found: Found
): Promise<QueryInput> {
  const log = inputLog(given)
  const name = given.path
  // Of a pipe nothing is read but once.
  if (log !== null && fs.statSync(log.path, { throwIfNoEntry: false })?.isFile()) {
    const { source, events } = openSource(log.path)
    if (source.kind !== 'log') {
      found.damaged += source.damaged
      sayUnread(source)
      const all = recorded({ ...source, levels: { ...levels, ...source.levels } }, events as Iterable<ViewedEvent>)
      return { name, plain: null, scan: null, eventOf: neverALine, events: all }
    }
  }
  const source = logSource(name)
  const names = new Map(Object.entries(levels).map(([label, number]) => [String(number), label]))
  return {
    name,
    plain: log !== null && (await isPlain(log)) ? log.path : null,
    scan: () => scan(given, found),
    eventOf: line => {
      const event = eventOfLine(line, source, 0n)
      return eventOf({ ...event, level: names.get(event.level) ?? event.level }, levels, {})
    },
    events: null
  }
}

function neverALine(): never {
  throw new Error('a snapshot has no lines')
}
