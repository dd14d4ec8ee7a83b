/**
 * Copies of values as deep as redaction goes, so that what it changes is never the program's. `@pinojs/redact` copies too, but not where a name
 * and a `*` meet in one place, nor what an object inherits: a request's `headers`, which are a getter of its class, are the live ones.
 */

/** Steps of a path: names, indexes, `*`. */
const STEP = /[^.[\]]+|\[([^[\]]*?)\]/g
const QUOTED = /^(["'`])(.*)\1$/

/** What follows each step of some paths. */
type Branches = Map<string, Branches>

function stepsOf(path: string): string[] {
  return Array.from(path.matchAll(STEP), ([step, inner]) => (inner === undefined ? step : inner.replace(QUOTED, '$2')))
}

/** The paths as branches; null if none of them has more than one step: of the value itself `@pinojs/redact` makes a copy. */
export function branchesOf(paths: readonly string[]): Branches | null {
  const all: string[][] = paths.map(stepsOf)
  if (all.every(steps => steps.length < 2)) return null
  const root: Branches = new Map()
  for (const steps of all) {
    let branch = root
    for (const step of steps) {
      const next: Branches = branch.get(step) ?? new Map()
      branch.set(step, next)
      branch = next
    }
  }
  return root
}

/** What follows `name`, by its own branches and by those of `*`. */
function after(branches: readonly Branches[], name: string): Branches[] {
  const found: Branches[] = []
  for (const branch of branches) {
    const named = branch.get(name)
    const any = branch.get('*')
    if (named !== undefined && named.size > 0) found.push(named)
    if (any !== undefined && any.size > 0) found.push(any)
  }
  return found
}

function copyArray(source: readonly unknown[], branches: readonly Branches[]): unknown[] {
  return source.map((value, index) => copy(value, after(branches, String(index))))
}

/** Names on the way that `source` inherits, with copies of what is there. */
function inherited(source: Record<string, unknown>, branches: readonly Branches[]): PropertyDescriptorMap {
  const names = new Set<string>()
  for (const branch of branches) for (const name of branch.keys()) if (name in source) names.add(name)
  for (const name in source) names.add(name)
  const copies: PropertyDescriptorMap = {}
  for (const name of names) {
    const below = Object.hasOwn(source, name) ? [] : after(branches, name)
    // Not enumerable: nobody prints it.
    if (below.length > 0) copies[name] = { value: copy(source[name], below), configurable: true, writable: true }
  }
  return copies
}

function copyObject(source: Record<string, unknown>, branches: readonly Branches[]): object {
  const prototype = Object.getPrototypeOf(source) as object | null
  const hidden = inherited(source, branches)
  // Between the object and its class, since `@pinojs/redact` copies what is the object's own once more.
  const target = Object.create(
    Object.keys(hidden).length === 0 ? prototype : Object.create(prototype, hidden)
  ) as object
  for (const name of Object.keys(source)) define(target, source, name, after(branches, name))
  return target
}

function define(target: object, source: Record<string, unknown>, name: string, branches: readonly Branches[]): void {
  let value: unknown
  try {
    value = source[name]
  } catch (thrown) {
    // It may be hidden as a whole; who reads it is told as by the object itself.
    const get = (): never => {
      throw thrown
    }
    const set = (instead: unknown): unknown => Object.defineProperty(target, name, { value: instead, enumerable: true })
    Object.defineProperty(target, name, { get, set, enumerable: true, configurable: true })
    return
  }
  const own = copyOrItself(value, branches)
  Object.defineProperty(target, name, { value: own, enumerable: true, configurable: true, writable: true })
}

/** Of a proxy that does not tell its keys there is no copy. */
function copyOrItself(value: unknown, branches: readonly Branches[]): unknown {
  try {
    return copy(value, branches)
  } catch {
    return value // Redaction meets the same, or hides it as a whole.
  }
}

function copy(value: unknown, branches: readonly Branches[]): unknown {
  if (branches.length === 0 || typeof value !== 'object' || value === null || value instanceof Date) return value
  return Array.isArray(value) ? copyArray(value, branches) : copyObject(value as Record<string, unknown>, branches)
}

/** A copy of `value` along `branches`; what lies off them is shared. */
export function copyAlong(value: unknown, branches: Branches): unknown {
  return copy(value, [branches])
}
