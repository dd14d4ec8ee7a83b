/** Checks of the options of features. */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import { nearestName } from '../nearest-name'

/** What an option may be, in words for the error message, and the test of it. */
export interface Rule {
  allowed: string
  accepts: (value: unknown) => boolean
}

export type Rules<Options> = Readonly<Record<keyof Options & string, Rule>>

/** Longest wait that a timer of Node's can be set to. */
const MAX_TIMER_MS = 2 ** 31 - 1

export const rules = {
  flag: { allowed: 'true or false', accepts: value => typeof value === 'boolean' },
  milliseconds: {
    allowed: `a number of milliseconds from 1 to ${MAX_TIMER_MS}`,
    accepts: value => typeof value === 'number' && value >= 1 && value <= MAX_TIMER_MS
  },
  positive: {
    allowed: 'a finite number above 0',
    accepts: value => typeof value === 'number' && value > 0 && Number.isFinite(value)
  },
  share: {
    allowed: 'a number above 0 and up to 1',
    accepts: value => typeof value === 'number' && value > 0 && value <= 1
  },
  count: {
    allowed: 'a whole number from 1 up',
    accepts: value => Number.isSafeInteger(value) && (value as number) > 0
  },
  fieldName: { allowed: 'a non-empty string', accepts: value => typeof value === 'string' && value !== '' },
  levelName: {
    allowed: 'the name of a level, or false',
    accepts: value => value === false || (typeof value === 'string' && value !== '')
  },
  names: {
    allowed: 'an array of strings',
    accepts: value => Array.isArray(value) && value.every(name => typeof name === 'string')
  }
} satisfies Record<string, Rule>

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG`, always */
export function refuse(option: string, value: unknown, allowed: string): never {
  const shown = inspect(value, { depth: 1, maxStringLength: 80, breakLength: Number.POSITIVE_INFINITY })
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `option ${option} must be ${allowed}, got ${shown}`)
}

function checkName(feature: string, name: string, value: unknown, known: readonly string[]): void {
  if (known.includes(name)) return
  const near = nearestName(name, known)
  const hint = near === undefined ? `known are ${known.join(', ')}` : `did you mean ${near}?`
  const shown = inspect(value, { depth: 0, maxStringLength: 80 })
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `unknown option ${feature}.${name} (value ${shown}): ${hint}`)
}

/** Whether `value` can hold options. */
export function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The options of a feature with what applies by default filled in.
 *
 * @param feature its name, for messages
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown name or a wrong value
 */
export function resolved<Options extends object>(
  feature: string,
  given: object,
  allowed: Rules<Options>,
  defaults: Options
): Options {
  const known = Object.keys(allowed)
  const set = Object.entries(given).filter(([, value]) => value !== undefined)
  for (const [name, value] of set) {
    checkName(feature, name, value, known)
    const rule = allowed[name as keyof Options & string]
    if (!rule.accepts(value)) refuse(`${feature}.${name}`, value, rule.allowed)
  }
  return { ...defaults, ...Object.fromEntries(set) }
}
