/** The option `redact`: a serializer for each top-level field that holds something to hide. */

import redactor from '@pinojs/redact'
import { branchesOf, copyAlong } from './copy-along'
import type { Internals, Stringify } from './internals'
import { stringify } from './stringify'
import { formatOptsSym, redactFmtSym, stringifiersSym, wildcardFirstSym } from './symbols'

/** JSON text of a field whose value needs hiding in it. */
export type Stringifier = (value: unknown) => string | undefined

/** Serializers by top-level field; one for all others under the wildcard symbol. */
export interface Stringifiers {
  [key: string]: Stringifier | undefined
  [wildcardFirstSym]?: Stringifier
  /** For objects put into messages. */
  [redactFmtSym]?: Stringifier
}

type CensorFn = (value: unknown, path: string[]) => unknown

interface Redaction {
  paths: string[]
  censor: unknown
  remove: boolean | undefined
}

type FieldKey = string | typeof wildcardFirstSym

/** One step of a path: a name, or a name, index or `*` in brackets. */
const STEP = /[^.[\]]+|\[([^[\]]*?)\]/g
const QUOTED = /^(["'`])(.*)\1$/

/** What a logger without redaction has: shared, since loggers only read it. */
export const NO_STRINGIFIERS: Stringifiers = Object.freeze(Object.create(null) as Stringifiers)

/** @throws if it is neither an array of paths nor an object with one */
function parseOption(option: unknown): Redaction {
  if (Array.isArray(option)) return { paths: option as string[], censor: '[Redacted]', remove: undefined }
  const { paths, censor = '[Redacted]', remove } = option as Partial<Redaction>
  if (!Array.isArray(paths)) throw Error('pino – redact must contain an array of strings')
  return { paths, censor: remove === true ? undefined : censor, remove }
}

/** The top-level field that a path begins with, and where the rest of the path begins (-1: nowhere). */
function splitPath(path: string): { key: FieldKey; rest: number } {
  STEP.lastIndex = 0
  const first = STEP.exec(path)
  if (!first) return { key: path, rest: -1 }
  const next = STEP.exec(path)
  const name = first[1] === undefined ? first[0] : first[1].replace(QUOTED, '$2')
  return { key: name === '*' ? wildcardFirstSym : name, rest: next ? next.index : -1 }
}

/**
 * Paths below each top-level field; null where the field itself is hidden. What is hidden below every field (`*.x`) is
 * listed with each field named.
 */
function groupByField(paths: string[]): Map<FieldKey, string[] | null> {
  const groups = new Map<FieldKey, string[] | null>()
  for (const path of paths) addPath(groups, path)
  return groups
}

function addPath(groups: Map<FieldKey, string[] | null>, path: string): void {
  const { key, rest } = splitPath(path)
  if (rest < 0) {
    groups.set(key, null)
    return
  }
  const known = groups.get(key)
  if (known === null) return
  const below = path.slice(rest)
  if (key === wildcardFirstSym) {
    for (const [field, list] of groups) if (field !== wildcardFirstSym) list?.push(below)
  }
  const list = known ?? (key === wildcardFirstSym ? [] : [...(groups.get(wildcardFirstSym) ?? [])])
  list.push(below)
  groups.set(key, list)
}

function wholeField(key: FieldKey, censor: unknown, stringify: Stringify): Stringifier {
  if (typeof censor !== 'function') return () => stringify(censor)
  return value => stringify((censor as CensorFn)(value, [key as string]))
}

function belowField(key: FieldKey, paths: string[], { censor, remove }: Redaction, stringify: Stringify): Stringifier {
  const own = typeof censor === 'function' ? censor : undefined
  const nested = own ? (value: unknown, path: string[]) => own(value, [key as string, ...path]) : censor
  return build(paths, nested, remove, stringify)
}

function build(paths: string[], censor: unknown, remove: boolean | undefined, stringify: Stringify): Stringifier {
  const options = { paths, censor, serialize: stringify, strict: false, remove } as redactor.RedactOptions
  const redact = redactor(options) as Stringifier
  const branches = branchesOf(paths)
  return branches === null ? redact : value => redact(copyAlong(value, branches))
}

/**
 * Serializers for what `option` hides.
 *
 * @param option the option `redact`; null or undefined for none
 * @throws if a path is no string or cannot be read
 */
function redaction(option: unknown, stringify: Stringify): Stringifiers {
  if (!option) return NO_STRINGIFIERS
  const parsed = parseOption(option)
  // Built first, since it checks the paths.
  const whole = build(parsed.paths, parsed.censor, parsed.remove, stringify)
  const stringifiers = Object.create(null) as Stringifiers
  stringifiers[redactFmtSym] = whole
  for (const [key, paths] of groupByField(parsed.paths)) {
    stringifiers[key as string] =
      paths === null ? wholeField(key, parsed.censor, stringify) : belowField(key, paths, parsed, stringify)
  }
  return stringifiers
}

/**
 * What a logger keeps of the option `redact`.
 *
 * @param safe serializer for values that `JSON.stringify` refuses
 * @throws if a path is no string or cannot be read
 */
export function redactionState(
  option: unknown,
  safe: Stringify
): Pick<Internals, typeof stringifiersSym | typeof formatOptsSym> {
  const toText: Stringify = value => stringify(value, safe)
  const stringifiers = redaction(option, toText)
  return {
    [stringifiersSym]: stringifiers,
    [formatOptsSym]: { stringify: stringifiers[redactFmtSym] ?? toText }
  }
}
