/** What the views show: events, and the levels that they have. */

import type { RecordedEvent } from '../recorder/decode'

/** Where events are from. */
export interface ViewSource {
  file: string
  kind: 'snapshot' | 'recorder' | 'log'
  /** Of a log null: its lines say that themselves, or nothing does. */
  service: string | null
  hostname: string | null
  pid: number | null
  /** Names of levels and their numbers. */
  levels: Readonly<Record<string, number>>
}

/** An event, and where it is from. */
export interface ViewEvent extends RecordedEvent {
  source: ViewSource
}

/** Filters as the options of a command have them. */
export interface FilterValues {
  level?: string
  target?: string
  since?: string
  until?: string
  where?: string[]
}

/** Kinds of levels, by which events are counted and coloured; `none` is what has no number. */
export const LEVEL_CLASSES = ['none', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const
export type LevelClass = (typeof LEVEL_CLASSES)[number]
export const WARN_CLASS = 4
export const ERROR_CLASS = 5

/** Numbers of levels up to the next ten below 60 belong to the class of those. */
const LEAST = 20
const PER_CLASS = 10

/**
 * Index in `LEVEL_CLASSES` of a level's number: those of a level of one's own between two count for
 * the lower.
 */
export function classOfNumber(number: number): number {
  if (Number.isNaN(number)) return 0
  const above = Math.floor((number - LEAST) / PER_CLASS) + 2
  return Math.min(LEVEL_CLASSES.length - 1, Math.max(1, above))
}

/** Index in `LEVEL_CLASSES` of an event's level. */
export function classOf(level: string, levels: Readonly<Record<string, number>>): number {
  return level === '' ? 0 : classOfNumber(Object.hasOwn(levels, level) ? levels[level]! : Number(level))
}

/** A level that events of a source have. */
export interface Level {
  name: string
  class: number
  source: ViewSource
}

/** So many different levels are told apart by the index; an id takes a byte. */
const MOST_LEVELS = 255
/** The id of all further ones. */
export const OTHER_LEVEL: number = MOST_LEVELS

/** The levels of all sources, by ids. */
export class LevelTable {
  readonly #levels: Level[] = []
  readonly #ids = new Map<string, number>()

  idOf(name: string, source: ViewSource): number {
    const number = source.levels[name]
    const key = `${number ?? ''} ${name}`
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    if (this.#levels.length === MOST_LEVELS) return OTHER_LEVEL
    this.#levels.push({ name, class: classOf(name, source.levels), source })
    this.#ids.set(key, this.#levels.length - 1)
    return this.#levels.length - 1
  }

  /** undefined of `OTHER_LEVEL`. */
  level(id: number): Level | undefined {
    return this.#levels[id]
  }

  classOf(id: number): number {
    return this.#levels[id]?.class ?? 0
  }

  get length(): number {
    return this.#levels.length
  }
}
