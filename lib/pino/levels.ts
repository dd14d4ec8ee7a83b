/**
 * Levels: their names and numbers, which of them are on, what a line of each begins with, and
 * events compiled for one of them.
 */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import type { ShapeNode, ShapeTree } from '../record/shape-tree'
import {
  type CompiledEvent,
  type Fields,
  type Internals,
  type LevelComparison,
  recordSinkSym,
  type StreamWithSink
} from './context'
import { stringify } from './json-text'
import { fastPathOf, LevelMethods } from './log-call'
import {
  familySym,
  formattersSym,
  heed,
  hooksSym,
  jsonAtCallSym,
  keepsLevelSym,
  levelCompSym,
  levelValSym,
  lsCacheSym,
  msgPrefixSym,
  stagesSym,
  streamSym,
  stringifySafeSym,
  useOnlyCustomLevelsSym,
  writeSym
} from './symbols'
import type { LevelMapping } from './types'

/** The level methods of a family of loggers. */
const methodsSym: unique symbol = Symbol('shardlog.methods')

declare module './context' {
  interface Family {
    [methodsSym]?: LevelMethods
  }
}

export type LevelNumbers = Record<string, number>

export const STANDARD_LEVELS: Readonly<LevelNumbers> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60
}

/** Number of the level that is above all others. */
const SILENT = Number.POSITIVE_INFINITY

const noop = (): void => {}

/** Known to every logger, but hidden from those who list its levels. */
const hidden = (value: unknown): PropertyDescriptor => ({
  value,
  configurable: true,
  enumerable: false,
  writable: true
})

const comparisons: Record<'ASC' | 'DESC', LevelComparison> = {
  ASC: (current, expected) => current >= expected,
  DESC: (current, expected) => current <= expected
}

/** Names and numbers of the standard levels (unless `only`) and `custom` ones. */
export function levelMapping(custom: LevelNumbers | null | undefined, only: boolean): LevelMapping {
  const values: LevelNumbers = Object.assign({}, only ? undefined : STANDARD_LEVELS, custom)
  const labels: Record<number, string> = {}
  for (const [label, value] of Object.entries(STANDARD_LEVELS)) if (!only) labels[value] = label
  for (const [label, value] of Object.entries(custom ?? {})) labels[value] = label
  if (!('silent' in values)) Object.defineProperty(values, 'silent', hidden(SILENT))
  if (!(SILENT in labels)) Object.defineProperty(labels, SILENT, hidden('silent'))
  return { values, labels }
}

/** @throws if the option `levelComparison` is none of what it may be */
export function levelComparison(option: unknown): LevelComparison {
  if (typeof option === 'function') return option as LevelComparison
  if (option === 'ASC' || option === 'DESC') return comparisons[option]
  throw Error('Levels comparison should be one of "ASC", "DESC" or "function" type')
}

/** @throws if the level that a logger is to begin with is not among its levels */
export function assertDefaultLevel(level: unknown, { values, labels }: LevelMapping): void {
  const known = typeof level === 'number' ? level in labels : typeof level === 'string' && level in values
  if (!known) throw Error(`default level:${String(level)} must be included in custom levels`)
}

/** @throws if a child's levels take a name or a number that its parent has */
export function assertNoCollision({ values, labels }: LevelMapping, custom: LevelNumbers): void {
  for (const label in custom) {
    const value = custom[label] as number
    if (label in values) throw Error('levels cannot be overridden')
    if (value in labels) throw Error('pre-existing level values cannot be used for new levels')
  }
}

/** Makes what lines of each level begin with, by the level formatter. */
export function cacheLineStarts(logger: Internals): void {
  const { labels } = logger.levels
  const cache: Record<number, string> = {}
  // As in pino, tables that integrations put in place may inherit from others.
  for (const label in labels) {
    const number = Number(label)
    const shaped = logger[formattersSym].level(labels[number] as string, number)
    const text = stringify(shaped, logger[stringifySafeSym]) ?? '{}'
    cache[number] = text.slice(0, -1)
  }
  logger[lsCacheSym] = cache
}

/** Turns on the methods of the levels that `level` lets through, and off the others. */
export function setLevel(this: Internals, level: string | number): void {
  heed(this)
  const { values, labels } = this.levels
  const label = typeof level === 'number' ? labels[level] : level
  if (label === undefined) throw Error(`unknown level value${level}`)
  const value = values[label]
  if (value === undefined) throw Error(`unknown level ${level}`)
  const before = this[levelValSym]
  this[levelValSym] = value
  const enabled = this[levelCompSym]
  const keeps = this[keepsLevelSym]
  const methods = this as unknown as Record<string, unknown>
  for (const name in values) {
    const number = values[name] as number
    const isOn = enabled(number, value) || (name !== 'silent' && keeps?.(number))
    methods[name] = isOn ? methodOf(this, name, number) : noop
  }
  this.emit('level-change', label, value, labels[before], before, this)
}

function methodOf(logger: Internals, name: string, number: number): unknown {
  const standard = !logger[useOnlyCustomLevelsSym] && name in STANDARD_LEVELS
  // A standard level keeps its number whatever custom levels say; only `useOnlyCustomLevels` gives
  // it another.
  const level = standard ? (STANDARD_LEVELS[name] as number) : number
  logger[familySym][methodsSym] ??= new LevelMethods(logger)
  return logger[familySym][methodsSym].of(level, name === 'fatal' && standard, logger[hooksSym].logMethod)
}

/** Name of the current level; empty for what is no logger. */
export function getLevel(this: Partial<Internals>): string {
  const labels = this.levels?.labels
  return labels ? (labels[this.levelVal as number] as string) : ''
}

export function isLevelEnabled(this: Internals, label: string): boolean {
  const value = this.levels.values[label]
  return value !== undefined && this[levelCompSym](value, this[levelValSym])
}

// Compiled events: a message and the names of its fields are said once, their values at each call.

/** More values than this make an object at each call. */
const MAX_VALUES = 8
const DEFAULT_LEVEL = 'info'

export interface EventOptions {
  /** Name of the level it is logged at. Default 'info'. */
  level?: string
}

class EventOfNames implements CompiledEvent {
  readonly message: string
  readonly level: number
  readonly fields: (values: readonly unknown[]) => Fields
  readonly #names: readonly string[]
  #root: ShapeNode | null = null
  #node: ShapeNode | null = null

  constructor(message: string, level: number, names: readonly string[]) {
    this.message = message
    this.level = level
    this.#names = names
    this.fields = values => Object.fromEntries(names.map((name, i) => [name, values[i]]))
  }

  resolve(tree: ShapeTree): boolean {
    if (this.#root !== tree.root) {
      this.#root = tree.root
      this.#node = this.#walk(tree)
    }
    return this.#node !== null
  }

  /** The keys' place in the tree that they were resolved in. */
  get node(): ShapeNode {
    return this.#node as ShapeNode
  }

  #walk(tree: ShapeTree): ShapeNode | null {
    let node: ShapeNode | null = tree.root
    for (const name of this.#names) {
      node = tree.step(node, name)
      if (node === null || node.convert !== null) return null
    }
    return node
  }
}

function failOption(what: string, allowed: string, given: unknown): never {
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `event: ${what} must be ${allowed}, got ${inspect(given)}`)
}

/** Objects have each name once, and put those that are array indexes first. */
function checkNames(names: unknown): asserts names is readonly string[] {
  const allowed = 'an array of distinct names that are no array indexes'
  if (!Array.isArray(names) || names.some(name => typeof name !== 'string')) failOption('names', allowed, names)
  const kept = Object.keys(Object.fromEntries(names.map((name: string) => [name, 0])))
  if (kept.length !== names.length || kept.some((name, i) => name !== names[i])) failOption('names', allowed, names)
}

/**
 * The function for up to MAX_VALUES values: no array is made for them, the same one serves call
 * after call.
 */
function withFewValues(count: number, emit: (values: readonly unknown[]) => void): (...values: unknown[]) => void {
  const shared: unknown[] = new Array(count).fill(undefined)
  let inUse = false
  return (a, b, c, d, ...more) => {
    // A value's toJSON may log the same event.
    const values = inUse ? [...shared] : shared
    // Written out, since a loop over an array of arguments costs some ns.
    if (count > 0) values[0] = a
    if (count > 1) values[1] = b
    if (count > 2) values[2] = c
    if (count > 3) values[3] = d
    for (let at = 4; at < count; at++) values[at] = more[at - 4]
    const wasInUse = inUse
    inUse = true
    try {
      emit(values)
    } finally {
      inUse = wasInUse
    }
  }
}

/**
 * A function that logs `message` with the given values under `names`.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a message that is no string, names that are not
 *   distinct, an unknown level
 */
export function event(
  this: Internals,
  message: string,
  names: readonly string[] = [],
  options: EventOptions = {}
): (...values: unknown[]) => void {
  const { level = DEFAULT_LEVEL } = options
  const strange = Object.keys(options).find(name => name !== 'level')
  if (strange !== undefined) failOption('options', '{ level }, the name of a level', options)
  if (typeof message !== 'string') failOption('message', 'a string', message)
  checkNames(names)
  const number = this.levels.values[level]
  if (number === undefined) failOption('level', `one of ${Object.keys(this.levels.values).join(', ')}`, level)
  const prefix = this[msgPrefixSym]
  const compiled = new EventOfNames(typeof prefix === 'string' ? prefix + message : message, number, names)
  const emit = (values: readonly unknown[]): void => {
    if (!this[levelCompSym](number, this[levelValSym]) && !this[keepsLevelSym]?.(number)) return
    if (this[hooksSym].logMethod) {
      ;(this as unknown as Record<string, (fields: Fields, text: string) => void>)[level]!(
        compiled.fields(values),
        message
      )
      return
    }
    if (fastPathOf(this, compiled.level)?.event(compiled, values)) return
    heed(this)
    const sink = (this[streamSym] as StreamWithSink)[recordSinkSym]
    if (sink?.event && this[stagesSym].length === 0 && !this[jsonAtCallSym]) sink.event(this, compiled, values)
    else this[writeSym](compiled.fields(values), compiled.message, number)
  }
  return names.length <= MAX_VALUES ? withFewValues(names.length, emit) : (...values) => emit(values)
}
