/** The option `formatters`: functions that shape level, bindings and logged object. */

import type { Formatters } from './internals'

const numberedLevel: Formatters['level'] = (_label, number) => ({ level: number })
/** Leaves bindings as they are. A child begins with it: its parent's formatter has shaped what is inherited. */
const sameBindings: Formatters['bindings'] = bindings => bindings

/** What applies where `own` says nothing. As in pino, what the option inherits does not count, unlike a child's. */
export function rootFormatters(own: Partial<Formatters> | null | undefined): Formatters {
  const { level, bindings, log }: Partial<Formatters> = { ...own }
  return { level: level ?? numberedLevel, bindings: bindings ?? sameBindings, log: log ?? undefined }
}

/** A child's formatters: its own, else its parent's, except that bindings are not shaped twice. */
export function childFormatters(parent: Formatters, own: Partial<Formatters> | undefined): Formatters {
  if (!own && parent.bindings === sameBindings) return parent
  return {
    level: own?.level || parent.level,
    bindings: own?.bindings || sameBindings,
    log: own?.log || parent.log
  }
}
