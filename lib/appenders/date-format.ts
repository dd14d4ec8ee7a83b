/**
 * Dates by the letters that log4j's patterns have for them (those of Java's SimpleDateFormat), in
 * the local time zone or a named one.
 */

import { ShardlogError } from '../errors'

/** A moment's fields in a time zone. */
interface Moment {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  /** Day of the week, 0 for Sunday. */
  readonly weekday: number
  /** Minutes east of Greenwich. */
  readonly offset: number
}

/** Formats ms since 1970. */
export type DateFormatter = (time: number) => string

/** Steps by which a pattern's text changes, from the coarsest to the finest. */
const UNITS = ['year', 'month', 'week', 'day', 'hour', 'minute', 'second', 'millisecond'] as const
export type Unit = (typeof UNITS)[number]

/** Formats that log4j knows by name. */
const NAMED: Readonly<Record<string, string>> = {
  DEFAULT: 'yyyy-MM-dd HH:mm:ss,SSS',
  DEFAULT_PERIOD: 'yyyy-MM-dd HH:mm:ss.SSS',
  ISO8601: "yyyy-MM-dd'T'HH:mm:ss,SSS",
  ISO8601_PERIOD: "yyyy-MM-dd'T'HH:mm:ss.SSS",
  ISO8601_BASIC: "yyyyMMdd'T'HHmmss,SSS",
  ISO8601_OFFSET_DATE_TIME_HH: "yyyy-MM-dd'T'HH:mm:ss,SSSX",
  ISO8601_OFFSET_DATE_TIME_HHMM: "yyyy-MM-dd'T'HH:mm:ss,SSSXX",
  ISO8601_OFFSET_DATE_TIME_HHCMM: "yyyy-MM-dd'T'HH:mm:ss,SSSXXX",
  ABSOLUTE: 'HH:mm:ss,SSS',
  ABSOLUTE_PERIOD: 'HH:mm:ss.SSS',
  COMPACT: 'yyyyMMddHHmmssSSS',
  DATE: 'dd MMM yyyy HH:mm:ss,SSS'
}

const MONTHS = 'January February March April May June July August September October November December'.split(' ')
const WEEKDAYS = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ')
const MINUTE_MS = 60_000
const DAY_MS = 86_400_000

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

const pad = (value: number, length: number): string => String(value).padStart(length, '0')

// Time zones.

type Zone = (time: number) => Moment

const localZone: Zone = time => {
  const date = new Date(time)
  return {
    year: date.getFullYear(),
    month: date.getMonth() + 1,
    day: date.getDate(),
    hour: date.getHours(),
    minute: date.getMinutes(),
    second: date.getSeconds(),
    weekday: date.getDay(),
    // That of the date itself, as zones change their offset twice a year.
    offset: -date.getTimezoneOffset()
  }
}

function atOffset(time: number, offset: number): Moment {
  const date = new Date(time + offset * MINUTE_MS)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    weekday: date.getUTCDay(),
    offset
  }
}

function namedZone(name: string): Zone {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric'
    })
  } catch (cause) {
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', `there is no time zone ${name}: use one as Europe/Berlin, or UTC`, {
      cause
    })
  }
  return time => {
    const parts: Record<string, number> = {}
    for (const { type, value } of format.formatToParts(time)) parts[type] = Number(value)
    const { year, month, day, hour, minute, second } = parts as unknown as Moment
    const shown = Date.UTC(year, month - 1, day, hour, minute, second)
    return atOffset(time, Math.round((shown - time) / MINUTE_MS))
  }
}

function zoneOf(name: string | undefined): Zone {
  if (name === undefined || name === '') return localZone
  const fixed = /^(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d{2}))?$/.exec(name)
  if (fixed !== null) {
    const [, sign, hours, minutes = '0'] = fixed
    const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -1 : 1)
    return time => atOffset(time, offset)
  }
  return /^(?:UTC|GMT|Z)$/i.test(name) ? time => atOffset(time, 0) : namedZone(name)
}

// Letters.

/** A part of a date as text. Milliseconds are told by themselves: all else is kept for a second. */
type Part = string | ((moment: Moment) => string) | { readonly digits: number }

function offsetText({ offset }: Moment, colon: string, length: number, zulu: boolean): string {
  if (offset === 0 && zulu) return 'Z'
  const size = Math.abs(offset)
  const hours = `${offset < 0 ? '-' : '+'}${pad(Math.floor(size / 60), 2)}`
  const minutes = pad(size % 60, 2)
  return length === 1 && minutes === '00' ? hours : hours + colon + minutes
}

const dayOfYear = ({ year, month, day }: Moment): number =>
  Math.round((Date.UTC(year, month - 1, day) - Date.UTC(year, 0, 1)) / DAY_MS) + 1

/** Week of the year as ISO 8601 has it, and the year that it is of. */
function isoWeek({ year, month, day, weekday }: Moment): { week: number; year: number } {
  const thursday = Date.UTC(year, month - 1, day) + (4 - (weekday || 7)) * DAY_MS
  const of = new Date(thursday).getUTCFullYear()
  return { week: Math.floor((thursday - Date.UTC(of, 0, 1)) / DAY_MS / 7) + 1, year: of }
}

const number =
  (read: (moment: Moment) => number) =>
  (length: number): Part =>
  moment =>
    pad(read(moment), length)

const yearPart =
  (read: (moment: Moment) => number) =>
  (length: number): Part =>
  moment =>
    length === 2 ? pad(read(moment) % 100, 2) : pad(read(moment), length)

interface Letter {
  readonly unit: Unit
  readonly part: (length: number) => Part
}

const LETTERS: Readonly<Record<string, Letter>> = {
  y: { unit: 'year', part: yearPart(({ year }) => year) },
  u: { unit: 'year', part: yearPart(({ year }) => year) },
  Y: { unit: 'year', part: yearPart(moment => isoWeek(moment).year) },
  M: {
    unit: 'month',
    part: length => moment => {
      const name = MONTHS[moment.month - 1]!
      if (length < 3) return pad(moment.month, length)
      return length === 3 ? name.slice(0, 3) : name
    }
  },
  w: { unit: 'week', part: number(moment => isoWeek(moment).week) },
  d: { unit: 'day', part: number(({ day }) => day) },
  D: { unit: 'day', part: number(dayOfYear) },
  E: { unit: 'day', part: length => moment => WEEKDAYS[moment.weekday]!.slice(0, length < 4 ? 3 : undefined) },
  a: { unit: 'hour', part: () => moment => (moment.hour < 12 ? 'AM' : 'PM') },
  H: { unit: 'hour', part: number(({ hour }) => hour) },
  k: { unit: 'hour', part: number(({ hour }) => hour || 24) },
  h: { unit: 'hour', part: number(({ hour }) => hour % 12 || 12) },
  K: { unit: 'hour', part: number(({ hour }) => hour % 12) },
  m: { unit: 'minute', part: number(({ minute }) => minute) },
  s: { unit: 'second', part: number(({ second }) => second) },
  S: { unit: 'millisecond', part: length => ({ digits: length }) },
  X: { unit: 'hour', part: length => moment => offsetText(moment, length === 3 ? ':' : '', length, true) },
  x: { unit: 'hour', part: length => moment => offsetText(moment, length === 3 ? ':' : '', length, false) },
  Z: { unit: 'hour', part: () => moment => offsetText(moment, '', 2, false) }
}

/** A run of one letter, a quoted text, a doubled quote, or anything else. */
const TOKEN = /'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+|'/g

interface Parsed {
  readonly parts: Part[]
  readonly units: Unit[]
}

function parse(pattern: string): Parsed {
  const parts: Part[] = []
  const units: Unit[] = []
  for (const [token, quoted, letter] of pattern.matchAll(TOKEN)) {
    if (quoted !== undefined) parts.push(quoted === '' ? "'" : quoted.replace(/''/g, "'"))
    else if (letter === undefined) {
      if (token === "'") throw configError(`the date pattern ${pattern} has a quote that does not end`)
      parts.push(token)
    } else {
      const known = LETTERS[letter]
      if (known === undefined) {
        throw configError(
          `the date pattern ${pattern} has the letter ${letter}, which stands for nothing: allowed are ${Object.keys(LETTERS).join(' ')}; other text goes into '…'`
        )
      }
      parts.push(known.part(token.length))
      units.push(known.unit)
    }
  }
  return { parts, units }
}

/** Patterns by the names that log4j has for them. */
const resolved = (pattern: string): string =>
  Object.hasOwn(NAMED, pattern) ? NAMED[pattern]! : pattern === '' ? NAMED.DEFAULT! : pattern

function fraction(time: number, digits: number): string {
  const milliseconds = pad(((Math.floor(time) % 1000) + 1000) % 1000, 3)
  return digits <= 3 ? milliseconds.slice(0, digits) : milliseconds.padEnd(digits, '0')
}

/**
 * A function that formats times.
 *
 * @param pattern letters, or a name of log4j's: 'ISO8601', 'UNIX', …; empty: DEFAULT
 * @param zone a time zone's name, 'UTC', '+02:00'; none: that of the process
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function dateFormatter(pattern: string, zone?: string): DateFormatter {
  if (pattern === 'UNIX') return time => String(Math.floor(time / 1000))
  if (pattern === 'UNIX_MILLIS') return time => String(Math.floor(time))
  const momentOf = zoneOf(zone)
  const { parts } = parse(resolved(pattern))
  // What lies between fractions of a second is the same for all of its lines.
  let second = Number.NaN
  let texts: (string | number)[] = []
  let last = Number.NaN
  let text = ''

  function renew(time: number): void {
    const moment = momentOf(time)
    texts = []
    for (const part of parts) {
      const made = typeof part === 'string' ? part : typeof part === 'function' ? part(moment) : part.digits
      const before = texts.at(-1)
      if (typeof made === 'string' && typeof before === 'string') texts[texts.length - 1] = before + made
      else texts.push(made)
    }
  }

  return time => {
    if (time === last) return text
    last = time
    const now = Math.floor(time / 1000)
    if (now !== second) {
      second = now
      renew(time)
    }
    text = ''
    for (const piece of texts) text += typeof piece === 'string' ? piece : fraction(time, piece)
    return text
  }
}

/** The finest unit by which the text of a pattern changes; null if it has no letters. */
export function finestUnit(pattern: string): Unit | null {
  if (pattern === 'UNIX') return 'second'
  if (pattern === 'UNIX_MILLIS') return 'millisecond'
  const { units } = parse(resolved(pattern))
  return units.reduce<Unit | null>(
    (finest, unit) => (finest === null || UNITS.indexOf(unit) > UNITS.indexOf(finest) ? unit : finest),
    null
  )
}
