/** Lines by a pattern: the conversion words that log4j's PatternLayout has, and what they print. */

import { threadId } from 'node:worker_threads'
import { nearestName, ShardlogError } from '../errors'
import { performance } from '../timers'
import { dateFormatter } from './date-format'
import { BY, basisOf, dependsOn, inParts, type Layout, type LineParts, type Print } from './line-parts'
import { RecordView } from './record-view'

export interface PatternOptions {
  readonly pattern: string
  /** Whether `%highlight` and `%style` print colours. */
  readonly colors: boolean
  /** Whether the stack of an error is put behind a pattern without `%ex`. */
  readonly alwaysWriteExceptions: boolean
  /** Key of errors in lines. */
  readonly errorKey: string
}

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

// Colours.

const COLORS: Readonly<Record<string, number>> = {
  bold: 1,
  bright: 1,
  dim: 2,
  faint: 2,
  italic: 3,
  underline: 4,
  blink: 5,
  reverse: 7,
  normal: 0,
  black: 30,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
  white: 37,
  default: 39
}

/**
 * The escape sequence for names as `bright_red`, `bold`, `bg_blue`, separated by commas or blanks.
 */
function ansi(names: string): string {
  const codes = names
    .toLowerCase()
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(name => {
      const [, background, bright, color] = /^(bg_)?(bright_)?(\w+)$/.exec(name) ?? []
      const code = color === undefined ? undefined : COLORS[color]
      if (code === undefined)
        throw configError(`there is no colour ${name}: allowed are ${Object.keys(COLORS).join(', ')}`)
      if (code < 30) return code
      return code + (background ? 10 : 0) + (bright ? 60 : 0)
    })
  return `\u001b[${codes.join(';')}m`
}

const RESET = '\u001b[0m'

const LEVEL_COLORS: Readonly<Record<string, string>> = {
  fatal: 'bright_red',
  error: 'bright_red',
  warn: 'yellow',
  info: 'green',
  debug: 'cyan',
  trace: 'white'
}

/** `WARN=red, level=x` as a map; the keys in lower case. */
function pairs(text: string): Map<string, string> {
  return new Map(
    text
      .split(',')
      .map(pair => pair.split('='))
      .filter((pair): pair is [string, string] => pair.length === 2)
      .map(([key, value]) => [key.trim().toLowerCase(), value.trim()])
  )
}

function highlight(inner: Print, options: string): Print {
  const given = pairs(options)
  const codes = new Map(
    [...Object.entries(LEVEL_COLORS), ...given]
      .filter(([key]) => key !== 'style')
      .map(([key, color]) => [key, ansi(color)] as const)
  )
  const print: Print = record => {
    const code = codes.get(record.label.toLowerCase())
    const text = inner(record)
    return code === undefined || text === '' ? text : code + text + RESET
  }
  return inner.by === undefined ? print : dependsOn(inner.by | BY.level, print)
}

// Words.

/** What words share: options of the layout, and a way to make patterns within patterns. */
interface Making {
  readonly options: PatternOptions
  readonly compile: (pattern: string) => Print
}

interface Word {
  readonly names: readonly string[]
  /** What alone it depends on; of a level or a logger its text is kept for the next line. */
  readonly by?: number
  readonly make: (args: readonly string[], making: Making) => Print
}

/** The last parts of a dotted name; -n leaves off the first n; `1.`: the others abbreviated. */
function abbreviate(name: string, precision: string): string {
  const parts = name.split('.')
  if (/^-?\d+$/.test(precision)) {
    const count = Number(precision)
    const from = count > 0 ? parts.length - count : -count
    return parts.slice(Math.max(0, Math.min(from, parts.length - 1))).join('.')
  }
  const lengths = precision.split('.')
  return parts
    .map((part, index) => {
      if (index === parts.length - 1) return part
      const length = lengths[Math.min(index, lengths.length - 2)] ?? ''
      return /^\d+$/.test(length) ? part.slice(0, Number(length)) : length === '' ? '' : length
    })
    .join('.')
}

function loggerName([precision]: readonly string[]): Print {
  if (precision === undefined || precision === '') return record => record.name
  if (!/^-?\d+$|\./.test(precision))
    throw configError(`%c{${precision}}: a number of parts, or a form as 1. is allowed`)
  return record => abbreviate(record.name, precision)
}

function levelName([options = '']: readonly string[]): Print {
  const given = pairs(options)
  const lower = given.get('lowercase') === 'true'
  const length = Number(given.get('length') ?? 0)
  return ({ label }) => {
    const name = given.get(label.toLowerCase()) ?? (lower ? label.toLowerCase() : label.toUpperCase())
    return length > 0 ? name.slice(0, length) : name
  }
}

const fieldText = (value: unknown): string =>
  typeof value === 'string' ? value : value === undefined ? '' : (JSON.stringify(value) ?? '')

/** Keys that a line has beside what was logged. */
const OWN_KEYS = new Set(['level', 'time', 'pid', 'hostname', 'name'])

/** `%X`: all fields; `%X{key}`; `%X{a, b}`. */
function fields([keys]: readonly string[]): Print {
  if (keys === undefined) {
    return record => {
      const own = Object.entries(record.values).filter(([key]) => !OWN_KEYS.has(key) && key !== record.messageKey)
      return `{${own.map(([key, value]) => `${key}=${fieldText(value)}`).join(', ')}}`
    }
  }
  const names = keys.split(',').map(key => key.trim())
  if (names.length === 1) {
    const [key, fallback] = names[0]!.split(':-') as [string, string?]
    return record => {
      const value = record.field(key)
      return value === undefined ? (fallback ?? '') : fieldText(value)
    }
  }
  return record =>
    `{${names
      .map(name => [name, record.field(name)] as const)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}=${fieldText(value)}`)
      .join(', ')}}`
}

function exception([form = 'full']: readonly string[], { options }: Making): Print {
  const { errorKey } = options
  if (form === 'none' || form === '0') return () => ''
  if (form === 'full') return record => record.stack(errorKey)
  if (form === 'short') return record => record.stack(errorKey).split('\n', 1)[0]!
  const lines = Number(form)
  if (!Number.isInteger(lines) || lines < 0) {
    throw configError(`%ex{${form}}: full, short, none or a number of lines is allowed`)
  }
  return record => record.stack(errorKey).split('\n').slice(0, lines).join('\n')
}

const ESCAPES: Readonly<Record<string, (text: string) => string>> = {
  CRLF: text => text.replace(/\r/g, '\\r').replace(/\n/g, '\\n'),
  JSON: text => JSON.stringify(text).slice(1, -1),
  HTML: text =>
    text
      .replace(/[&<>"'/]/g, character => `&#${character.charCodeAt(0)};`)
      .replace(/\r/g, '\\r')
      .replace(/\n/g, '\\n'),
  XML: text => text.replace(/[&<>"']/g, character => `&#${character.charCodeAt(0)};`)
}

function encoded([inner = '', form = 'HTML']: readonly string[], { compile }: Making): Print {
  const encode = ESCAPES[form.toUpperCase()]
  if (encode === undefined) throw configError(`%enc{…}{${form}}: ${Object.keys(ESCAPES).join(', ')} are allowed`)
  const print = compile(inner)
  return record => encode(print(record))
}

/** The field that the option `caller` adds: `file:line (function)`. */
const CALLER = /^(.*?):(\d+)(?: \((.*)\))?$/s

/** The call site, as the logger's option `caller` finds it, or a part of it; `?` without one. */
function place(part: 'all' | 'file' | 'line' | 'function'): Print {
  return record => {
    const caller = record.field('caller')
    if (typeof caller !== 'string') return '?'
    const [, file = caller, line = '?', name = '?'] = CALLER.exec(caller) ?? []
    return { all: caller, file, line, function: name }[part]
  }
}

let sequence = 0

const constant =
  (text: () => string): (() => Print) =>
  () =>
    text

const message: Print = record => record.text

const WORDS: readonly Word[] = [
  {
    names: ['d', 'date'],
    by: BY.time,
    make: ([form = '', zone]) => {
      const format = dateFormatter(form, zone)
      return record => format(record.time)
    }
  },
  { names: ['p', 'level'], by: BY.level, make: levelName },
  { names: ['c', 'logger'], by: BY.logger, make: loggerName },
  { names: ['m', 'msg', 'message'], make: () => message },
  { names: ['n'], by: BY.nothing, make: constant(() => '\n') },
  {
    names: ['t', 'tn', 'thread', 'threadName'],
    by: BY.nothing,
    make: constant(() => (threadId === 0 ? 'main' : `worker-${threadId}`))
  },
  { names: ['T', 'tid', 'threadId'], by: BY.nothing, make: constant(() => String(threadId)) },
  { names: ['pid', 'processId'], by: BY.nothing, make: constant(() => String(process.pid)) },
  { names: ['X', 'mdc', 'MDC'], make: fields },
  { names: ['ex', 'exception', 'throwable', 'rEx', 'xEx'], make: exception },
  { names: ['r', 'relative'], make: () => () => String(Math.round(process.uptime() * 1000)) },
  { names: ['sn', 'sequenceNumber'], make: () => () => String(++sequence) },
  { names: ['N', 'nano'], make: () => () => String(Math.round(performance.now() * 1e6)) },
  { names: ['l', 'location'], make: () => place('all') },
  { names: ['F', 'file'], make: () => place('file') },
  { names: ['L', 'line'], make: () => place('line') },
  { names: ['M', 'method'], make: () => place('function') },
  {
    names: ['highlight'],
    make: ([inner = '', colors = ''], { options, compile }) => {
      const print = compile(inner)
      const shown = highlight(print, colors)
      return options.colors ? shown : print
    }
  },
  {
    names: ['style'],
    make: ([inner = '', names = ''], { options, compile }) => {
      const print = compile(inner)
      const code = ansi(names)
      if (!options.colors) return print
      const styled: Print = record => code + print(record) + RESET
      return print.by === undefined ? styled : dependsOn(print.by, styled)
    }
  },
  { names: ['enc', 'encode'], make: encoded },
  {
    names: ['notEmpty', 'varsNotEmpty', 'variablesNotEmpty'],
    make: ([inner = ''], { compile }) => {
      const parts = [...inner.matchAll(/%[^%]/g)].length
      const print = compile(inner)
      // Without anything in the places of its words, the text around them is all there is.
      const bare = parts === 0 ? null : inner.replace(/%-?0?\d*(?:\.-?\d+)?\w+(?:\{[^}]*\})*/g, '')
      return record => {
        const text = print(record)
        return text === bare ? '' : text
      }
    }
  }
]

const byName = new Map(WORDS.flatMap(word => word.names.map(name => [name, word] as const)))
/** The longest first, as log4j reads them: `%message` is not `%m` and text. */
const NAMES = [...byName.keys()].sort((a, b) => b.length - a.length)
const THROWABLE = new Set(byName.get('ex')!.names)

// Patterns.

interface Modifier {
  readonly left: boolean
  readonly zero: boolean
  readonly min: number
  readonly max: number
  /** Whether what is too long loses its end; else its beginning. */
  readonly cutsEnd: boolean
}

const MODIFIER = /(-)?(0)?(\d+)?(?:\.(-)?(\d+))?/y
/** Longer alignments are taken for a mistake. */
const MAX_WIDTH = 10_000

function modified(print: Print, modifier: Modifier | null): Print {
  if (modifier === null) return print
  const { left, zero, min, max, cutsEnd } = modifier
  return record => {
    let text = print(record)
    if (text.length > max) text = cutsEnd ? text.slice(0, max) : text.slice(text.length - max)
    if (text.length >= min) return text
    return left ? text.padEnd(min) : text.padStart(min, zero ? '0' : ' ')
  }
}

/** Reads `{…}` with braces in pairs within; null if it does not end. */
function braced(pattern: string, at: number): string | null {
  let depth = 0
  for (let end = at; end < pattern.length; end++) {
    if (pattern[end] === '{') depth++
    else if (pattern[end] === '}' && --depth === 0) return pattern.slice(at + 1, end)
  }
  return null
}

const ESCAPED: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\' }

class PatternCompiler {
  hasThrowable = false
  readonly #making: Making

  constructor(options: PatternOptions) {
    this.#making = { options, compile: pattern => this.compile(pattern) }
  }

  compile(pattern: string): Print {
    return joined(this.parts(pattern))
  }

  /** Texts and prints in turns. */
  parts(pattern: string): (string | Print)[] {
    const parts: (string | Print)[] = []
    const add = (part: string | Print): void => {
      const before = parts.at(-1)
      if (typeof part === 'string' && typeof before === 'string') parts[parts.length - 1] = before + part
      else parts.push(part)
    }
    for (let at = 0; at < pattern.length; ) {
      const character = pattern[at]!
      if (character === '\\' && Object.hasOwn(ESCAPED, pattern[at + 1] ?? '')) {
        add(ESCAPED[pattern[at + 1]!]!)
        at += 2
      } else if (character !== '%') {
        add(character)
        at++
      } else if (pattern[at + 1] === '%') {
        add('%')
        at += 2
      } else at = this.#word(pattern, at, add)
    }
    return parts
  }

  /** Reads the word at `at`; returns where it ends. */
  #word(pattern: string, at: number, add: (part: string | Print) => void): number {
    MODIFIER.lastIndex = at + 1
    const modifier = MODIFIER.exec(pattern)!
    const start = MODIFIER.lastIndex
    const rest = pattern.slice(start)
    const name = NAMES.find(known => rest.startsWith(known))
    if (name === undefined) throw unknownWord(pattern, rest)
    const args = argsAt(pattern, start + name.length, name)
    if (THROWABLE.has(name)) this.hasThrowable = true
    const word = byName.get(name)!
    const made = word.make(args, this.#making)
    const by = word.by ?? made.by
    const print = modified(made, modifierOf(modifier, name))
    if (by === BY.nothing) add(print(NO_RECORD))
    else add(by === undefined ? print : kept(print, by))
    return start + name.length + args.reduce((length, arg) => length + arg.length + 2, 0)
  }
}

/** For words that look at none. */
const NO_RECORD = new RecordView('')

/** What stands in braces behind a word. */
function argsAt(pattern: string, at: number, name: string): string[] {
  const args: string[] = []
  for (let next = at; pattern[next] === '{'; ) {
    const arg = braced(pattern, next)
    if (arg === null) {
      throw configError(`the pattern ${JSON.stringify(pattern)} has a brace that does not end, after %${name}`)
    }
    args.push(arg)
    next += arg.length + 2
  }
  return args
}

function modifierOf([, left, zero, min, end, max]: RegExpExecArray, name: string): Modifier | null {
  if (min === undefined && max === undefined) return null
  if (Number(min ?? 0) > MAX_WIDTH || Number(max ?? 0) > MAX_WIDTH) {
    throw configError(`%${name} is to be more than ${MAX_WIDTH} wide`)
  }
  return {
    left: left !== undefined,
    zero: zero !== undefined,
    min: Number(min ?? 0),
    max: max === undefined ? Number.POSITIVE_INFINITY : Number(max),
    cutsEnd: end !== undefined
  }
}

/** Keeps the text of the last level or logger for the next line. */
function kept(print: Print, by: number): Print {
  if (by !== BY.level && by !== BY.logger) return print.by === by ? print : dependsOn(by, record => print(record))
  let last: string | null = null
  let text = ''
  return dependsOn(by, record => {
    const now = by === BY.level ? record.label : record.name
    if (now !== last) {
      text = print(record)
      last = now
    }
    return text
  })
}

function unknownWord(pattern: string, rest: string): ShardlogError {
  const given = /^\w*/.exec(rest)![0]
  const near = given === '' ? undefined : nearestName(given, NAMES)
  return configError(
    `the pattern ${JSON.stringify(pattern)} has %${given}, which stands for nothing${near === undefined ? '.' : `; did you mean %${near}?`} Allowed are ${WORDS.map(
      ({ names: [name] }) => `%${name}`
    ).join(' ')}, longer names of some, and %% for a percent sign`
  )
}

/** One function for texts and prints in turns. */
function joined(parts: readonly (string | Print)[]): Print {
  const [only] = parts
  const prints: Print[] = []
  const texts: string[] = ['']
  for (const part of parts) {
    if (typeof part === 'string') texts[texts.length - 1] += part
    else {
      prints.push(part)
      texts.push('')
    }
  }
  if (parts.length === 1 && typeof only === 'function') return only
  const print: Print = record => {
    let text = texts[0]!
    for (let at = 0; at < prints.length; at++) text += prints[at]!(record) + texts[at + 1]!
    return text
  }
  const by = basisOf(prints)
  return by === undefined ? print : dependsOn(by, print)
}

type PartsOf = (record: RecordView) => LineParts

/** Lines in parts, where the message stands in them once, and all else is the same for many. */
function framed(parts: readonly (string | Print)[]): PartsOf | null {
  const at = parts.indexOf(message)
  const before = joined(parts.slice(0, at))
  const after = joined(parts.slice(at + 1))
  // The end of the line has to be certain.
  const isFramed = at >= 0 && at < parts.length - 1 && before.by !== undefined && after.by !== undefined
  return isFramed ? inParts(before, after) : null
}

/**
 * Makes lines, each with a newline at its end.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a pattern that says nothing
 */
export function patternFormatter(options: PatternOptions): Layout {
  const compiler = new PatternCompiler(options)
  const parts = compiler.parts(options.pattern)
  const print = joined(parts)
  const addsStack = options.alwaysWriteExceptions && !compiler.hasThrowable
  const endsLine = /(?:%n|\\n|\n)$/.test(options.pattern) && !/%%n$|\\\\n$/.test(options.pattern)
  const stackOf = (record: RecordView): string => (addsStack ? record.stack(options.errorKey) : '')
  const line = (record: RecordView): string => {
    const stack = stackOf(record)
    const text = print(record)
    // Asked of the pattern, where that can tell: the text is not one piece yet.
    if (stack === '') return endsLine || text.endsWith('\n') ? text : `${text}\n`
    return `${text}${text.endsWith('\n') ? '' : '\n'}${stack}\n`
  }
  const frame = endsLine ? framed(parts) : null
  if (frame === null) return line
  return Object.assign(line, { parts: (record: RecordView) => (stackOf(record) === '' ? frame(record) : null) })
}
