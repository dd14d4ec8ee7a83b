/** What lines of loggers with the same serializers and redactions share: keys, messages, kinds. */

import { type Conversion, type LineKind, LineTree } from '../record/line-tree'
import type { Internals, Serializers } from './internals'
import type { Stringifier, Stringifiers } from './redaction'
import { onTableChange } from './state-access'
import { quote } from './stringify'
import { errorKeySym, messageKeySym, serializersSym, stringifiersSym, wildcardFirstSym } from './symbols'

/** A value that is JSON already. */
export class JsonText {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  /** The JSON of a value that is one. Asked so rather than by `instanceof`, of which a proxy may make what it likes. */
  static textOf(value: unknown): string | undefined {
    return typeof value === 'object' && value !== null && #text in value ? value.#text : undefined
  }
}

export interface LineFamily {
  readonly errorKey: string
  readonly messageKey: string
  readonly tree: LineTree
  /** What a message goes through before it is recorded. */
  readonly convertMessage: Conversion | null
  /** The kind of lines with this head and form of time, the same one each time. */
  kind(head: string, timeForm: number): LineKind
}

/** Hiding is done on the value's JSON, which is what a stringifier makes. */
function redacting(stringifier: Stringifier): Conversion {
  return value => {
    if (value === undefined || typeof value === 'function') return undefined
    const text = stringifier(typeof value === 'number' && !Number.isFinite(value) ? null : value)
    return text === undefined ? undefined : new JsonText(text)
  }
}

function conversion(serializer: Serializers[string], stringifier: Stringifier | undefined): Conversion | null {
  const redact = stringifier && redacting(stringifier)
  if (serializer && redact) return value => redact(serializer(value))
  return redact ?? serializer ?? null
}

function familyOf(logger: Internals): LineFamily {
  const serializers = logger[serializersSym]
  const stringifiers = logger[stringifiersSym]
  const errorKey = logger[errorKeySym]
  const messageKey = logger[messageKeySym]
  const stringifierOf = (key: string) => stringifiers[key] ?? stringifiers[wildcardFirstSym]
  const errorSerializer = (key: string) => (key === errorKey ? serializers.err : undefined)
  const conversionOf = (key: string) => conversion(serializers[key] || errorSerializer(key), stringifierOf(key))
  const byForm: Map<string, LineKind>[] = []
  // Lines of one level follow each other, also when each is of another child.
  let recent: LineKind | null = null
  return {
    errorKey,
    messageKey,
    tree: new LineTree({ conversionOf, quote, messageKey }),
    convertMessage: conversion(serializers[messageKey], stringifierOf(messageKey)),
    kind(head, timeForm) {
      if (recent !== null && recent.head === head && recent.timeForm === timeForm) return recent
      byForm[timeForm] ??= new Map()
      const kinds = byForm[timeForm]
      recent = kinds.get(head) ?? { head, timeForm }
      kinds.set(head, recent)
      return recent
    }
  }
}

// Children have their parent's tables unless they bring their own.
let families = new WeakMap<Serializers, WeakMap<Stringifiers, LineFamily[]>>()

// Rare enough for all of them to be made anew.
onTableChange(() => {
  families = new WeakMap()
})

/** The family of a logger. */
export function lineFamily(logger: Internals): LineFamily {
  const serializers = logger[serializersSym]
  const bySerializers = families.get(serializers) ?? new WeakMap<Stringifiers, LineFamily[]>()
  families.set(serializers, bySerializers)
  const stringifiers = logger[stringifiersSym]
  const known = bySerializers.get(stringifiers) ?? []
  bySerializers.set(stringifiers, known)
  const found = known.find(
    family => family.errorKey === logger[errorKeySym] && family.messageKey === logger[messageKeySym]
  )
  if (found) return found
  const family = familyOf(logger)
  known.push(family)
  return family
}
