/** A logger's inner state, as the modules of this folder see it: public methods plus what the symbols hold. */

import type { EventEmitter } from 'node:events'
import type { Features } from '../features/features'
import type { familySym, featuresSym, methodsSym } from '../features/symbols'
import type { TracedAsJson } from './diagnostics'
import type { fastPathSym, LogFastPath } from './fast-path'
import type { LevelMethods } from './level-methods'
import type { Stringifiers } from './redaction'
import type * as sym from './symbols'
import type { Bindings, ChildLoggerOptions, LevelMapping, TimeFn } from './types'

/** Fields of one record, before they are JSON. */
export type Fields = Record<string, unknown>

/** JSON text of a value, or undefined where JSON has none for it. */
export type Stringify = (value: unknown, safe?: Stringify) => string | undefined

export type Serializers = Record<PropertyKey, ((value: unknown) => unknown) | undefined>

export interface Formatters {
  level: (label: string, number: number) => unknown
  bindings: (bindings: Bindings) => Bindings | null
  log: ((fields: Fields) => Fields) | undefined
}

export interface Hooks {
  logMethod?: LogMethodHook | undefined
  streamWrite?: ((line: string) => string) | undefined
}

export type LogMethod = (this: Internals, ...args: unknown[]) => void
export type LogMethodHook = (this: Internals, args: unknown[], method: LogMethod, level: number) => void
export type LevelComparison = (current: number, expected: number) => boolean

/** A destination, with what loggers look for on it. */
export interface Stream {
  write(line: string): unknown
  flush?: (callback: (error?: Error) => void) => void
  flushSync?: () => void
  [sym.needsMetadataGsym]?: boolean
  lastLevel?: number
  lastObj?: unknown
  lastMsg?: unknown
  lastTime?: string
  lastLogger?: unknown
}

export interface FormatOptions {
  stringify: (value: unknown) => string | undefined
}

export interface Internals extends EventEmitter {
  levels: LevelMapping
  level: string | number
  readonly levelVal: number
  onChild: (child: Internals) => void
  child(bindings: Bindings, options?: ChildLoggerOptions<string>): Internals
  redact?: unknown
  flush(callback?: (error?: Error) => void): void

  [familySym]: { [methodsSym]?: LevelMethods }
  /** null, or one that may be out of date or an ancestor's. */
  [fastPathSym]: LogFastPath | null
  /** undefined while none is used. */
  [featuresSym]?: Features

  [sym.asJsonSym]: TracedAsJson
  /** The bindings as JSON text, a comma before each. */
  [sym.chindingsSym]: string
  /** What ends a line, closing brace included. */
  [sym.endSym]: string
  [sym.errorKeySym]: string
  [sym.errorTextSym]: boolean | undefined
  [sym.formatOptsSym]: FormatOptions
  [sym.formattersSym]: Formatters
  [sym.getLevelSym]: () => string
  [sym.hooksSym]: Hooks
  [sym.levelCompSym]: LevelComparison
  [sym.levelValSym]: number
  [sym.jsonAtCallSym]: boolean
  /** What a line begins with, for each level's number. */
  [sym.lsCacheSym]: Record<number, string>
  [sym.messageKeySym]: string
  [sym.mixinMergeStrategySym]: ((fields: object, mixed: object) => object) | undefined
  [sym.mixinSym]: ((fields: object, level: number, logger: Internals) => object) | undefined
  [sym.msgPrefixSym]: string | undefined
  [sym.nestedKeyStrSym]: string
  [sym.nestedKeySym]: string | null | undefined
  [sym.serializersSym]: Serializers
  [sym.setLevelSym]: (level: string | number) => void
  [sym.streamSym]: Stream
  [sym.stringifiersSym]: Stringifiers
  [sym.stringifySafeSym]: Stringify
  [sym.stringifySym]: Stringify
  [sym.timeSliceIndexSym]: number
  [sym.timeSym]: TimeFn
  [sym.trailingFieldsSym]: boolean
  [sym.useOnlyCustomLevelsSym]: boolean
  [sym.writeSym]: (fields: object | null | undefined, message: unknown, level: number) => void
}
