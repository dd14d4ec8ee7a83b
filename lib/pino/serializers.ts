/** The option `serializers`: functions by key that shape the values logged under it. */

import * as stdSerializers from 'pino-std-serializers'
import type { Serializers } from './internals'

export { stdSerializers }

function add(table: Serializers, own: Serializers, keys: Iterable<PropertyKey>): void {
  for (const key of keys) table[key] = own[key]
}

/** Names of all enumerable properties, inherited ones too. */
function* namesOf(object: object): Iterable<string> {
  for (const name in object) yield name
}

/**
 * A logger's own over the default, which serializes errors under `err` (one that is undefined takes that away, as in pino). No inherited
 * names: a field called `toString` meets no serializer.
 */
export function rootSerializers(own: Serializers | null | undefined): Serializers {
  return Object.assign(Object.create(null), { err: stdSerializers.err }, own) as Serializers
}

/**
 * A child's own over its parent's. As in pino, what the child's inherit counts, which is how Fastify hands serializers on from plugin to
 * plugin; so do symbols, enumerable or not.
 */
export function childSerializers(parent: Serializers, own: Serializers | null | undefined): Serializers {
  const table = Object.create(null) as Serializers
  for (const source of [parent, own]) {
    if (!source) continue
    add(table, source, namesOf(source))
    add(table, source, Object.getOwnPropertySymbols(source))
  }
  return table
}
