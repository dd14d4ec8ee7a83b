/** Objects joined, whatever is in them. */

/**
 * The value of a property as one that throws when it is read, since it did: what makes the line
 * says so.
 */
function throwing(thrown: unknown): PropertyDescriptor {
  return {
    get() {
      throw thrown
    },
    enumerable: true,
    configurable: true
  }
}

function copyGuarded(target: object, source: object): void {
  let keys: string[]
  try {
    keys = Object.keys(source)
  } catch (thrown) {
    // A proxy that has been revoked, for one.
    Object.defineProperty(target, 'fields', throwing(thrown))
    return
  }
  for (const key of keys) {
    try {
      const value = (source as Record<string, unknown>)[key]
      Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
    } catch (thrown) {
      Object.defineProperty(target, key, throwing(thrown))
    }
  }
}

/**
 * A new object with the fields of all; later ones win. Never throws: a field that cannot be read
 * throws when it is read again.
 */
export function joined(...sources: (object | null | undefined)[]): Record<string, unknown> {
  try {
    // Where it is assigned, it would set the prototype.
    const isPlain = !sources.some(source => source && Object.hasOwn(source, '__proto__'))
    if (isPlain) return Object.assign({}, ...sources) as Record<string, unknown>
  } catch {
    // A proxy that fails, or a getter: what can be read is.
  }
  const all = {}
  for (const source of sources) if (source) copyGuarded(all, source)
  return all
}
