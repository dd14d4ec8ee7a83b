/**
 * Names of rolled files: what `filePattern` makes of a time and a number, which files in a folder
 * it has made, and when its text changes.
 */

import { ShardlogError } from '../errors'
import { type DateFormatter, dateFormatter, finestUnit, type Unit } from './date-format'

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

/** What compresses a file of that ending. */
export type Compression = 'gzip' | 'zstd'

const ENDINGS: readonly (readonly [string, Compression])[] = [
  ['.gz', 'gzip'],
  ['.zst', 'zstd']
]

/** A file that a pattern has made. */
export interface RolledName {
  /** Relative to the folder that all of them lie in. */
  readonly name: string
  /** The dates in it, as text: files of one period have the same. */
  readonly period: string
  /** Its number; 0 where it has none. */
  readonly index: number
  /** Whether it has the ending of a compressed file. */
  readonly isCompressed: boolean
}

/** `%d`, its letters and time zone, `%i`, `%p`, `%%`; any other percent sign is a mistake. */
const TOKEN = /%d(?:\{([^}]*)\})?(?:\{([^}]*)\})?|%(\d*)i|%p|%%|%[\s\S]?|[^%]+/g

const INDEX = Symbol('index')
const PID = Symbol('pid')
const escapeRegExp = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
const MAX_PAD = 12

/** A pattern such as `logs/app-%d{yyyy-MM-dd}-%i.log.gz`. */
export class RollNames {
  /** The folder of all files that the pattern can name. */
  readonly folder: string
  readonly compression: Compression | null
  readonly ending: string
  /** By which the dates in it change; null: it has none. */
  readonly unit: Unit | null
  readonly hasIndex: boolean
  /** Folders in folders that the names have: `%d{yyyy/MM}/app-%i.log` has two. */
  readonly depth: number
  readonly #parts: (string | typeof INDEX | typeof PID | DateFormatter)[] = []
  readonly #matcher: RegExp
  readonly #pad: number

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
  constructor(pattern: string) {
    const ending = ENDINGS.find(([text]) => pattern.endsWith(text))
    this.ending = ending?.[0] ?? ''
    this.compression = ending?.[1] ?? null
    const plain = this.ending === '' ? pattern : pattern.slice(0, -this.ending.length)
    // Folders without dates in them, which are the same for all files.
    const first = plain.indexOf('%')
    const until = plain.lastIndexOf('/', first < 0 ? plain.length : first)
    this.folder = until < 0 ? '.' : plain.slice(0, until) || '/'
    const read = readParts(pattern, plain.slice(until + 1))
    this.#parts = read.parts
    this.#pad = read.pad
    this.unit = read.unit
    this.hasIndex = this.#parts.includes(INDEX)
    this.#matcher = this.#expression()
    this.depth = this.name(0, 1).split('/').length - 1
    if (this.unit === null && !this.hasIndex) {
      throw configError(`${JSON.stringify(pattern)} names one file only: it needs %d{…}, %i, or both`)
    }
  }

  /** What tells files of one period from those of others. */
  period(time: number): string {
    return this.#parts
      .filter(part => typeof part === 'function')
      .map(format => (format as DateFormatter)(time))
      .join('\u0000')
  }

  /**
   * The name, without the ending of compressed files, of the `index`-th file of the period of
   * `time`. Where the pattern has no `%i`, the first has no number, others have it before the last
   * ending: `app-2026-01-31.1.log`.
   */
  name(time: number, index: number): string {
    const text = this.#parts
      .map(part => {
        if (part === INDEX) return String(index).padStart(this.#pad, '0')
        if (part === PID) return String(process.pid)
        return typeof part === 'function' ? part(time) : (part as string)
      })
      .join('')
    if (this.hasIndex || index === 0) return text
    const extension = this.#extension
    return `${text.slice(0, text.length - extension.length)}.${index}${extension}`
  }

  /** The ending that a number is put before: that of the text behind the last date. */
  get #extension(): string {
    const last = this.#parts.at(-1)
    return typeof last === 'string' ? (/\.[^./]*$/.exec(last)?.[0] ?? '') : ''
  }

  /** The first number of a period. */
  get firstIndex(): number {
    return this.hasIndex ? 1 : 0
  }

  /** What a name in the folder is by this pattern; null if it is none of its. */
  match(name: string): RolledName | null {
    const isCompressed = this.ending !== '' && name.endsWith(this.ending)
    const plain = isCompressed ? name.slice(0, -this.ending.length) : name
    const found = this.#matcher.exec(plain)
    if (found === null) return null
    const { index, ...dates } = found.groups ?? {}
    return { name, period: Object.values(dates).join('\u0000'), index: Number(index ?? 0), isCompressed }
  }

  /** A name as the pattern makes it: its dates may be of any text that dates can be. */
  #expression(): RegExp {
    const last = this.#parts.at(-1)
    const sources = this.#parts.map((part, at) => {
      if (part === INDEX) return '(?<index>\\d{1,15})'
      if (part === PID) return '\\d{1,10}'
      if (typeof part === 'function') return `(?<date${at}>${dateExpression(part)})`
      return escapeRegExp(part as string)
    })
    if (!this.hasIndex) {
      // The number that tells files of one period apart lies before the last ending.
      const extension = this.#extension
      if (extension === '') sources.push('(?:\\.(?<index>\\d{1,15}))?')
      else {
        const text = (last as string).slice(0, -extension.length)
        sources.splice(-1, 1, `${escapeRegExp(text)}(?:\\.(?<index>\\d{1,15}))?${escapeRegExp(extension)}`)
      }
    }
    return new RegExp(`^${sources.join('')}$`)
  }
}

const HOUR_MS = 3_600_000

/** Times whose texts have each piece at its shortest and at its longest. */
const SAMPLES: readonly number[] = [
  ...Array.from({ length: 48 }, (_, hour) => Date.UTC(2001, 0, 1) + hour * HOUR_MS),
  Date.UTC(2026, 10, 29, 12, 34, 56),
  Date.UTC(2026, 6, 29, 12, 34, 56)
]

const pieces = (text: string): string[] => text.split(/(\d+|[A-Za-z]+)/).filter(piece => piece !== '')

/**
 * What dates of a format look like: so many digits where one has digits, words where it has words.
 */
function dateExpression(format: DateFormatter): string {
  const samples = SAMPLES.map(time => pieces(format(time)))
  const [first = []] = samples
  // A zone that is `Z` in winter is `+01` in summer.
  if (samples.some(sample => sample.length !== first.length)) return '[\\w:+-]+?'
  return first
    .map((piece, at) => {
      if (/^\d+$/.test(piece)) {
        const lengths = samples.map(sample => sample[at]!.length)
        return `\\d{${Math.min(...lengths)},${Math.max(...lengths)}}`
      }
      if (/^[A-Za-z]+$/.test(piece)) return '[A-Za-z]+'
      return /^[+-]$/.test(piece) ? '[+-]' : escapeRegExp(piece)
    })
    .join('')
}

const FINEST_FIRST: readonly Unit[] = ['millisecond', 'second', 'minute', 'hour', 'day', 'week', 'month', 'year']

function readParts(pattern: string, text: string) {
  const parts: (string | typeof INDEX | typeof PID | DateFormatter)[] = []
  const units: Unit[] = []
  let pad = 0
  for (const [token, form = '', zone, width] of text.matchAll(TOKEN)) {
    if (token.startsWith('%d')) {
      const unit = finestUnit(form)
      if (unit === null || unit === 'millisecond') {
        throw configError(
          `${JSON.stringify(pattern)} has ${token}: a date down to the second at the most is allowed, as %d{yyyy-MM-dd}`
        )
      }
      parts.push(dateFormatter(form, zone))
      units.push(unit)
    } else if (width !== undefined) {
      if (parts.includes(INDEX)) throw configError(`${JSON.stringify(pattern)} has %i more than once`)
      pad = Number(width)
      if (pad > MAX_PAD)
        throw configError(`${JSON.stringify(pattern)} has ${token}: at most ${MAX_PAD} digits are allowed`)
      parts.push(INDEX)
    } else if (token === '%p') parts.push(PID)
    else if (token === '%%') parts.push('%')
    else if (token.startsWith('%')) {
      throw configError(`${JSON.stringify(pattern)} has ${token}: %d{…}, %i, %p and %% are allowed`)
    } else parts.push(token)
  }
  const unit = FINEST_FIRST.find(name => units.includes(name)) ?? null
  return { parts, pad, unit }
}
