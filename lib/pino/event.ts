/** Compiled events: a message and its fields' names said once, their values at each call. */

import { inspect } from 'node:util'
import { ShardlogError } from '../errors'
import { featuresSym } from '../features/symbols'
import type { EventShape } from '../record/payload-writer'
import type { ShapeNode, ShapeTree } from '../record/shape-tree'
import { type EncodingStream, recordEncoderSym } from './encoder'
import { fastPathOf } from './fast-path'
import type { Fields, Internals } from './internals'
import { heed } from './state-access'
import { hooksSym, jsonAtCallSym, levelCompSym, levelValSym, msgPrefixSym, streamSym, writeSym } from './symbols'

/** More values than this make an object at each call. */
const MOST_VALUES = 8
const DEFAULT_LEVEL = 'info'

export interface EventOptions {
  /** Name of the level it is logged at. Default 'info'. */
  level?: string
}

/** What a call of the event is recorded from. */
export class CompiledEvent implements EventShape {
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

  /** Looks its keys up in `tree`, for `node`. False if a value would have to be converted. */
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

function refuse(what: string, allowed: string, given: unknown): never {
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `event: ${what} must be ${allowed}, got ${inspect(given)}`)
}

/** Objects have each name once, and put those that are array indexes first. */
function checkNames(names: unknown): asserts names is readonly string[] {
  const allowed = 'an array of distinct names that are no array indexes'
  if (!Array.isArray(names) || names.some(name => typeof name !== 'string')) refuse('names', allowed, names)
  const kept = Object.keys(Object.fromEntries(names.map((name: string) => [name, 0])))
  if (kept.length !== names.length || kept.some((name, i) => name !== names[i])) refuse('names', allowed, names)
}

/** The function for up to MOST_VALUES values: no array is made for them, the same one serves call after call. */
function withFewValues(count: number, emit: (values: readonly unknown[]) => void): (...values: unknown[]) => void {
  const shared: unknown[] = new Array(count).fill(undefined)
  let inUse = false
  return (a, b, c, d, e, f, g, h) => {
    // A value's toJSON may log the same event.
    const values = inUse ? [...shared] : shared
    if (count > 0) values[0] = a
    if (count > 1) values[1] = b
    if (count > 2) values[2] = c
    if (count > 3) values[3] = d
    if (count > 4) values[4] = e
    if (count > 5) values[5] = f
    if (count > 6) values[6] = g
    if (count > 7) values[7] = h
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
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a message that is no string, names that are not distinct, an unknown level
 */
export function event(
  this: Internals,
  message: string,
  names: readonly string[] = [],
  options: EventOptions = {}
): (...values: unknown[]) => void {
  const { level = DEFAULT_LEVEL } = options
  const strange = Object.keys(options).find(name => name !== 'level')
  if (strange !== undefined) refuse('options', '{ level }, the name of a level', options)
  if (typeof message !== 'string') refuse('message', 'a string', message)
  checkNames(names)
  const number = this.levels.values[level]
  if (number === undefined) refuse('level', `one of ${Object.keys(this.levels.values).join(', ')}`, level)
  const prefix = this[msgPrefixSym]
  const compiled = new CompiledEvent(typeof prefix === 'string' ? prefix + message : message, number, names)
  const emit = (values: readonly unknown[]): void => {
    if (!this[levelCompSym](number, this[levelValSym])) return
    if (this[hooksSym].logMethod) {
      ;(this as unknown as Record<string, (fields: Fields, text: string) => void>)[level]!(
        compiled.fields(values),
        message
      )
      return
    }
    if (fastPathOf(this)?.event(compiled, values)) return
    heed(this)
    const encoder = (this[streamSym] as EncodingStream)[recordEncoderSym]
    if (encoder?.event && this[featuresSym] === undefined && !this[jsonAtCallSym]) encoder.event(this, compiled, values)
    else this[writeSym](compiled.fields(values), compiled.message, number)
  }
  return names.length <= MOST_VALUES ? withFewValues(names.length, emit) : (...values) => emit(values)
}
