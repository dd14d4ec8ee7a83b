/** Kinds of appenders that are somebody else's: modules, named where a kind's name stands. */

import { createRequire } from 'node:module'
import path from 'node:path'
import { type AppenderKind, knownKinds, registerKind } from './kinds'

/** What a configuration's `type` looks like if it is a module's: a path, or a package's name. */
const MODULE = /^(?:\.{0,2}\/|@)|[/\\]|^[a-z][a-z0-9]*[-.]/

export const isModuleName = (type: string): boolean => MODULE.test(type)

function isKind(value: unknown): value is AppenderKind {
  if (typeof value !== 'object' || value === null) return false
  const { open, schema } = value as Partial<AppenderKind>
  return typeof open === 'function' && typeof schema === 'object' && schema !== null
}

/**
 * Loads the module `name` and makes its export known as the kind of that name.
 *
 * @param from the configuration's file, from which paths and packages are looked up; null: the
 *   working directory
 * @returns what is wrong, as the end of a sentence about the type; null if nothing is
 */
export function loadKind(name: string, from: string | null): string | null {
  let loaded: unknown
  try {
    // Bundlers, which cannot know the module, do not follow it.
    loaded = createRequire(path.resolve(from ?? 'configuration'))(name)
  } catch (error) {
    const [reason] = String((error as Error | null)?.message ?? error).split('\n')
    return `is a module that cannot be loaded: ${reason}`
  }
  const kind = (loaded as { default?: unknown } | null)?.default ?? loaded
  if (!isKind(kind)) return 'is a module that exports no kind of appender, an object with `schema` and `open`'
  // To check the options of another kind would be compiled anew.
  const known = knownKinds().get(name)
  if (known !== undefined && Object.getPrototypeOf(known) === kind) return null
  registerKind(Object.create(kind, { type: { value: name, enumerable: true } }) as AppenderKind)
  return null
}
