/** Levels: their names and numbers, which of them are on, and what a line of each begins with. */

import { familySym, methodsSym } from '../features/symbols'
import type { Internals, LevelComparison } from './internals'
import { LevelMethods } from './level-methods'
import { heed } from './state-access'
import { stringify } from './stringify'
import {
  formattersSym,
  hooksSym,
  levelCompSym,
  levelValSym,
  lsCacheSym,
  stringifySafeSym,
  useOnlyCustomLevelsSym
} from './symbols'
import type { LevelMapping } from './types'

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
  const methods = this as unknown as Record<string, unknown>
  for (const name in values) {
    const number = values[name] as number
    methods[name] = enabled(number, value) ? methodOf(this, name, number) : noop
  }
  this.emit('level-change', label, value, labels[before], before, this)
}

function methodOf(logger: Internals, name: string, number: number): unknown {
  const standard = !logger[useOnlyCustomLevelsSym] && name in STANDARD_LEVELS
  // A standard level keeps its number whatever custom levels say; only `useOnlyCustomLevels` gives it another.
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
