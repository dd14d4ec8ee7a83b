/** Filters: what of a record's way through loggers and appenders they decide, as log4j's do. */

import { createRequire } from 'node:module'
import { ShardlogError } from '../errors'
import { ownFile } from '../own-place'
import { performance } from '../timers'
import type { JsonSchema } from './kinds'
import type { RecordView } from './record-view'

/** ACCEPT and DENY end the question, NEUTRAL leaves it to the next filter. */
type Verdict = 'ACCEPT' | 'NEUTRAL' | 'DENY'

export interface Filter {
  (record: RecordView): Verdict
  readonly type: string
  /** Whether the same record may get another answer the next time. */
  readonly isChance: boolean
}

/** The number of a level. Throws ShardlogError for an unknown name. */
export type LevelOf = (level: string | number) => number

type Options = Readonly<Record<string, unknown>>
/** Whether a record matches. */
type Condition = (record: RecordView) => boolean

interface FilterKind {
  readonly description: string
  readonly properties: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly make: (options: Options, levelOf: LevelOf) => Condition
}

// Bundlers, which would look for the package when they bundle, do not follow it.
const requireInstalled = createRequire(ownFile)

interface Re2 {
  RE2JS: {
    compile(pattern: string, flags?: number): { matcher(text: string): { find(): boolean; matches(): boolean } }
    CASE_INSENSITIVE: number
    DOTALL: number
    MULTILINE: number
  }
}

function re2(): Re2['RE2JS'] {
  try {
    return (requireInstalled('re2js') as Re2).RE2JS
  } catch (cause) {
    throw new ShardlogError(
      'ERR_SHARDLOG_PACKAGE',
      `filters of type Regex need the package re2js, which cannot be loaded: ${(cause as Error).message.split('\n')[0]}. To install it: npm install re2js`,
      { cause }
    )
  }
}

/** A search for a pattern that takes time in proportion to the text, whatever the pattern is. */
function search(pattern: string, flags: string, whole: boolean): (text: string) => boolean {
  const engine = re2()
  const { CASE_INSENSITIVE, DOTALL, MULTILINE } = engine
  const numbers: Readonly<Record<string, number>> = { i: CASE_INSENSITIVE, s: DOTALL, m: MULTILINE }
  let compiled: ReturnType<Re2['RE2JS']['compile']>
  try {
    compiled = engine.compile(
      pattern,
      [...flags].reduce((sum, flag) => sum | numbers[flag]!, 0)
    )
  } catch (cause) {
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      `${JSON.stringify(pattern)} is no regular expression of RE2: ${(cause as Error).message}`,
      { cause }
    )
  }
  return whole ? text => compiled.matcher(text).matches() : text => compiled.matcher(text).find()
}

const asText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : (JSON.stringify(value) ?? '')

/** A bucket of tokens that fills at `rate` per second, up to `burst`. */
function bucket(rate: number, burst: number): () => boolean {
  let tokens = burst
  let last = performance.now()
  return () => {
    const now = performance.now()
    tokens = Math.min(burst, tokens + ((now - last) / 1000) * rate)
    last = now
    if (tokens < 1) return false
    tokens--
    return true
  }
}

const level: JsonSchema = {
  anyOf: [
    { type: 'string', minLength: 1 },
    { type: 'integer', minimum: 0 }
  ],
  'x-type': 'level'
}

const KINDS: Readonly<Record<string, FilterKind>> = {
  Threshold: {
    description: 'Matches records of a level and above.',
    properties: { level: { ...level, description: 'The lowest level that matches.' } },
    required: ['level'],
    make: (options, levelOf) => {
      const least = levelOf(options.level as string)
      return record => record.level >= least
    }
  },
  LevelRange: {
    description: 'Matches records from one level to another, both included.',
    properties: {
      minLevel: { ...level, description: 'The lowest level that matches. Default: no limit.' },
      maxLevel: { ...level, description: 'The highest level that matches. Default: no limit.' }
    },
    make: ({ minLevel, maxLevel }, levelOf) => {
      const least = minLevel === undefined ? 0 : levelOf(minLevel as string)
      const most = maxLevel === undefined ? Number.POSITIVE_INFINITY : levelOf(maxLevel as string)
      if (least > most) {
        throw new ShardlogError(
          'ERR_SHARDLOG_CONFIG',
          `min_level ${String(minLevel)} is above max_level ${String(maxLevel)}`
        )
      }
      return record => record.level >= least && record.level <= most
    }
  },
  Regex: {
    description:
      'Matches records in whose message, or field, the expression is found, in time proportional to the text.',
    properties: {
      regex: { type: 'string', minLength: 1, description: "A regular expression in RE2's syntax." },
      flags: {
        type: 'string',
        pattern: '^[ims]*$',
        'x-allowed': 'must be of the letters i (case does not count), m (^ and $ at lines), s (. takes newlines)',
        default: '',
        description: '`i`: case does not count; `m`: ^ and $ at lines; `s`: . takes newlines.'
      },
      field: { type: 'string', minLength: 1, description: 'The field that is looked at. Default: the message.' },
      whole: { type: 'boolean', default: false, description: 'Whether all of the text has to match.' }
    },
    required: ['regex'],
    make: ({ regex, flags = '', field, whole }) => {
      const finds = search(regex as string, flags as string, Boolean(whole))
      if (field === undefined) return record => finds(record.text)
      return record => finds(asText(record.field(field as string)))
    }
  },
  Field: {
    description: 'Matches records that have a field, or one of certain values in it.',
    properties: {
      field: { type: 'string', minLength: 1, description: 'Its name; dots lead into objects.' },
      values: {
        type: 'array',
        'x-list': true,
        minItems: 1,
        description: 'Values that match, compared as text. Default: any.',
        items: { type: ['string', 'number', 'boolean', 'null'] }
      }
    },
    required: ['field'],
    make: ({ field, values }) => {
      if (values === undefined) return record => record.field(field as string) !== undefined
      const texts = new Set((values as unknown[]).map(asText))
      return record => {
        const value = record.field(field as string)
        return value !== undefined && texts.has(asText(value))
      }
    }
  },
  Sampling: {
    description: 'Matches a share of the records, by chance.',
    properties: {
      share: { type: 'number', minimum: 0, maximum: 1, description: 'Of one record: 0.1 is every tenth.' },
      below: { ...level, description: 'Records of this level and above match always. Default: all are sampled.' }
    },
    required: ['share'],
    make: ({ share, below }, levelOf) => {
      const from = below === undefined ? Number.POSITIVE_INFINITY : levelOf(below as string)
      return record => record.level >= from || Math.random() < (share as number)
    }
  },
  Rate: {
    description: 'Matches so many records per second, and more for a moment after a silence.',
    properties: {
      rate: { type: 'number', exclusiveMinimum: 0, description: 'Records per second.' },
      burst: {
        type: 'number',
        minimum: 1,
        description: 'Records at once after a silence. Default: `rate`, at least 1.'
      },
      below: { ...level, description: 'Records of this level and above match always. Default: all are limited.' }
    },
    required: ['rate'],
    make: ({ rate, burst, below }, levelOf) => {
      const takes = bucket(rate as number, (burst as number | undefined) ?? Math.max(1, rate as number))
      const from = below === undefined ? Number.POSITIVE_INFINITY : levelOf(below as string)
      return record => record.level >= from || takes()
    }
  }
}

const VERDICTS = ['ACCEPT', 'NEUTRAL', 'DENY']

/** A schema for each type of filter. */
export const filterSchemas: readonly JsonSchema[] = Object.entries(KINDS).map(([type, kind]) => ({
  type: 'object',
  description: kind.description,
  properties: {
    type: { const: type },
    ...kind.properties,
    onMatch: { enum: VERDICTS, default: 'NEUTRAL', description: 'What becomes of a record that matches.' },
    onMismatch: { enum: VERDICTS, default: 'DENY', description: 'What becomes of one that does not.' }
  },
  required: ['type', ...(kind.required ?? [])],
  additionalProperties: false
}))

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_PACKAGE` */
export function makeFilter(options: Options, levelOf: LevelOf): Filter {
  const { type, onMatch = 'NEUTRAL', onMismatch = 'DENY' } = options
  const matches = KINDS[type as string]!.make(options, levelOf)
  const filter = (record: RecordView): Verdict => (matches(record) ? onMatch : onMismatch) as Verdict
  return Object.assign(filter, { type: type as string, isChance: type === 'Sampling' || type === 'Rate' })
}

/**
 * Whether filters let a record pass: the first that does not say NEUTRAL decides; none: it passes.
 */
export function passes(filters: readonly Filter[], record: RecordView): boolean {
  for (const filter of filters) {
    const verdict = filter(record)
    if (verdict !== 'NEUTRAL') return verdict === 'ACCEPT'
  }
  return true
}
