/**
 * A logger's inner state as the modules of this folder see it, and the interfaces by which others
 * take part in its calls: destinations as sinks, plug-ins as stages.
 */

import type { EventEmitter } from 'node:events'
import type { BoundText } from '../record/definition'
import type { EventShape } from '../record/payload-writer'
import type { RecordWriter } from '../record/record-encoder'
import type { ShapeTree } from '../record/shape-tree'
import type * as sym from './symbols'
import type { Bindings, ChildLoggerOptions, LevelMapping, PluginOptions, TimeFn } from './types'

/** JSON text of a field whose value needs hiding in it. */
export type Stringifier = (value: unknown) => string | undefined

/** Serializers by top-level field; one for all others under the wildcard symbol. */
export interface Stringifiers {
  [key: string]: Stringifier | undefined
  [sym.wildcardFirstSym]?: Stringifier
  /** For objects put into messages. */
  [sym.redactFmtSym]?: Stringifier
}

/** Makes a record into a line. */
export type AsJson = (this: Internals, fields: Fields, message: unknown, level: number, time: string) => string

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

interface Hooks {
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

/** What becomes of a record once its level is on and its arguments are sorted out. */
export type Write = (this: Internals, fields: object | null | undefined, message: unknown, level: number) => void

/**
 * What a logger and its children inherit from, and others do not. Modules that keep something there
 * declare it by adding to this.
 */
export interface Family {
  [sym.stagesSym]: readonly Stage[]
  [sym.keepsLevelSym]?: ((level: number) => boolean) | undefined
  [sym.writeSym]: Write
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

  [sym.familySym]: Family
  [sym.stagesSym]: readonly Stage[]

  [sym.asJsonSym]: AsJson
  /** The bindings; as text there is a comma before each. */
  [sym.boundSym]: BoundText
  /** What ends a line, closing brace included. */
  [sym.endSym]: string
  [sym.errorKeySym]: string
  [sym.errorTextSym]: boolean | undefined
  [sym.formatOptsSym]: FormatOptions
  [sym.formattersSym]: Formatters
  [sym.getLevelSym]: () => string
  [sym.hooksSym]: Hooks
  /** Whether a stage wants records of a level that the logger's own leaves out. */
  [sym.keepsLevelSym]: ((level: number) => boolean) | undefined
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
  [sym.writeSym]: Write
}

// The interface between loggers and destinations. A destination that carries a sink is given
// records through it; every other gets lines of text.

/** A compiled event, as sinks see it. */
export interface CompiledEvent extends EventShape {
  /** Number of its level. */
  readonly level: number
  /** The object that a call's values stand for. */
  readonly fields: (values: readonly unknown[]) => Fields
  /** Looks its keys up in the tree, for `node`. False if a value would have to be converted. */
  resolve(tree: ShapeTree): boolean
}

/** Turns records into bytes and passes them on. */
export interface RecordSink {
  /**
   * One record.
   *
   * @param logger the logger: its bindings, serializers, formatters, mixin and so on, under
   *   `symbols`
   * @param fields the object as it was logged, perhaps an error; null or undefined for none
   * @param message the message with its placeholders filled in; of any type, undefined for none
   * @param level number of the level
   */
  write(logger: Internals, fields: object | null | undefined, message: unknown, level: number): void
  /**
   * A logger of the destination has been made: what its records have in common can be worked out
   * before it logs one.
   */
  prepare?(logger: Internals): void
  /** As `write` for a compiled event, where the sink has a shorter way for it. */
  event?(logger: Internals, event: CompiledEvent, values: readonly unknown[]): void
  /**
   * What takes the records, where several destinations may share the making of one. Those without
   * it are given text then.
   */
  readonly writer?: RecordWriter
}

/**
 * Where a destination carries its sink. Copies of this package know each other by the name of it.
 */
export const recordSinkSym: unique symbol = Symbol.for('shardlog.recordEncoder')

export interface StreamWithSink {
  [recordSinkSym]?: RecordSink | undefined
}

/** What a plug-in puts between the loggers of one family and their sink. */
export interface Stage {
  /**
   * Gets each record. It passes the record on to what it was put in front of, changed or as it is,
   * or does not.
   */
  write(logger: Internals, ...record: Parameters<Write>): void
  /** Passes on what it holds back, since the destination is flushed or closed next. */
  flush?(): void
  /** The loggers' destination is closed. */
  close?(): void
}

/**
 * What adds to loggers. `addPlugin` (prototype.ts) takes it, when an entry of the package is
 * loaded; this folder knows no plug-in. The types of its options and methods join `PluginOptions`
 * and `PluginMethods` (types.ts).
 */
export interface Plugin {
  /** Names of the options that it takes. */
  readonly options: readonly string[]
  /**
   * Properties for the prototype behind all loggers: methods, and what stands under symbols of its
   * own while there is nothing else.
   */
  readonly properties: object
  /**
   * Called with a new logger if one of `options` is given, whatever its value: checks them, and
   * gives the logger a stage (`addStage`) if they ask for any.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if an option is wrong
   */
  install(logger: Internals, options: PluginOptions): void
}

/** The plug-ins, as they were added. */
export const plugins: Plugin[] = []
