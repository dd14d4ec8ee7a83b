/** Which levels are too grave for sampling or de-duplication to hold back, whatever a logger's levels are called and however they are numbered. */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import type { Internals } from '../pino/internals'
import { levelCompSym } from '../pino/symbols'

/** Names of grave levels, the least grave first. */
const FATAL = ['fatal', 'critical', 'crit', 'alert', 'emergency', 'emerg', 'panic']
const WARN = ['warn', 'warning', 'error', 'err', ...FATAL]
/** Names of levels that are not grave, even if their numbers are those of grave ones. */
const LIGHT = ['silly', 'trace', 'verbose', 'debug', 'http', 'info', 'notice']

/** A level's name, or false for none. */
export type KeptOption = string | false

/** The names that the least grave level that is kept may have by default. */
export const KEPT_BY_DEFAULT = { warn: WARN, fatal: FATAL } as const

export class KeptLevels {
  readonly #names: readonly string[]
  readonly #least: number
  readonly #isGiven: boolean
  // A child may have levels of its own.
  readonly #known = new WeakMap<object, Map<number, boolean>>()

  private constructor(least: number, names: readonly string[], isGiven: boolean) {
    this.#least = least
    this.#names = names
    this.#isGiven = isGiven
  }

  /**
   * @param option its name, for messages
   * @param given name of the least grave level that is kept; false: none is; undefined: the first that the logger has of `names`
   * @returns null if none is kept
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if the logger has no such level
   */
  static of(
    logger: Internals,
    option: string,
    given: KeptOption | undefined,
    names: readonly string[]
  ): KeptLevels | null {
    if (given === false) return null
    const { values } = logger.levels
    const found = given ?? names.find(name => Object.hasOwn(values, name))
    if (found !== undefined && Object.hasOwn(values, found)) {
      return new KeptLevels(values[found] as number, names, given !== undefined)
    }
    const own = Object.keys(values).join(', ')
    const message =
      given === undefined
        ? `option ${option} is needed, since no level of ${own} is called ${names.slice(0, 3).join(' or ')}: the name of the least grave level that is always kept, or false`
        : `option ${option} must be the name of a level (${own}) or false, got ${inspect(given)}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }

  has(logger: Internals, level: number): boolean {
    const { levels } = logger
    const known = this.#known.get(levels) ?? new Map<number, boolean>()
    this.#known.set(levels, known)
    const answer = known.get(level)
    if (answer !== undefined) return answer
    const kept = this.#weigh(logger, level)
    known.set(level, kept)
    return kept
  }

  #weigh(logger: Internals, level: number): boolean {
    const name = logger.levels.labels[level] ?? ''
    if (!this.#isGiven && this.#names.includes(name)) return true
    if (!this.#isGiven && LIGHT.includes(name)) return false
    return logger[levelCompSym](level, this.#least)
  }
}
