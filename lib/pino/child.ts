/** Child loggers: they inherit everything from their parent and override what their options name. */

import { appendBindings } from './bindings'
import { childFormatters } from './formatters'
import type { Formatters, Internals, Serializers } from './internals'
import { assertNoCollision, cacheLineStarts, type LevelNumbers, levelMapping } from './levels'
import { childBehindProxy, isProxied, noteChild, viewOf } from './fast-path'
import { redactionState } from './redaction'
import { childSerializers } from './serializers'
import { heed } from './state-access'
import {
  chindingsSym,
  formattersSym,
  msgPrefixSym,
  serializersSym,
  setLevelSym,
  stringifySafeSym,
  useOnlyCustomLevelsSym
} from './symbols'
import type { Bindings, ChildLoggerOptions } from './types'

type Options = ChildLoggerOptions<string>

function setLevels(child: Internals, custom: LevelNumbers): void {
  assertNoCollision(child.levels, custom)
  const all = { ...child.levels.values, ...custom }
  child.levels = levelMapping(all, child[useOnlyCustomLevelsSym])
  cacheLineStarts(child)
}

function setRedaction(child: Internals, option: object): void {
  child.redact = option
  Object.assign(child, redactionState(option, child[stringifySafeSym]))
}

function applyOptions(child: Internals, options: Options): void {
  if (Object.hasOwn(options, 'serializers')) {
    child[serializersSym] = childSerializers(child[serializersSym], options.serializers as Serializers | undefined)
  }
  if (Object.hasOwn(options, 'customLevels')) setLevels(child, options.customLevels ?? {})
  if (typeof options.redact === 'object' && options.redact !== null) setRedaction(child, options.redact)
  if (typeof options.msgPrefix === 'string') child[msgPrefixSym] = (child[msgPrefixSym] ?? '') + options.msgPrefix
}

/** @throws without bindings, or if an option is wrong */
export function child(this: Internals, bindings: Bindings, options?: Options): Internals {
  if (!bindings) throw Error('missing bindings for child Pino')
  heed(this)
  const instance = isProxied(this) ? childOfProxied(this, bindings, options) : childOf(this, bindings, options)
  this.onChild(instance)
  return instance
}

function childOf(parent: Internals, bindings: Bindings, options: Options | undefined): Internals {
  const instance = Object.create(parent) as Internals
  noteChild(instance)
  equip(parent, instance, bindings, options)
  return instance
}

function childOfProxied(logger: Internals, bindings: Bindings, options: Options | undefined): Internals {
  const parent = viewOf(logger)
  const instance = childBehindProxy(parent) as Internals
  equip(parent, instance, bindings, options)
  return instance
}

/** Gives a child what it does not have from its parent. */
function equip(parent: Internals, instance: Internals, bindings: Bindings, options: Options | undefined): void {
  // Of the options only their own `formatters`, `serializers` and `customLevels` count, as in pino.
  const own = options && Object.hasOwn(options, 'formatters') ? options.formatters : undefined
  const formatters = childFormatters(parent[formattersSym], own as Partial<Formatters> | undefined)
  if (formatters !== parent[formattersSym]) instance[formattersSym] = formatters
  if (options) applyOptions(instance, options)
  instance[chindingsSym] = appendBindings(instance, bindings)
  if (options) {
    const level = options.level || parent.level
    if (level !== parent.level || Object.hasOwn(options, 'customLevels')) instance[setLevelSym](level)
  }
}
