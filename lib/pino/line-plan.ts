/**
 * The short way of plain calls: what the lines of a logger have in common is looked up once, not at each call. It takes dozens of properties
 * from a chain of prototypes as long as the logger's ancestry, which is most of the cost of a call.
 */

import { types } from 'node:util'
import type { RecordEncoder as Recorder } from '../record/encode'
import { tracedAsJson } from './as-json'
import { isFollowed } from './diagnostics'
import type { CompiledEvent } from './event'
import { loggedObject } from './http-objects'
import type { Internals } from './internals'
import type { LineStyles } from './line-styles'
import { recordTime } from './own-clock'
import { heed, stateChanges, stateWatch } from './state-access'
import { asJsonSym, formattersSym, msgPrefixSym, writeSym } from './symbols'

/** Where a logger keeps its plan. A child finds its parent's, which is not for it. */
export const planSym: unique symbol = Symbol('shardlog.plan')
/** Where a logger keeps the styles of its lines. */
export const stylesSym: unique symbol = Symbol('shardlog.styles')

// The child that was made last, until it has a plan.
let newest: Internals | null = null

/** A child has been made. One that logs right away, as most do, need not be asked whether it is a proxy, which takes longer than all else. */
export function noteChild(child: Internals): void {
  newest = child
}

function isProxy(logger: Internals): boolean {
  if (logger !== newest) return types.isProxy(logger)
  newest = null
  return false
}

/** In the place of a plan, for loggers that must not have one (`proxied.ts`): it is nobody's. */
export const NO_PLAN = { isOf: () => false, fits: () => false, forHeir: () => null } as unknown as LinePlan

/** The plan of `logger`; null if it has none, or none any more. */
export function planOf(logger: Internals): LinePlan | null {
  const plan = logger[planSym]
  return plan === null || plan.fits(logger) ? plan : plan.forHeir(logger)
}

/** For a logger whose records are made of its styles, fields and message alone. */
export class LinePlan {
  readonly #logger: Internals
  readonly #write: Internals[typeof writeSym]
  readonly #changes = stateChanges.count
  readonly #styles: LineStyles
  readonly #recorder: Recorder

  constructor(logger: Internals, styles: LineStyles, recorder: Recorder) {
    this.#logger = logger
    this.#write = logger[writeSym]
    this.#styles = styles
    this.#recorder = recorder
  }

  /** Whether it is the plan of `logger` as it is now. */
  fits(logger: Internals): boolean {
    return this.#logger === logger && this.#holdsFor(logger)
  }

  /** Whether it was made for `logger`, which no proxy answers for then. */
  isOf(logger: Internals): boolean {
    return this.#logger === logger
  }

  /** Whether nothing has been put in the place of what `logger` and the plan's own logger shared when it was made. */
  #holdsFor(logger: Internals): boolean {
    if (stateWatch.isActive) heed(logger)
    // Tools that follow lines are given text.
    return (
      this.#changes === stateChanges.count &&
      this.#write === logger[writeSym] &&
      logger[asJsonSym] === tracedAsJson &&
      !isFollowed()
    )
  }

  /** That of a logger which has inherited this one: a child. Null if it differs by more than its bindings and levels. */
  forHeir(logger: Internals): LinePlan | null {
    const isPlain = typeof logger[msgPrefixSym] !== 'string' && !logger[formattersSym].log
    if (!isPlain || isProxy(logger) || !this.#holdsFor(logger)) return null
    const styles = this.#styles.forHeir(logger)
    if (styles === null) return null
    const plan = new LinePlan(logger, styles, this.#recorder)
    if (Object.isExtensible(logger)) logger[planSym] = plan
    return plan
  }

  /** Records `object`'s fields and a message. False if it takes more than that: an error. */
  fields(level: number, object: object, message: string): boolean {
    if (object instanceof Error) return false
    this.#recorder.record(this.#styles.of(level), recordTime(), '', loggedObject(object), message)
    return true
  }

  /** Records a compiled event. False if one of its values has to be converted. */
  event(event: CompiledEvent, values: readonly unknown[]): boolean {
    const styles = this.#styles
    const node = event.node(styles.common.family.tree)
    if (node === null) return false
    this.#recorder.event(styles.of(event.level), recordTime(), '', node, event.fields, values, event.message)
    return true
  }

  message(level: number, message: string): void {
    this.#recorder.record(this.#styles.of(level), recordTime(), '', null, message)
  }
}
