/** A record as a line of JSON. */

import type { Fields, Internals } from './internals'
import { quote } from './stringify'
import {
  chindingsSym,
  endSym,
  errorKeySym,
  formattersSym,
  lsCacheSym,
  messageKeyStrSym,
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

/** JSON text of a value under a key, or undefined if it is not written. */
function valueText(logger: Internals, key: string, value: unknown): string | undefined {
  const stringifiers = logger[stringifiersSym]
  const stringifier = stringifiers[key] ?? stringifiers[wildcardFirstSym]
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
      return stringifier ? stringifier(value) : logger[stringifySym](value, logger[stringifySafeSym])
  }
}

function serialized(logger: Internals, key: string, value: unknown): unknown {
  const serializers = logger[serializersSym]
  const serializer = serializers[key]
  if (serializer) return serializer(value)
  // An error under another `errorKey` is serialized as one under `err` is.
  if (key === logger[errorKeySym] && serializers.err) return serializers.err(value)
  return value
}

/** The fields as JSON text with a comma before each. */
function fieldsText(logger: Internals, fields: Fields): string {
  let text = ''
  for (const key in fields) {
    const value = fields[key]
    if (value === undefined || !hasOwn.call(fields, key)) continue
    const json = valueText(logger, key, serialized(logger, key, value))
    if (json !== undefined) text += `,${quote(key)}:${json}`
  }
  return text
}

function messageText(logger: Internals, message: unknown): string {
  if (message === undefined) return ''
  const key = logger[messageKeySym]
  const serializer = logger[serializersSym][key]
  const json = valueText(logger, key, serializer ? serializer(message) : message)
  return json === undefined ? '' : logger[messageKeyStrSym] + json
}

/** The line of a record: level, time, bindings, fields, message, in that order. */
export function asJson(this: Internals, fields: Fields, message: unknown, level: number, time: string): string {
  const start = (this[lsCacheSym][level] ?? '') + time + this[chindingsSym]
  const format = this[formattersSym].log
  const body = fieldsText(this, format ? format(fields) : fields)
  const end = messageText(this, message) + this[endSym]
  if (this[nestedKeySym] && body) return `${start + this[nestedKeyStrSym] + body.slice(1)}}${end}`
  return start + body + end
}
