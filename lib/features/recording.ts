/** A logger's flight recorder: keeps what is logged, and what is below the logger's level. */

import path from 'node:path'
import { isError } from '../errors'
import {
  type Internals,
  type RecordSink,
  recordSinkSym,
  type Stage,
  type Stream,
  type StreamWithSink,
  type Write
} from '../pino/context'
import type { LoggerFormat } from '../pino/line-format'
import { fastPathSym, shapesFields } from '../pino/log-call'
import { multistream } from '../pino/multistream'
import { addFastPath, RecordDestination, recordSink } from '../pino/record-destination'
import {
  errorKeySym,
  familySym,
  levelCompSym,
  levelValSym,
  messageKeySym,
  stagesSym,
  streamSym,
  writeSym
} from '../pino/symbols'
import { FATAL, type Levels, WriterBesideRing } from '../recorder/events'
import type { RecorderOptions } from '../recorder/options'
import { RingRecorder } from '../recorder/recorder'
import type { Features } from './features'
import { failOption, isOptions } from './options'
import { methodOf } from './origin'

type Fields = object | null | undefined

/** Those around what a logger does with a record: outside and inside its other features. */
const OWN_STAGES = 2

/** The ring as one of several destinations. */
interface RingStream extends Stream, StreamWithSink {
  readonly [recordSinkSym]: RecordSink
}

type Joint = Stream & { readonly [recordSinkSym]: RecordSink }

/** Beside a log that is a file, under its name; else where the options say. */
function placeOf(stream: unknown): { path?: string } {
  const file = stream instanceof RecordDestination ? stream.file : null
  if (file === null) return {}
  const absolute = path.resolve(file)
  return { path: path.join(path.dirname(absolute), `.${path.basename(absolute)}.recorder`) }
}

/** The recorder of a logger and its children. */
export class Recording {
  readonly recorder: RingRecorder
  readonly #enabled: Internals[typeof levelCompSym]
  readonly #least: number
  readonly #stream: RingStream
  readonly #alone: RecordSink
  /** Streams of loggers, each with the ring beside it. */
  readonly #joints = new WeakMap<Stream, Joint>()
  readonly #levels: Levels = {
    of: format => (format as LoggerFormat).level,
    methodOf: format => methodOf((format as LoggerFormat).logger, (format as LoggerFormat).level),
    areKept: level => this.takes(level),
    areLogged: (format, level) => {
      const { logger } = format as LoggerFormat
      return logger[levelCompSym](level, logger[levelValSym])
    }
  }
  /** Writers of loggers' streams, each with the ring beside it. */
  readonly #writers = new WeakMap<RecordSink, WriterBesideRing>()
  /** Whether the record that is being written has got into the ring with the log's. */
  #isWritten = false

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG`, and what opening the ring throws */
  constructor(logger: Internals, options: RecorderOptions, name: string | undefined) {
    if (!isOptions(options)) failOption('recorder', options, 'an object of options')
    const { values } = logger.levels
    const service = name === undefined || name === '' ? {} : { service: name }
    const numbers = Object.values(values).filter(Number.isFinite)
    const around = {
      levels: values,
      messageKey: logger[messageKeySym],
      isKept: (level: number) => this.takes(level),
      defaults: { ...service, ...placeOf(logger[streamSym]) }
    }
    this.recorder = new RingRecorder(options, around)
    this.#enabled = logger[levelCompSym]
    const isAscending = this.#enabled(Math.max(...numbers), Math.min(...numbers))
    const lowest = isAscending ? Math.min(...numbers) : Math.max(...numbers)
    this.#least = options.level === undefined ? lowest : (values[options.level] as number)
    const { encoder } = this.recorder
    this.#alone = recordSink(encoder)
    this.#stream = {
      [recordSinkSym]: this.#alone,
      write: line => encoder.text(Number.NaN, line)
    }
  }

  /** Whether records of a level are kept. */
  takes(level: number): boolean {
    return this.#enabled(level, this.#least)
  }

  /** The stage that writes to log and ring at once, where both want the record whole. */
  inner(write: Write): Stage {
    return {
      write: (logger, fields, message, level) => {
        if (!this.takes(level) || this.recorder.adds || !this.recorder.keepsWhole(fields)) {
          write.call(logger, fields, message, level)
          return
        }
        this.#isWritten = true
        try {
          this.#joint(logger[streamSym])[recordSinkSym].write(logger, fields, message, level)
        } catch (thrown) {
          this.recorder.noteUnrecorded(level, message, thrown)
          throw thrown
        }
      }
    }
  }

  /** The stage that keeps what does not get as far as `inner`: `write` is what leads there. */
  outer(write: Write, features: Features | undefined): Stage {
    return {
      write: (logger, fields, message, level) => {
        if (!this.takes(level)) {
          write.call(logger, fields, message, level)
          return
        }
        const sink = features === undefined && this.recorder.adds ? this.#sinkBeside(logger) : null
        if (sink !== null) {
          sink.write(logger, fields, message, level)
          return
        }
        const outer = this.#isWritten
        this.#isWritten = false
        try {
          if (logger[levelCompSym](level, logger[levelValSym])) write.call(logger, fields, message, level)
          if (!this.#isWritten) this.#writeAlone(logger, fields, message, level, features)
        } catch (thrown) {
          // The log gets a line of what can be had of it from the logger.
          if (!this.#isWritten) this.recorder.noteUnrecorded(level, message, thrown)
          throw thrown
        } finally {
          this.#isWritten = outer
        }
        if (level >= FATAL) this.recorder.noteFatal()
        if (features === undefined) this.#addFastPath(logger)
      },
      close: () => this.recorder.close()
    }
  }

  /**
   * The next calls of a logger without other features need no stages, if its destination records.
   */
  #addFastPath(logger: Internals): WriterBesideRing | null {
    const sink = (logger[streamSym] as StreamWithSink)[recordSinkSym]
    if (sink?.writer === undefined || shapesFields(logger) || logger[stagesSym].length > OWN_STAGES) return null
    const known = this.#writers.get(sink)
    const writer = known ?? new WriterBesideRing(this.recorder, sink.writer, this.#levels)
    if (known === undefined) this.#writers.set(sink, writer)
    addFastPath(sink, writer, logger, logger[familySym][writeSym])
    return writer
  }

  /** Where a record goes of a logger that has a fast path from now on; null if it can have none. */
  #sinkBeside(logger: Internals): RecordSink | null {
    const writer = this.#addFastPath(logger)
    return writer !== null && logger[fastPathSym]?.isValidFor(logger) ? recordSink(writer) : null
  }

  #joint(stream: Stream): Joint {
    const known = this.#joints.get(stream)
    if (known !== undefined) return known
    // Whatever its level: those that the streams are to be given have been chosen already.
    const level = Number.NEGATIVE_INFINITY
    const joint = multistream([
      { stream, level },
      { stream: this.#stream, level }
    ]) as unknown as Joint
    this.#joints.set(stream, joint)
    return joint
  }

  /** A failure is the recorder's alone: the log has the record, or does not want it. */
  #writeAlone(
    logger: Internals,
    fields: Fields,
    message: unknown,
    level: number,
    features: Features | undefined
  ): void {
    try {
      const all = features === undefined ? fields : features.completed(logger, fields, level)
      const kept = this.recorder.adds
        ? this.recorder.completed(isError(all) ? { [logger[errorKeySym]]: all } : all, methodOf(logger, level))
        : this.recorder.kept(all)
      this.#alone.write(logger, kept, message, level)
    } catch (thrown) {
      this.recorder.noteUnrecorded(level, message, thrown)
    }
  }
}
