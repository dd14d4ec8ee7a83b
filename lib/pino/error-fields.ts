/** Errors that `pino-std-serializers` cannot serialize: frozen ones, those whose getters throw, causes without end. */

import { kindOf } from './failures'
import { stdSerializers } from './serializers'

type Fields = Record<string, unknown>
type Serializer = (value: unknown) => unknown

/** Causes and nested errors beyond this are left out. */
const MOST_CAUSES = 50
const MOST_DEPTH = 5
const STANDARD: ReadonlySet<unknown> = new Set([stdSerializers.err, stdSerializers.errWithCause])
/** The serializers put a symbol of this description on an error while they look at it, and leave it there if they throw. */
const TAG = 'circular-ref-tag'

/** The value of a property, or what kind of thing its getter throws. */
function read(object: object, key: PropertyKey): unknown {
  try {
    return (object as Record<PropertyKey, unknown>)[key]
  } catch (thrown) {
    return `[threw ${kindOf(thrown)}]`
  }
}

function isErrorLike(value: unknown): value is object {
  return typeof value === 'object' && value !== null && typeof read(value, 'message') === 'string'
}

function text(error: object, key: 'message' | 'stack'): string {
  const value = read(error, key)
  return typeof value === 'string' ? value : ''
}

/** An error and what caused it, and so on. */
function chain(error: object): object[] {
  const found: object[] = []
  let next: unknown = error
  while (isErrorLike(next) && !found.includes(next) && found.length < MOST_CAUSES) {
    found.push(next)
    next = read(next, 'cause')
  }
  return found
}

function typeOf(error: object): unknown {
  const maker = read(error, 'constructor')
  return typeof maker === 'function' ? read(maker, 'name') : read(error, 'name')
}

function keysOf(error: object): string[] {
  const keys: string[] = []
  try {
    for (const key in error) keys.push(key)
  } catch {
    // A proxy that lists no more than these.
  }
  return keys
}

function fieldsOf(error: object, above: readonly object[]): Fields {
  const causes = chain(error)
  const fields: Fields = {
    type: typeOf(error),
    message: causes.map(cause => text(cause, 'message')).join(': '),
    stack: causes.map(cause => text(cause, 'stack')).join('\ncaused by: ')
  }
  const path = [...above, error]
  const nested = (value: unknown): unknown => {
    if (!isErrorLike(value)) return value
    return path.includes(value) || path.length > MOST_DEPTH ? '[Circular]' : fieldsOf(value, path)
  }
  const errors = read(error, 'errors')
  if (Array.isArray(errors)) fields.aggregateErrors = errors.slice(0, MOST_CAUSES).map(nested)
  for (const key of keysOf(error)) {
    if (fields[key] === undefined && key !== 'cause') fields[key] = nested(read(error, key))
  }
  return fields
}

/** Takes back what a serializer that threw has left on an error. */
function untag(error: object): void {
  for (const key of Object.getOwnPropertySymbols(error)) {
    if (key.description === TAG) Reflect.deleteProperty(error, key)
  }
}

/** A copy of a frozen error that serializers can put their mark on. */
function extensible(error: object): object {
  const stack: PropertyDescriptor = { value: read(error, 'stack'), configurable: true, writable: true }
  return Object.create(Object.getPrototypeOf(error), { ...Object.getOwnPropertyDescriptors(error), stack }) as object
}

function cleanUp(value: object): void {
  for (const error of chain(value)) untag(error)
  for (const key of keysOf(value)) {
    const inner = read(value, key)
    if (isErrorLike(inner)) untag(inner)
  }
}

/**
 * What `serializer`, which has thrown, makes of a value that it can be helped with: a frozen error, or for pino's own serializers any error.
 *
 * @throws what the serializer throws of others
 */
export function serializedAgain(serializer: Serializer, value: unknown): unknown {
  if (!isErrorLike(value)) return serializer(value)
  cleanUp(value)
  try {
    return serializer(Object.isExtensible(value) ? value : extensible(value))
  } catch (thrown) {
    cleanUp(value)
    if (!STANDARD.has(serializer)) throw thrown
    return fieldsOf(value, [])
  }
}
