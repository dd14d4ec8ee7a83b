/** Which events `shardlog view` and `shardlog tail` show. */

import { nearestName } from '../errors'
import { LEVELS } from '../recorder/recorder'
import type { FilterValues, ViewEvent } from '../view/event'
import { type HelpRow, UsageError } from './command'

export const FILTER_OPTIONS = {
  level: { type: 'string' },
  target: { type: 'string' },
  since: { type: 'string' },
  until: { type: 'string' },
  where: { type: 'string', multiple: true }
} as const

export const FILTER_HELP: readonly HelpRow[] = [
  ['--level NAME', 'events of this level and graver ones; of a level without a name its number'],
  ['--target NAME', 'events of this logger'],
  ['--since TIME', 'events from then on: ISO 8601, or ms since 1970'],
  ['--until TIME', 'events before then'],
  [
    '--where TEST',
    'events that a field passes: FIELD=VALUE, or FIELD~PATTERN for a regular expression. FIELD may be',
    'a.b for a field of an object, or level, target, message, service, pid, hostname, thread, file.',
    'Several have to be passed all'
  ]
]

/** Whether any of these options is given. */
export const hasFilter = ({ level, target, since, until, where = [] }: FilterValues): boolean =>
  [level, target, since, until, ...where].some(value => value !== undefined)

type Test = (event: ViewEvent) => boolean

const NS_PER_MS = 1_000_000n

/**
 * The ns since 1970 that a time means.
 *
 * @throws UsageError
 */
export function parseTime(text: string, option: string): bigint {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text)
  if (Number.isNaN(ms))
    throw new UsageError(`${option} takes a time as 2026-01-02T03:04:05Z, or ms since 1970, not '${text}'`)
  return BigInt(ms) * NS_PER_MS
}

const NUMBER = /^\d{1,9}$/

function levelTest(name: string): Test {
  const least = NUMBER.test(name) ? Number(name) : LEVELS[name]
  return event => {
    const { levels } = event.source
    const number = levels[event.level] ?? Number(event.level)
    return event.level !== '' && number >= (levels[name] ?? least ?? Number.POSITIVE_INFINITY)
  }
}

/** @throws UsageError for a name that neither we nor a file knows, and that is no number */
export function checkLevel(name: string, tables: readonly Readonly<Record<string, number>>[]): void {
  const known = [...new Set([...Object.keys(LEVELS), ...tables.flatMap(Object.keys)])]
  if (known.includes(name) || NUMBER.test(name)) return
  const near = nearestName(name, known)
  throw new UsageError(`--level is one of ${known.join(', ')}, not '${name}'${near ? `; did you mean ${near}?` : ''}`)
}

function fieldOf(event: ViewEvent, name: string): unknown {
  if (Object.hasOwn(event.fields, name)) return event.fields[name]
  switch (name) {
    case 'level':
    case 'target':
    case 'message':
    case 'thread':
      return event[name]
    case 'service':
    case 'pid':
    case 'hostname':
    case 'file':
      return event.source[name] ?? undefined
  }
  let value: unknown = event.fields
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Record<string, unknown>)[part]
  }
  return value
}

/** As it is compared: text as it is, anything else as JSON. */
function asText(value: unknown): string {
  if (typeof value === 'string') return value
  return JSON.stringify(value, (_, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? ''
}

function whereTest(text: string): Test {
  const [, name, operator, given] = /^([^=~]+)([=~])(.*)$/s.exec(text) ?? []
  if (name === undefined || given === undefined)
    throw new UsageError(`--where takes FIELD=VALUE or FIELD~PATTERN, not '${text}'`)
  if (operator === '=') {
    return event => {
      const value = fieldOf(event, name)
      return value !== undefined && (typeof value === 'bigint' ? String(value) : asText(value)) === given
    }
  }
  let pattern: RegExp
  try {
    pattern = new RegExp(given, 'u')
  } catch (error) {
    throw new UsageError(`--where ${text}: ${(error as Error).message}`)
  }
  return event => {
    const value = fieldOf(event, name)
    return value !== undefined && pattern.test(typeof value === 'bigint' ? String(value) : asText(value))
  }
}

/**
 * Whether an event passes all that the options say.
 *
 * @throws UsageError
 */
export function filterOf({ level, target, since, until, where = [] }: FilterValues): Test {
  const tests: Test[] = where.map(whereTest)
  if (level !== undefined) tests.push(levelTest(level))
  if (target !== undefined) tests.push(event => event.target === target)
  if (since !== undefined) {
    const from = parseTime(since, '--since')
    tests.push(event => event.time >= from)
  }
  if (until !== undefined) {
    const end = parseTime(until, '--until')
    tests.push(event => event.time < end)
  }
  return event => tests.every(test => test(event))
}
