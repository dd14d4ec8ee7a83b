/** What all loggers share: the prototype behind them. */

import { EventEmitter } from 'node:events'
import { addContext, clearContext, context, withContext } from '../features/log-context'
import { familySym, featuresSym } from '../features/symbols'
import { version } from '../version'
import { tracedAsJson } from './as-json'
import { appendBindings, readBindings } from './bindings'
import { child } from './child'
import { event } from './event'
import { fastPathSym, formatsSym } from './fast-path'
import type { Internals } from './internals'
import { getLevel, isLevelEnabled, setLevel } from './levels'
import { close, flushSync, getStatsSnapshot } from './life'
import { addStateAccessors, foreignState, heed } from './state-access'
import {
  asJsonSym,
  chindingsSym,
  getLevelSym,
  levelValSym,
  lsCacheSym,
  msgPrefixSym,
  setLevelSym,
  streamSym,
  writeSym
} from './symbols'
import type { Bindings } from './types'
import { write } from './write'

const noop = (): void => {}

/** @throws if `callback` is given and no function */
function flush(this: Internals, callback?: (error?: Error) => void): void {
  if (callback != null && typeof callback !== 'function') throw Error('callback must be a function')
  const stream = this[streamSym]
  if (typeof stream.flush === 'function') stream.flush(callback ?? noop)
  else callback?.()
}

const methods = {
  constructor: class Pino {},
  child,
  addContext,
  clearContext,
  context,
  withContext,
  bindings(this: Internals): Bindings {
    return readBindings(this)
  },
  setBindings(this: Internals, bindings: Bindings): void {
    heed(this)
    this[chindingsSym] = appendBindings(this, bindings)
    this[fastPathSym] = null
  },
  event,
  flush,
  flushSync,
  close,
  getStatsSnapshot,
  isLevelEnabled,
  version,
  get level(): string {
    return (this as unknown as Internals)[getLevelSym]()
  },
  set level(level: string | number) {
    ;(this as unknown as Internals)[setLevelSym](level)
  },
  get levelVal(): number {
    return (this as unknown as Internals)[levelValSym]
  },
  set levelVal(_value: number) {
    throw Error('levelVal is read-only')
  },
  get msgPrefix(): string | undefined {
    return (this as unknown as Internals)[msgPrefixSym]
  },
  get [Symbol.toStringTag](): string {
    return 'Pino'
  },
  [lsCacheSym]: {},
  /** By way of Node's, which may be replaced. */
  emit(this: Internals, name: string, ...values: unknown[]): boolean {
    return EventEmitter.prototype.emit.call(this, name, ...values)
  },
  // Found here rather than behind the proxy at the end of the chain.
  [fastPathSym]: null,
  [formatsSym]: undefined,
  _events: undefined,
  [featuresSym]: undefined,
  [writeSym]: write,
  [asJsonSym]: tracedAsJson,
  [getLevelSym]: getLevel,
  [setLevelSym]: setLevel
}

addStateAccessors(methods)
Object.setPrototypeOf(methods, foreignState)

/** A prototype for one logger and its children, over the methods that all loggers share. */
export function loggerPrototype(): object {
  const family = Object.create(methods) as { [familySym]: object }
  family[familySym] = family
  return family
}
