/**
 * Lines of records whose making failed: a getter, serializer, mixin, formatter or hook threw. The
 * call does not throw; the line has what can be had, and says where what failed.
 */

import type { Fields, Internals } from './context'
import { formatMessage, isHttpObject, kindOf, loggedObject, serializedAgain, textOf, trailingFields } from './fields'
import { errorMessage, type Made, nestedStart, setStreamMetadata, valueText, writeLine } from './json-line'
import { quote } from './json-text'
import {
  boundSym,
  endSym,
  errorKeySym,
  errorTextSym,
  formatOptsSym,
  formattersSym,
  hooksSym,
  lsCacheSym,
  messageKeySym,
  mixinMergeStrategySym,
  mixinSym,
  msgPrefixSym,
  nestedKeySym,
  serializersSym,
  streamSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSym,
  wildcardFirstSym
} from './symbols'

// What failed, and how the line says so.

/** Key of the text that says what went wrong. */
export const FAILURES_KEY = 'loggingError'
/** Most places that one line names. */
const MAX_PLACES = 5

/** Failures of one record: where, and of what kind. */
export class Failures {
  readonly #places: string[] = []
  readonly #withText: boolean
  /** Whether something that failed was made up for, so that the line lacks nothing. */
  repaired = false

  /** @param withText whether to tell the text of what was thrown too */
  constructor(withText: boolean) {
    this.#withText = withText
  }

  note(place: string, thrown: unknown): void {
    if (this.#places.length === MAX_PLACES) return
    const kind = `${kindOf(thrown)} in ${place}`
    const said = this.#withText ? `${kind}: ${textOf(thrown)}` : kind
    if (!this.#places.includes(said)) this.#places.push(said)
  }

  /** Calls `make`; what it throws is noted, and `otherwise` returned. */
  guard<Result, Other>(place: string, make: () => Result, otherwise: Other): Result | Other {
    try {
      return make()
    } catch (thrown) {
      this.note(place, thrown)
      return otherwise
    }
  }

  /** The text for the line; undefined if nothing failed. */
  get text(): string | undefined {
    return this.#places.length === 0 ? undefined : this.#places.join(', ')
  }
}

// The line. Each step is tried by itself: a failure costs the part that it would have made and no
// more, unless it may have hidden something in the rest. Then that is left out too.

/** A line and what it was made of. */
interface GuardedLine extends Made {
  line: string
}

/**
 * A value that has no text of its own, as it stands in a message: as what `%j` says of it, which is
 * redacted.
 */
function printable(logger: Internals, value: unknown): unknown {
  try {
    if (typeof value === 'symbol') return String(value)
    String(value)
    Number(value)
    return value
  } catch {
    try {
      return logger[formatOptsSym].stringify(value)
    } catch {
      return '[unprintable]'
    }
  }
}

/** The message with prefix and placeholders filled in, as far as that can be had. */
function guardedMessage(
  logger: Internals,
  failures: Failures,
  prefix: unknown,
  message: unknown,
  values: readonly unknown[]
): unknown {
  const fill = (text: unknown, filling: readonly unknown[]): unknown => {
    const prefixed = typeof prefix === 'string' && text != null ? prefix + String(text) : text
    return filling.length === 0 ? prefixed : formatMessage(prefixed, filling, logger[formatOptsSym])
  }
  const attempt = failures.guard('message', () => [fill(message, values)], null)
  if (attempt) return attempt[0]
  const printed = values.map(value => printable(logger, value))
  return failures.guard('message', () => fill(printable(logger, message), printed), undefined)
}

function isError(value: object): boolean {
  try {
    return value instanceof Error
  } catch {
    return false // A proxy that has been revoked, or says nothing of its prototype; its keys will tell.
  }
}

/** @throws TypeError if a mixin has given no object */
function asObject(mixed: unknown): object {
  if (typeof mixed === 'object' && mixed !== null) return mixed
  throw new TypeError('a mixin must return an object')
}

/** The fields with those of the mixin. */
function mixed(logger: Internals, failures: Failures, fields: object, level: number): object {
  const mixin = logger[mixinSym]
  if (!mixin) return fields
  const added = failures.guard('mixin', () => asObject(mixin(fields, level, logger)), null)
  if (added === null) return fields
  const merge = logger[mixinMergeStrategySym]
  if (merge) return failures.guard('mixinMergeStrategy', () => merge(fields, added), {})
  // Field by field below: one that cannot be read must not keep the others from the line.
  return joined(added, fields)
}

/** An object with the fields of both, the latter's winning, none of which has been read yet. */
function joined(first: object, second: object): object {
  const all = {}
  for (const source of [first, second]) {
    for (const key of keysOf(source)) {
      Object.defineProperty(all, key, {
        get: () => (source as Fields)[key],
        enumerable: true,
        configurable: true
      })
    }
  }
  return all
}

/** Own enumerable keys; none of what cannot tell them. */
function keysOf(fields: object): string[] {
  try {
    return Object.keys(fields)
  } catch {
    return []
  }
}

function formatted(logger: Internals, failures: Failures, fields: object): object {
  const format = logger[formattersSym].log
  // It may be what hides things.
  return format ? failures.guard('formatters.log', () => format(fields as Fields), {}) : fields
}

function serialized(logger: Internals, failures: Failures, key: string, value: unknown): unknown {
  const serializers = logger[serializersSym]
  const serializer = serializers[key] || (key === logger[errorKeySym] ? serializers.err : undefined)
  if (!serializer || value === undefined) return value
  try {
    return serializer(value)
  } catch {
    const again = failures.guard(`serializers.${key}`, () => [serializedAgain(serializer, value)], null)
    if (again) failures.repaired = true
    return again?.[0]
  }
}

function text(logger: Internals, failures: Failures, key: string, value: unknown): string | undefined {
  const stringifiers = logger[stringifiersSym]
  const stringifier = stringifiers[key] ?? stringifiers[wildcardFirstSym]
  const make = (): string | undefined => valueText(value, stringifier, logger[stringifySym], logger[stringifySafeSym])
  return failures.guard(stringifier ? `redact.${key}` : `field ${key}`, make, undefined)
}

function fieldsText(logger: Internals, failures: Failures, fields: object): string {
  let all = ''
  for (const key of failures.guard('fields', () => Object.keys(fields), [])) {
    const value = failures.guard(`field ${key}`, () => (fields as Fields)[key], undefined)
    const json = text(logger, failures, key, serialized(logger, failures, key, value))
    if (json !== undefined) all += `,${quote(key)}:${json}`
  }
  return all
}

function messageText(logger: Internals, failures: Failures, message: unknown): string {
  if (message === undefined) return ''
  const key = logger[messageKeySym]
  const serializer = logger[serializersSym][key]
  const shaped = serializer ? failures.guard(`serializers.${key}`, () => serializer(message), undefined) : message
  const json = text(logger, failures, key, shaped)
  return json === undefined ? '' : `,${quote(String(key))}:${json}`
}

function failureText(logger: Internals, failures: Failures): string {
  const said = failures.text
  if (said === undefined) return ''
  const json = text(logger, failures, FAILURES_KEY, said)
  return json === undefined ? '' : `,"${FAILURES_KEY}":${json}`
}

/**
 * The line after the hook that may hide things in it; without fields and message if the hook fails.
 */
function hooked(logger: Internals, failures: Failures, line: string, bare: () => string): string {
  const hook = logger[hooksSym].streamWrite
  if (!hook) return line
  return failures.guard('hooks.streamWrite', () => hook(line), null) ?? bare()
}

/**
 * The line of a record, each of whose parts is tried by itself.
 *
 * @param failures what has failed already; what fails now is noted there
 */
function guardedLine(
  logger: Internals,
  failures: Failures,
  object: object | null | undefined,
  given: unknown,
  level: number
): GuardedLine {
  const time = failures.guard('timestamp', () => logger[timeSym](), '')
  const logged = object ?? {}
  const own = isError(logged) ? { [logger[errorKeySym]]: logged } : logged
  const message = given === undefined ? failures.guard('fields', () => errorMessage(logger, logged), undefined) : given
  const fields = formatted(logger, failures, mixed(logger, failures, own, level)) ?? {}
  const body = fieldsText(logger, failures, fields)
  const last = messageText(logger, failures, message)
  const start = (logger[lsCacheSym][level] ?? '') + time + logger[boundSym].text
  const nestedKey = logger[nestedKeySym]
  const nested = nestedKey && body ? `${nestedStart(logger, nestedKey) + body.slice(1)}}` : body
  const end = logger[endSym]
  const line = start + nested + failureText(logger, failures) + last + end
  const bare = (): string => start + failureText(logger, failures) + end
  return { line: hooked(logger, failures, line, bare), time, fields, message }
}

// Writing the line of a call, a record, or a hook that failed.

interface Record {
  fields: object | null | undefined
  message: unknown
}

function failuresOf(logger: Internals): Failures {
  return new Failures(Boolean(logger[errorTextSym]))
}

/** The object whose fields join the line, of what a call was given first. */
function guardedObject(failures: Failures, first: object): object | null {
  const isHttp = failures.guard('fields', () => isHttpObject(first), false)
  return isHttp ? failures.guard('fields', () => loggedObject(first), null) : first
}

/** What the arguments of a level method say, as `log-call.ts` reads them. */
function recordOf(logger: Internals, failures: Failures, level: number, args: readonly unknown[]): Record {
  const [first, ...rest] = args
  const prefix = logger[msgPrefixSym]
  if (typeof first === 'object') {
    const fields = first === null ? null : guardedObject(failures, first)
    const message = first === null && rest.length === 0 ? null : rest[0]
    return { fields, message: guardedMessage(logger, failures, prefix, message, rest.slice(1)) }
  }
  const [message, values] = first === undefined ? [rest[0], rest.slice(1)] : [first, rest]
  const joins =
    values.length === 1 && first !== undefined ? () => trailingFields(logger, level, first, values[0]) : null
  const joining = joins && failures.guard('fields', joins, null)
  return {
    fields: joining && guardedObject(failures, joining),
    message: guardedMessage(logger, failures, prefix, message, values)
  }
}

function write(logger: Internals, failures: Failures, record: Record, level: number, thrown: unknown): void {
  // What fails a second time says where.
  const made = guardedLine(logger, failures, record.fields, record.message, level)
  const isExplained = failures.repaired || failures.text !== undefined
  const line = isExplained ? made.line : again(logger, failures, record, level, thrown)
  const stream = logger[streamSym]
  setStreamMetadata(stream, logger, level, made)
  writeLine(stream, line)
}

/** The line of a record that fails only now and then. */
function again(logger: Internals, failures: Failures, record: Record, level: number, thrown: unknown): string {
  failures.note('the call', thrown)
  return guardedLine(logger, failures, record.fields, record.message, level).line
}

/**
 * Writes what can be said of a record that could not be made.
 *
 * @param args what the level method was called with
 * @param thrown what came up
 */
export function writeErrorLine(logger: Internals, level: number, args: readonly unknown[], thrown: unknown): void {
  const failures = failuresOf(logger)
  write(logger, failures, recordOf(logger, failures, level, args), level, thrown)
}

/** As `writeErrorLine`, of a record that has come as far as `logger[writeSym]`. */
export function writeRecordErrorLine(
  logger: Internals,
  fields: object | null | undefined,
  message: unknown,
  level: number,
  thrown: unknown
): void {
  write(logger, failuresOf(logger), { fields, message }, level, thrown)
}

/**
 * As `writeErrorLine`, where the hook `logMethod` failed: it may be what hides things in the
 * fields.
 */
export function writeHookErrorLine(logger: Internals, level: number, args: readonly unknown[], thrown: unknown): void {
  const failures = failuresOf(logger)
  failures.note('hooks.logMethod', thrown)
  const message = args.find(argument => typeof argument === 'string')
  write(logger, failures, { fields: null, message }, level, thrown)
}
