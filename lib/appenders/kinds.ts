/**
 * What an appender is, and the kinds that a configuration can name. A folder that brings kinds
 * registers them (`registerKind`) when an entry of the package loads it; this folder knows its own.
 */

import type { ShardlogError } from '../errors'
import type { Stream, StreamWithSink } from '../pino/context'

/**
 * A part of a JSON Schema (draft 7). Names are in camelCase; the configuration may spell them in
 * snake_case, too. Each property has a `description`, from which the documents are made, and a
 * `default` where there is one.
 */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/** A destination of the engine's, or any other that loggers write to. */
export type Destination = Stream & StreamWithSink

/** Counters and states of an appender, for `logging.stats()`. */
export type AppenderStats = Readonly<Record<string, number | string | boolean | null>>

/** Where records go. One thread uses it. */
export interface Appender {
  /**
   * Where the appender has a destination that takes lines as they come (a log of the engine's, for
   * one), so that nothing is gathered in front of it. A destination with a sink is given records as
   * values, which its flusher makes into lines: an appender that reads what it ships from a local
   * log has that log's here. `writeRaw` is not called then.
   */
  readonly destination?: Destination | undefined
  /**
   * Takes finished lines, each with its newline, in their order. Does not wait until they are
   * delivered, unless it returns a promise. An error means that none of them was taken: the batch
   * is kept and given again, before later ones.
   */
  writeRaw(lines: readonly string[]): void | Promise<void>
  /**
   * Hands what was taken to the system, or to the other side. Rejects with ShardlogError if it
   * could not; what was taken is kept then.
   */
  flush(): Promise<void>
  /** The same, in the call, where the appender can. */
  flushSync?(): void
  /** Flushes and ends. Nothing is written afterwards. A second call does nothing. */
  close(): Promise<void>
  stats?(): AppenderStats
}

/** What an appender is opened with. */
export interface AppenderContext {
  /** Its name in the configuration. */
  readonly name: string
  /**
   * Its options: names in camelCase, values as the schema has them, defaults filled in, variables
   * of the environment replaced.
   */
  readonly options: Readonly<Record<string, unknown>>
  /** Whether its lines are JSON as loggers make them; else a layout has made them. */
  readonly isPlainJson: boolean
  /**
   * Another appender of the configuration, which is opened before if it need be.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if there is none of that name, or it refers back
   */
  appender(name: string): Appender
  /**
   * Tells of what goes wrong later: the `onError` of `configure`, or a process warning, once for
   * each appender and code.
   */
  report(error: ShardlogError): void
}

/** A kind of appender. */
export interface AppenderKind {
  /**
   * The value of `type`, in PascalCase: 'File', 'Kafka'. Also accepted with `Appender` behind it.
   */
  readonly type: string
  /** One sentence for the documents. */
  readonly description: string
  /**
   * Options of the kind beside those that all appenders have: `{ properties, required }` of a JSON
   * Schema. Others are refused. A property whose names are somebody else's (`producerConfig`) is an
   * object with `additionalProperties`: they are left as they are written.
   */
  readonly schema: JsonSchema
  /** The option `fileName` of an appender of the name that has none. */
  defaultFile?(name: string): string
  /**
   * What no schema can tell of the options: sentences, each with the option that it is about. None
   * if they are right.
   */
  check?(options: Readonly<Record<string, unknown>>): readonly { option: string; message: string }[]
  /**
   * Opens an appender. Nobody is waited for: a broker that does not answer fails no start.
   *
   * @throws ShardlogError
   */
  open(context: AppenderContext): Appender
}

const kinds = new Map<string, AppenderKind>()

/** Makes a kind known; one of the same type before is replaced. */
export function registerKind(kind: AppenderKind): void {
  kinds.set(kind.type, kind)
}

/** The kinds that are known, by type. */
export function knownKinds(): ReadonlyMap<string, AppenderKind> {
  return kinds
}
