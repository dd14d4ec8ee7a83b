/**
 * Lines of records whose making failed: a getter, serializer, mixin, formatter or hook threw. Each step is tried by itself, so that what fails
 * costs what it would have made and no more, unless it may have hidden something in the rest: then that is left out too.
 */

import { nestedStart, valueText } from './as-json'
import { serializedAgain } from './error-fields'
import { errorMessage } from './error-message'
import { FAILURES_KEY, type Failures } from './failures'
import { formatMessage } from './format-args'
import type { Fields, Internals } from './internals'
import { quote } from './stringify'
import {
  chindingsSym,
  endSym,
  errorKeySym,
  formatOptsSym,
  formattersSym,
  hooksSym,
  lsCacheSym,
  messageKeySym,
  mixinMergeStrategySym,
  mixinSym,
  nestedKeySym,
  serializersSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSym,
  wildcardFirstSym
} from './symbols'

/** A line and what it was made of. */
export interface GuardedLine {
  line: string
  time: string
  fields: object
  message: unknown
}

/** A value that has no text of its own, as it stands in a message: as what `%j` says of it, which is redacted. */
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
export function guardedMessage(
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
    if (again) failures.mended = true
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

/** The line after the hook that may hide things in it; without fields and message if the hook fails. */
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
export function guardedLine(
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
  const start = (logger[lsCacheSym][level] ?? '') + time + logger[chindingsSym]
  const nestedKey = logger[nestedKeySym]
  const nested = nestedKey && body ? `${nestedStart(logger, nestedKey) + body.slice(1)}}` : body
  const end = logger[endSym]
  const line = start + nested + failureText(logger, failures) + last + end
  const bare = (): string => start + failureText(logger, failures) + end
  return { line: hooked(logger, failures, line, bare), time, fields, message }
}
