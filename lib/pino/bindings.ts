/** Bindings: fields that every line of a logger carries, made into JSON once. */

import { serializedAgain } from './error-fields'
import { FAILURES_KEY, Failures } from './failures'
import type { Internals, Serializers, Stringify } from './internals'
import { stringify as asJson, quote, quoteExactly } from './stringify'
import {
  chindingsSym,
  errorTextSym,
  formattersSym,
  serializersSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  wildcardFirstSym
} from './symbols'
import type { Bindings } from './types'

/** Names that the second argument of `child` has taken over; as bindings they are not written. */
const isReserved = (key: string): boolean =>
  key === 'level' || key === 'serializers' || key === 'formatters' || key === 'customLevels'

/** What making bindings into JSON needs of a logger. */
export type BindingsContext = Pick<
  Internals,
  | typeof chindingsSym
  | typeof errorTextSym
  | typeof formattersSym
  | typeof serializersSym
  | typeof stringifiersSym
  | typeof stringifySafeSym
  | typeof stringifySym
>

/** The logger's bindings with `bindings` added, as JSON text with a comma before each. One that throws costs itself. */
export function appendBindings(logger: BindingsContext, bindings: Bindings | null | undefined): string {
  try {
    return appendAll(logger, bindings)
  } catch {
    return appendGuarded(logger, bindings)
  }
}

function appendGuarded(logger: BindingsContext, bindings: Bindings | null | undefined): string {
  const failures = new Failures(Boolean(logger[errorTextSym]))
  const format = (): Bindings => logger[formattersSym].bindings(bindings as Bindings) ?? {}
  const shaped: Bindings = failures.guard('formatters.bindings', format, {})
  let text = logger[chindingsSym]
  for (const key of failures.guard('bindings', () => Object.keys(shaped), [])) {
    if (isReserved(key)) continue
    const place = logger[serializersSym][key] ? `serializers.${key}` : `binding ${key}`
    const value = failures.guard(place, () => bindingText(logger, key, shaped[key]), undefined)
    if (value !== undefined) text += `,${quote(key)}:${value}`
  }
  const said = failures.text && bindingText(logger, FAILURES_KEY, failures.text)
  return said ? `${text},"${FAILURES_KEY}":${said}` : text
}

function appendAll(logger: BindingsContext, bindings: Bindings | null | undefined): string {
  let text = logger[chindingsSym]
  const shaped = logger[formattersSym].bindings(bindings as Bindings) ?? {}
  for (const key of Object.keys(shaped)) {
    if (isReserved(key)) continue
    const value = bindingText(logger, key, shaped[key])
    if (value !== undefined) text += `,${quote(key)}:${value}`
  }
  return text
}

function bindingText(logger: BindingsContext, key: string, value: unknown): string | undefined {
  if (value === undefined) return undefined
  const serializers: Serializers = logger[serializersSym]
  const serializer = serializers[key]
  const shaped = serializer ? serialized(serializer, value) : value
  const stringifiers = logger[stringifiersSym]
  const stringify: Stringify = stringifiers[key] ?? stringifiers[wildcardFirstSym] ?? logger[stringifySym]
  // The id of a request, nearly always.
  if (typeof shaped === 'string' && stringify === asJson) return quoteExactly(shaped)
  return stringify(shaped, logger[stringifySafeSym])
}

function serialized(serializer: (value: unknown) => unknown, value: unknown): unknown {
  try {
    return serializer(value)
  } catch {
    return serializedAgain(serializer, value)
  }
}

/** The bindings as they are written, without what every process's logger has. */
export function readBindings(logger: Internals): Bindings {
  const bindings = JSON.parse(`{${logger[chindingsSym].slice(1)}}`) as Bindings
  delete bindings.pid
  delete bindings.hostname
  return bindings
}
