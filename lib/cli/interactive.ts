/** What the terminal program is given: the files as feeds, and filters as the command has them. */

import path from 'node:path'
import { ShardlogError } from '../errors'
import { LEVELS } from '../recorder/recorder'
import { Clock } from '../view/clock'
import { type FilterValues, LevelTable } from '../view/event'
import { type Feed, openFeed } from '../view/feeds'
import { checkTerminal, DamageList, runInteractive } from '../view/interactive'
import type { EventFilter } from '../view/probes'
import { EXIT_FAILED, EXIT_OK } from './command'
import { checkLevel, filterOf, parseTime } from './event-filter'
import { eventOfLine } from './events'
import { plural, say, sayDamage, visibleLine } from './terminal'

/** Names for which an event need not have the value in its text. */
const ELSEWHERE = /^(?:level|thread|service|pid|hostname|file)=/
/** Values that JSON writes in one way only, but for escapes and the form of numbers. */
const AS_WRITTEN = /^[^"\\{[\p{Cc}][^"\\\p{Cc}]*$/u

/** Values that the text of an event that passes has in it. */
function valuesOf({ target, where = [] }: FilterValues): string[] {
  const tests = where.filter(test => /^[^=~]+=/.test(test) && !ELSEWHERE.test(test))
  const values = tests.map(test => test.slice(test.indexOf('=') + 1))
  return [...(target === undefined ? [] : [target]), ...values].filter(value => AS_WRITTEN.test(value))
}

/** @throws UsageError */
export function makeFilter(values: FilterValues, feeds: readonly Pick<Feed, 'source'>[]): EventFilter {
  const { level, since, until, target, where = [] } = values
  const passes = filterOf(values)
  if (level !== undefined) {
    checkLevel(
      level,
      feeds.map(({ source }) => source.levels)
    )
  }
  const byLevel = filterOf(level === undefined ? {} : { level })
  const event = { time: 0n, target: '', message: '', thread: 0, fields: {} }
  return {
    passes,
    passesLevel: (name, source) => byLevel({ ...event, level: name, source }),
    since: since === undefined ? null : parseTime(since, '--since'),
    until: until === undefined ? null : parseTime(until, '--until'),
    isLevelOnly: [target, since, until, ...where].every(value => value === undefined),
    values: valuesOf(values),
    hasPattern: where.some(text => /^[^=]*~/.test(text))
  }
}

async function openFeeds(files: readonly string[], context: Parameters<typeof openFeed>[1]) {
  const feeds: Feed[] = []
  const failures: string[] = []
  for (const file of files) {
    try {
      feeds.push(await openFeed(file, context))
    } catch (error) {
      failures.push((error as Error).message)
    }
  }
  return { feeds, failures }
}

const titleOf = (feeds: readonly Feed[]): string => {
  const [first, ...others] = feeds.map(({ source }) => visibleLine(path.basename(source.file)))
  return others.length === 0 ? (first ?? '') : `${first} and ${plural(others.length, 'file')} more`
}

/**
 * Shows files on the terminal until somebody quits.
 *
 * @returns the exit code
 * @throws ShardlogError `ERR_SHARDLOG_TERMINAL`, `ERR_SHARDLOG_PACKAGE`, and what reading throws
 * @throws UsageError for filters that are none
 */
export async function viewInteractively(files: readonly string[], filters: FilterValues): Promise<number> {
  checkTerminal()
  const clock = new Clock()
  const levels = new LevelTable()
  const damage = new DamageList()
  const context = { clock, levels, decodeLine: eventOfLine, logLevels: LEVELS, onDamage: damage.add }
  const { feeds, failures } = await openFeeds(files, context)
  try {
    makeFilter(filters, feeds)
    if (feeds.length === 0) throw new ShardlogError('ERR_SHARDLOG_READ', failures.join('; '))
    await runInteractive({
      feeds,
      clock,
      levels,
      title: titleOf(feeds),
      filters,
      damage,
      message: failures.join('; '),
      makeFilter: values => makeFilter(values, feeds)
    })
  } finally {
    for (const feed of feeds) await feed.close()
  }
  for (const failure of failures) say(failure)
  for (const place of damage.places) sayDamage(place)
  if (damage.count > damage.places.length)
    say(`${plural(damage.count - damage.places.length, 'further place')} damaged`)
  return failures.length > 0 || damage.count > 0 ? EXIT_FAILED : EXIT_OK
}
