/** A record as a line of JSON. */

import { traced } from './diagnostics'
import type { Fields, Internals, Stringify } from './internals'
import { NO_STRINGIFIERS, type Stringifier } from './redaction'
import { quote } from './stringify'
import {
  chindingsSym,
  endSym,
  errorKeySym,
  formattersSym,
  lsCacheSym,
  messageKeySym,
  nestedKeyStrSym,
  nestedKeySym,
  serializersSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  wildcardFirstSym
} from './symbols'

const hasOwn = Object.prototype.hasOwnProperty

/** JSON text of a value, or undefined if it is not written. `stringifier` is what redaction has for its key. */
export function valueText(
  value: unknown,
  stringifier: Stringifier | undefined,
  stringify: Stringify,
  safe: Stringify
): string | undefined {
  switch (typeof value) {
    case 'undefined':
    case 'function':
      return undefined
    case 'number': {
      const number = Number.isFinite(value) ? value : null
      return stringifier ? stringifier(number) : `${number}`
    }
    case 'boolean':
      return stringifier ? stringifier(value) : `${value}`
    case 'string':
      return stringifier ? stringifier(value) : quote(value)
    default:
      return stringifier ? stringifier(value) : stringify(value, safe)
  }
}

/** The fields as JSON text with a comma before each. */
function fieldsText(logger: Internals, fields: Fields): string {
  // Read once: these lie on the prototype chain of a child.
  const serializers = logger[serializersSym]
  const stringifiers = logger[stringifiersSym]
  const isRedacted = stringifiers !== NO_STRINGIFIERS
  const wildcard = stringifiers[wildcardFirstSym]
  const stringify = logger[stringifySym]
  const safe = logger[stringifySafeSym]
  const errorKey = logger[errorKeySym]
  let text = ''
  for (const key in fields) {
    const value = fields[key]
    if (value === undefined || !hasOwn.call(fields, key)) continue
    // An error under another `errorKey` is serialized as one under `err` is.
    const serializer = serializers[key] || (key === errorKey ? serializers.err : undefined)
    const shaped = serializer ? serializer(value) : value
    const json = valueText(shaped, isRedacted ? (stringifiers[key] ?? wildcard) : undefined, stringify, safe)
    if (json !== undefined) text += `,${quote(key)}:${json}`
  }
  return text
}

// Nearly always the same key.
let recentKey = 'msg'
let recentStart = ',"msg":'

/** What a message begins with. */
function messageStart(key: string): string {
  if (key !== recentKey) {
    recentKey = key
    recentStart = `,${quote(String(key))}:`
  }
  return recentStart
}

function messageText(logger: Internals, message: unknown): string {
  if (message === undefined) return ''
  const key = logger[messageKeySym]
  const serializer = logger[serializersSym][key]
  const stringifiers = logger[stringifiersSym]
  const shaped = serializer ? serializer(message) : message
  const stringifier = stringifiers[key] ?? stringifiers[wildcardFirstSym]
  const json = valueText(shaped, stringifier, logger[stringifySym], logger[stringifySafeSym])
  return json === undefined ? '' : messageStart(key) + json
}

/** What fields under a key of their own begin with; an integration may have set that key alone. */
export function nestedStart(logger: Internals, key: string): string {
  return logger[nestedKeyStrSym] || `,${quote(key)}:{`
}

/** The line of a record: level, time, bindings, fields, message, in that order. */
function asJson(this: Internals, fields: Fields, message: unknown, level: number, time: string): string {
  const start = (this[lsCacheSym][level] ?? '') + time + this[chindingsSym]
  const format = this[formattersSym].log
  const body = fieldsText(this, format ? format(fields) : fields)
  const end = messageText(this, message) + this[endSym]
  const nestedKey = this[nestedKeySym]
  if (nestedKey && body) return `${start + nestedStart(this, nestedKey) + body.slice(1)}}${end}`
  return start + body + end
}

/** As `asJson`, for those who follow it. */
export const tracedAsJson = traced(asJson)
