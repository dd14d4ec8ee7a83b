/** Layouts: how records become lines. JSON as the loggers make it is none of them: it is native. */

import os from 'node:os'
import type { JsonSchema } from './kinds'
import type { Layout } from './line-parts'
import { patternFormatter } from './pattern'
import type { RecordView } from './record-view'

type Options = Readonly<Record<string, unknown>>
type Values = Readonly<Record<string, unknown>>

/** What an appender tells its layout. */
export interface LayoutPlace {
  /** Whether lines go to a terminal, which colours are for. */
  readonly isTerminal: boolean
}

interface LayoutKind {
  readonly description: string
  readonly properties: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly make: (options: Options, place: LayoutPlace) => Layout
}

/** What lines have beside the fields that were logged. */
interface Parts {
  readonly time: number
  readonly pid: unknown
  readonly hostname: unknown
  readonly error: Values | undefined
  /** What else there is. */
  readonly rest: Values
}

const ERROR_KEY = 'err'

function milliseconds(time: unknown, otherwise: number): number {
  if (typeof time === 'number' && Number.isFinite(time)) return time
  const parsed = typeof time === 'string' ? Date.parse(time) : Number.NaN
  return Number.isNaN(parsed) ? otherwise : parsed
}

/** Dates beyond these have no text of their own. */
const MAX_TIME = 8.64e15

function partsOf(record: RecordView): Parts {
  const { level, time, pid, hostname, name, [record.messageKey]: message, ...fields } = record.values
  const { [ERROR_KEY]: error, ...rest } = fields
  const isError = typeof error === 'object' && error !== null
  const now = milliseconds(time, record.time)
  return {
    time: Math.abs(now) > MAX_TIME ? record.time : now,
    pid,
    hostname,
    error: isError ? (error as Values) : undefined,
    rest: isError || error === undefined ? rest : fields
  }
}

/** Calls `tell` with each value that is no object, its keys joined. */
function flatten(values: Values, separator: string, tell: (key: string, value: unknown) => void, prefix = ''): void {
  for (const [key, value] of Object.entries(values)) {
    const name = prefix + key
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      flatten(value as Values, separator, tell, name + separator)
    } else tell(name, value)
  }
}

// logfmt.

// biome-ignore lint/suspicious/noControlCharactersInRegex: those have to be quoted
const NEEDS_QUOTES = /[\s="\\\u0000-\u001f\u007f]/

function logfmtValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
  return text === '' || NEEDS_QUOTES.test(text) ? JSON.stringify(text) : text
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: no key may have them
const logfmtKey = (key: string): string => key.replace(/[\s="\u0000-\u001f\u007f]/g, '_') || '_'

const logfmt: Layout = record => {
  const { time, pid, hostname, error, rest } = partsOf(record)
  let line = `time=${new Date(time).toISOString()} level=${logfmtValue(record.label)}`
  const add = (key: string, value: unknown): void => {
    if (value !== undefined) line += ` ${logfmtKey(key)}=${logfmtValue(value)}`
  }
  if (record.name !== '') add('logger', record.name)
  add('pid', pid)
  add('hostname', hostname)
  add('msg', record.text)
  flatten(rest, '.', add)
  if (error !== undefined) flatten({ [ERROR_KEY]: error }, '.', add)
  return `${line}\n`
}

// The Elastic Common Schema.

/** The version whose fields are written. */
const ECS_VERSION = '8.11.0'

function ecs({ serviceName }: Options): Layout {
  return record => {
    const { time, pid, hostname, error, rest } = partsOf(record)
    const line: Record<string, unknown> = {
      '@timestamp': new Date(time).toISOString(),
      'log.level': record.label,
      message: record.text,
      'ecs.version': ECS_VERSION
    }
    if (record.name !== '') line['log.logger'] = record.name
    if (serviceName !== undefined) line['service.name'] = serviceName
    if (pid !== undefined) line['process.pid'] = pid
    if (hostname !== undefined) line['host.hostname'] = hostname
    if (error !== undefined) {
      line['error.type'] = error.type
      line['error.message'] = error.message
      line['error.stack_trace'] = error.stack
    }
    for (const [key, value] of Object.entries(rest)) if (!Object.hasOwn(line, key)) line[key] = value
    return `${JSON.stringify(line)}\n`
  }
}

// The Graylog Extended Log Format.

/** Severities of syslog for numbers of levels, from the highest. */
const SEVERITIES: readonly (readonly [number, number])[] = [
  [60, 2],
  [50, 3],
  [40, 4],
  [30, 6]
]
const DEBUG_SEVERITY = 7

function gelf({ host }: Options): Layout {
  const own = (host as string | undefined) ?? os.hostname()
  return record => {
    const { time, pid, error, rest } = partsOf(record)
    const { text } = record
    const stack = typeof error?.stack === 'string' ? error.stack : ''
    const line: Record<string, unknown> = {
      version: '1.1',
      host: own,
      // An empty one is refused by Graylog.
      short_message: text.split('\n', 1)[0] || '-',
      timestamp: time / 1000,
      level: SEVERITIES.find(([level]) => record.level >= level)?.[1] ?? DEBUG_SEVERITY
    }
    if (stack !== '' || text.includes('\n')) line.full_message = [text, stack].filter(Boolean).join('\n')
    const add = (key: string, value: unknown): void => {
      const name = `_${key.replace(/[^\w.-]/g, '_')}`
      // `_id` is Graylog's own.
      const free = name === '_id' ? '_id_' : name
      if (value !== undefined && value !== null)
        line[free] = typeof value === 'number' ? value : typeof value === 'string' ? value : JSON.stringify(value)
    }
    if (record.name !== '') add('logger', record.name)
    add('level_name', record.label)
    add('pid', pid)
    flatten(rest, '.', add)
    if (error !== undefined) flatten({ [ERROR_KEY]: error }, '.', add)
    return `${JSON.stringify(line)}\n`
  }
}

const KINDS: Readonly<Record<string, LayoutKind>> = {
  JSON: {
    description: "The loggers' lines of JSON, made by the engine beside the application.",
    properties: {},
    make: () => record => record.line
  },
  Message: {
    description: 'The message alone.',
    properties: {},
    make: () => patternFormatter({ pattern: '%m%n', colors: false, alwaysWriteExceptions: false, errorKey: ERROR_KEY })
  },
  Pattern: {
    description: "A pattern of log4j's conversion words.",
    properties: {
      pattern: {
        type: 'string',
        minLength: 1,
        default: '%d %-5p [%t] %c - %m%n',
        description: 'Text and conversion words; a newline is put at its end if it has none.'
      },
      alwaysWriteExceptions: {
        type: 'boolean',
        default: true,
        description: "Puts an error's stack behind the line of a pattern without `%ex`."
      },
      colors: {
        enum: ['auto', 'always', 'never'],
        default: 'auto',
        description: 'Whether `%highlight` and `%style` print colours; `auto`: on a terminal, unless `NO_COLOR` is set.'
      }
    },
    make: ({ pattern, alwaysWriteExceptions, colors }, { isTerminal }) =>
      patternFormatter({
        pattern: (pattern as string | undefined) ?? '%d %-5p [%t] %c - %m%n',
        alwaysWriteExceptions: alwaysWriteExceptions !== false,
        colors: colors === 'always' || (colors !== 'never' && isTerminal && !process.env.NO_COLOR),
        errorKey: ERROR_KEY
      })
  },
  Logfmt: {
    description: 'Keys and values, `level=info msg="user login"`; nested ones with dots.',
    properties: {},
    make: () => logfmt
  },
  ECS: {
    description: 'JSON by the Elastic Common Schema.',
    properties: { serviceName: { type: 'string', minLength: 1, description: 'The field `service.name`.' } },
    make: ecs
  },
  GELF: {
    description: "JSON by Graylog's GELF 1.1.",
    properties: {
      host: { type: 'string', minLength: 1, description: 'The field `host`. Default: the name of the machine.' }
    },
    make: gelf
  }
}

/** A schema for each type of layout. */
export const layoutSchemas: readonly JsonSchema[] = Object.entries(KINDS).map(([type, kind]) => ({
  type: 'object',
  description: kind.description,
  properties: { type: { const: type }, ...kind.properties },
  required: ['type', ...(kind.required ?? [])],
  additionalProperties: false
}))

/** Whether a layout is that of the loggers. */
export const isPlainJson = (options: Options): boolean => options.type === 'JSON'

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
export function makeLayout(options: Options, place: LayoutPlace): Layout {
  return KINDS[options.type as string]!.make(options, place)
}
