/** The option `serializers`: functions by key that shape the values logged under it. */

import * as stdSerializers from 'pino-std-serializers'
import type { Serializers } from './internals'

export { stdSerializers }

/** A table with no inherited names, so that a field called `toString` meets no serializer. */
function table(...sources: (Serializers | undefined)[]): Serializers {
  return Object.assign(Object.create(null), ...sources) as Serializers
}

/** A logger's own over the default, which serializes errors under `err`. */
export function rootSerializers(own: Serializers | undefined): Serializers {
  return table({ err: stdSerializers.err as Serializers[string] }, own)
}

/** A child's own over its parent's; symbols count too. */
export function childSerializers(parent: Serializers, own: Serializers): Serializers {
  return table(parent, own)
}
