/** The options `serializers` and `browser.serialize`. */

import type { SerializerFn } from '../pino/types'
import { stdSerializers } from './statics'

export type Serializers = Record<string, SerializerFn>

/** In the list of `browser.serialize`, keeps errors as they are. */
const NO_ERRORS = '!stdSerializers.err'

const isFields = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export class Serialization {
  readonly serializers: Serializers
  readonly #option: boolean | string[] | undefined

  constructor(serializers: Serializers, option: boolean | string[] | undefined) {
    this.serializers = serializers
    this.#option = option
  }

  forChild(own: Serializers | undefined): Serialization {
    return own ? new Serialization({ ...this.serializers, ...own }, this.#option) : this
  }

  /** Arguments of a call as they are written. */
  ofCalls(args: readonly unknown[]): unknown[] {
    return this.#option ? this.#apply(args) : [...args]
  }

  /** Arguments and bindings as they are sent: serialized in any case. */
  ofEvents(args: readonly unknown[]): unknown[] {
    return this.#apply(args)
  }

  #apply(args: readonly unknown[]): unknown[] {
    const option = this.#option
    const named = Array.isArray(option) ? option.filter(name => name !== NO_ERRORS) : Object.keys(this.serializers)
    const keepsErrors = Array.isArray(option) && option.includes(NO_ERRORS)
    return args.map(arg => this.#one(arg, named, keepsErrors))
  }

  #one(value: unknown, named: readonly string[], keepsErrors: boolean): unknown {
    if (value instanceof Error) return keepsErrors ? value : stdSerializers.err(value)
    if (!isFields(value)) return value
    const keys = named.filter(key => key in value && key in this.serializers)
    if (keys.length === 0) return value
    return { ...value, ...Object.fromEntries(keys.map(key => [key, this.serializers[key]?.(value[key])])) }
  }
}
