/**
 * Where a configuration comes from: a file of YAML or JSON, or an object. Its values, with
 * variables of the environment replaced, and the line of each.
 */

import fs from 'node:fs'
import { inspect } from 'node:util'
import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'
import { fromSystemError, ShardlogError } from '../errors'

/** Keys and indexes from the top, as they are written. */
export type Path = readonly (string | number)[]

/** One thing that is wrong with a configuration. */
export interface ConfigProblem {
  /** Where: 'appenders.file.batch_size'; '' for the whole. */
  readonly path: string
  /** Line of the file, from 1; null where the configuration is an object. */
  readonly line: number | null
  /** The value that is there; undefined if it is missing. */
  readonly value: unknown
  /** What is wrong, and what is allowed. */
  readonly message: string
}

/** Problems shown in an error's message; all are in its property. */
const SHOWN = 20

function sentence({ path, line, message }: ConfigProblem): string {
  const where = [line === null ? '' : `line ${line}`, path].filter(Boolean).join(', ')
  return `  ${where === '' ? '' : `${where}: `}${message}`
}

/** A configuration that cannot be used: `ERR_SHARDLOG_CONFIG`, with every problem at once. */
export class ConfigurationError extends ShardlogError {
  readonly problems: readonly ConfigProblem[]

  /** @param source the file, or what else it came from */
  constructor(source: string, problems: readonly ConfigProblem[], cause?: unknown) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`
    const rest = problems.length > SHOWN ? [`  ... and ${problems.length - SHOWN} more`] : []
    super(
      'ERR_SHARDLOG_CONFIG',
      [`${source}: ${count}`, ...problems.slice(0, SHOWN).map(sentence), ...rest].join('\n'),
      { cause }
    )
    this.problems = problems
  }
}

/** A value as messages show it. */
export function show(value: unknown): string {
  const isPlain = value === null || typeof value !== 'string'
  const text = inspect(value, {
    depth: 1,
    maxStringLength: 80,
    maxArrayLength: 5,
    breakLength: Number.POSITIVE_INFINITY
  })
  return isPlain && typeof value !== 'object' ? `${text} (${typeof value})` : text
}

/** What was read: the values, and how to say where one of them stands. */
export interface Source {
  /** The file's path, or 'the configuration' for an object. */
  readonly name: string
  /** The file's path; null for an object. */
  readonly file: string | null
  readonly value: unknown
  /** Values that variables made: whether one of these, as text, may also be a number or boolean. */
  isFromEnvironment(path: Path): boolean
  problem(path: Path, value: unknown, message: string): ConfigProblem
}

export const pathText = (path: Path): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`
    const isWord = /^[\w-]+$/.test(part)
    if (!isWord) return `${text}[${JSON.stringify(part)}]`
    return text === '' ? part : `${text}.${part}`
  }, '')

// Variables.

/** `${NAME}`, `${NAME:-default}`; `$${` is a `${` of the text's own. */
const VARIABLE = /\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}|\$\{[^}]*\}?/g

type Environment = Readonly<Record<string, string | undefined>>

/** The text with its variables replaced; `tell` is called with what is wrong with one. */
function interpolate(text: string, environment: Environment, tell: (message: string) => void): string {
  return text.replace(VARIABLE, (whole: string, name?: string, fallback?: string) => {
    if (whole === '$${') return '${'
    if (name === undefined) {
      tell(`${show(whole)} is no variable: \${NAME} or \${NAME:-default}; a \${ itself is written $\${`)
      return whole
    }
    const value = environment[name]
    // As a shell has it, `:-` also stands in for an empty value.
    if (fallback?.includes('${')) tell(`${show(`${whole}…`)}: a default cannot have a variable in it`)
    if (value !== undefined && !(value === '' && fallback !== undefined)) return value
    if (fallback !== undefined) return fallback
    tell(`the environment has no variable ${name}: set it, or give a default, \${${name}:-default}`)
    return whole
  })
}

/**
 * Deeper values, and more of them, are refused: no configuration has them, objects that contain
 * themselves do.
 */
const MAX_DEPTH = 32
const MAX_VALUES = 100_000

interface Replaced {
  readonly value: unknown
  readonly paths: ReadonlySet<string>
}

const keyOf = (path: Path): string => JSON.stringify(path)

/** A copy of plain objects and arrays in which the variables of all strings are replaced. */
function replaceVariables(
  root: unknown,
  environment: Environment,
  tell: (path: Path, message: string) => void
): Replaced {
  const paths = new Set<string>()
  let count = 0

  function isTooMuch(path: Path): boolean {
    count++
    if (count === MAX_VALUES) tell([], `has more than ${MAX_VALUES} values`)
    if (path.length === MAX_DEPTH && count < MAX_VALUES) tell(path, `is more than ${MAX_DEPTH} levels deep`)
    return path.length >= MAX_DEPTH || count >= MAX_VALUES
  }

  function copy(value: unknown, path: Path): unknown {
    if (typeof value === 'string') {
      if (!value.includes('${')) return value
      paths.add(keyOf(path))
      return interpolate(value, environment, message => tell(path, message))
    }
    if (typeof value !== 'object' || value === null) return value
    if (isTooMuch(path)) return null
    if (Array.isArray(value)) return value.map((item, index) => copy(item, [...path, index]))
    if (value instanceof Date || value instanceof Uint8Array) return value
    const made: Record<string, unknown> = {}
    for (const [key, item] of Object.entries(value)) {
      // An assignment to `__proto__` would set the prototype.
      Object.defineProperty(made, key, {
        value: copy(item, [...path, key]),
        enumerable: true,
        configurable: true,
        writable: true
      })
    }
    return made
  }

  return { value: copy(root, []), paths }
}

// Places.

/**
 * The offset at which the key or item that `path` leads to begins; that of its parent if it is
 * missing.
 */
function offsetOf(document: Document, path: Path): number {
  let node: unknown = document.contents
  let offset = 0
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part))
      if (!isPair(pair)) return offset
      offset = (isScalar(pair.key) ? pair.key.range?.[0] : undefined) ?? offset
      node = pair.value
    } else if (isSeq(node)) {
      const item = node.items[Number(part)] as { range?: [number, number, number] } | undefined
      if (item === undefined) return offset
      offset = item.range?.[0] ?? offset
      node = item
    } else return offset
  }
  return offset
}

/** Of the first alias whose anchor is not there; else of the last one: there are too many. */
function offsetOfAlias(document: Document): number {
  let offset = 0
  visit(document, {
    Alias: (_key, alias) => {
      offset = alias.range?.[0] ?? offset
      return alias.resolve(document) === undefined ? visit.BREAK : undefined
    }
  })
  return offset
}

function checkedSource(
  file: string | null,
  raw: unknown,
  environment: Environment,
  lineOf: (path: Path) => number | null
): Source {
  const name = file ?? 'the configuration'
  const problems: ConfigProblem[] = []
  const problem = (path: Path, value: unknown, message: string): ConfigProblem => ({
    path: pathText(path),
    line: lineOf(path),
    value,
    message
  })
  const { value, paths } = replaceVariables(raw, environment, (path, message) =>
    problems.push(problem(path, undefined, message))
  )
  if (problems.length > 0) throw new ConfigurationError(name, problems)
  return { name, file, value, isFromEnvironment: path => paths.has(keyOf(path)), problem }
}

/**
 * A configuration's text. JSON is YAML, so that one parser tells lines of both.
 *
 * @throws ConfigurationError
 */
export function parseSource(name: string, text: string, environment: Environment = process.env): Source {
  const lines = new LineCounter()
  // Tabs indent JSON as often as spaces; YAML has none there.
  const isJson = /^\s*\{/.test(text)
  const given = isJson ? text.replace(/^\t+/gm, tabs => ' '.repeat(tabs.length)) : text
  const document = parseDocument(given.replace(/^\uFEFF/, ' '), {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent'
  })
  if (document.errors.length > 0) {
    const problems = document.errors.map(error => ({
      path: '',
      line: lines.linePos(error.pos[0]).line,
      value: undefined,
      message: error.message
    }))
    throw new ConfigurationError(name, problems)
  }
  let raw: unknown
  try {
    raw = document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    const { line } = lines.linePos(offsetOfAlias(document))
    throw new ConfigurationError(name, [{ path: '', line, value: undefined, message: (cause as Error).message }], cause)
  }
  return checkedSource(name, raw, environment, path => lines.linePos(offsetOf(document, path)).line || 1)
}

/** @throws ConfigurationError if the file cannot be read, or is no YAML or JSON */
export function readSource(file: string, environment: Environment = process.env): Source {
  let text: string
  try {
    text = fs.readFileSync(file, 'utf8')
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_CONFIG', `cannot read the configuration ${file}`, error, file)
  }
  return parseSource(file, text, environment)
}

/** @throws ConfigurationError */
export function objectSource(value: unknown, environment: Environment = process.env): Source {
  return checkedSource(null, value, environment, () => null)
}
