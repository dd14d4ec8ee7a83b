/**
 * The destination of the loggers of one name: passes each record to the appenders that should have
 * it. Where they all take all of it as values, a record is one for all of them, and a call takes
 * the way of a logger with a single destination.
 */

import { EventEmitter } from 'node:events'
import type { Reading } from '../metrics'
import { type Internals, type RecordSink, recordSinkSym, type Stream } from '../pino/context'
import { recordTime } from '../pino/json-line'
import type { LoggerFormat } from '../pino/line-format'
import { countersOf, sum } from '../pino/prototype'
import { addFastPath, recordSink } from '../pino/record-destination'
import { needsMetadataGsym, readingsSym, stateVersion } from '../pino/symbols'
import type { EventShape, LineFormat, PayloadWriter } from '../record/payload-writer'
import { JointEncoder, type RecordWriter } from '../record/record-encoder'
import type { StatsSnapshot } from '../types'
import type { BatchBuffer } from './buffer'
import { type Filter, passes } from './filters'
import type { Appender } from './kinds'
import type { Layout } from './line-parts'
import { parsed, RecordView } from './record-view'

/** An open appender, as routes see it. */
export interface Port {
  readonly name: string
  readonly appender: Appender
  /** null: lines of JSON as the loggers make them. */
  readonly layout: Layout | null
  readonly level: number
  readonly filters: readonly Filter[]
  /** In front of one without a destination. */
  readonly buffer: BatchBuffer | null
}

interface Target {
  readonly port: Port
  readonly level: number
  readonly filters: readonly Filter[]
}

/** One logger of the hierarchy; what its filters do not let pass goes no further up either. */
export interface RouteStep {
  readonly filters: readonly Filter[]
  readonly targets: readonly Target[]
}

/** What takes records as values, if the appender's lines are the loggers' own. */
const writerOf = ({ layout, appender }: Port): RecordWriter | undefined =>
  layout === null ? appender.destination?.[recordSinkSym]?.writer : undefined

/** An appender that is given text. */
class TextTarget {
  readonly #writer: RecordWriter | undefined

  constructor(readonly port: Port) {
    this.#writer = port.appender.destination?.[recordSinkSym]?.writer
  }

  put(time: number, line: string): void {
    const { appender, buffer } = this.port
    if (this.#writer !== undefined) this.#writer.text(time, line)
    else if (appender.destination !== undefined) appender.destination.write(line)
    else buffer!.write(line)
  }

  /** Gives it a record; throws what its layout does, and nothing is given then. */
  putRecord(time: number, record: RecordView): void {
    const { layout } = this.port
    const parts = this.#writer?.framed === undefined ? null : layout?.parts?.(record)
    if (parts) this.#writer!.framed!(time, parts.before, parts.text, parts.after)
    else this.put(time, layout === null ? record.line : layout(record))
  }
}

/**
 * The appenders that records of one way reach: those that take values, what writes there, others.
 * Where a record is a line already, the former are given text, too.
 */
interface Reached {
  readonly ports: readonly Port[]
  readonly values: readonly TextTarget[]
  readonly texts: readonly TextTarget[]
  readonly writer: RecordWriter | null
}

function reachedBy(ports: readonly Port[]): Reached {
  const values = ports.filter(port => writerOf(port) !== undefined)
  const texts = ports.filter(port => !values.includes(port))
  const targetOf = (port: Port): TextTarget => new TextTarget(port)
  return {
    ports,
    values: values.map(targetOf),
    texts: texts.map(targetOf),
    writer: values.length === 0 ? null : joint(values)
  }
}

function joint(ports: readonly Port[]): RecordWriter {
  const writers = ports.map(port => writerOf(port)!)
  return writers.length === 1 ? writers[0]! : new JointEncoder(writers)
}

const areSame = (one: readonly Port[], other: readonly Port[]): boolean =>
  one.length === other.length && one.every((port, at) => port === other[at])

function hasFilters(steps: readonly RouteStep[]): boolean {
  return steps.some(
    ({ filters, targets }) =>
      filters.length > 0 || targets.some(({ port, filters }) => filters.length > 0 || port.filters.length > 0)
  )
}

/** Whether every record reaches every target. */
function takesAll(steps: readonly RouteStep[]): boolean {
  return steps.every(
    ({ filters, targets }) =>
      filters.length === 0 &&
      targets.every(
        ({ port, level, filters }) => level <= 0 && filters.length === 0 && port.level <= 0 && port.filters.length === 0
      )
  )
}

/** Told of what fails in a filter or a layout. */
type Report = (port: string, error: unknown) => void

/**
 * What decides for each record which appenders it reaches, and gives it to them. Loggers write here
 * as to one destination, on their fast path.
 */
class RouteWriter implements RecordWriter {
  readonly ports: readonly Port[]
  /** Where the level alone decides. */
  readonly #byLevel: Map<number, Reached> | null
  readonly #known: Reached[] = []
  readonly #record: RecordView
  #isBusy = false
  #logger: Internals | null = null
  #level: number | undefined = undefined

  constructor(
    private readonly name: string,
    private readonly steps: readonly RouteStep[],
    private readonly report: Report
  ) {
    this.ports = [...new Set(steps.flatMap(({ targets }) => targets.map(({ port }) => port)))]
    this.#record = new RecordView(name)
    this.#byLevel = hasFilters(steps) ? null : new Map()
  }

  record(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    // Getters and filters may log.
    const record = this.#isBusy ? new RecordView(this.name) : this.#record
    const wasBusy = this.#isBusy
    this.#isBusy = true
    try {
      record.setRecord(format as LoggerFormat, time, timeText, fields, message)
      const { values, texts, writer } = this.#reached(record)
      for (const target of texts) this.#give(target, time, record)
      if (writer === null) return true
      // What getters and serializers say is asked for once.
      if (!record.hasLine) return writer.record(format, time, timeText, fields, message)
      for (const target of values) target.put(time, record.line)
      return true
    } finally {
      this.#isBusy = wasBusy
      record.clear()
    }
  }

  event(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): boolean {
    return this.record(format, time, timeText, event.fields(values), event.message)
  }

  /** A logger whose lines can be no values: `note` has told of it. */
  text(time: number, line: string): boolean {
    return this.line(time, line, this.#logger, this.#level)
  }

  /** What the next lines are of, in case they are text. */
  note(logger: Internals | null, level: number | undefined): void {
    this.#logger = logger
    this.#level = level
  }

  /** A line that is made already; its level, where that is known. */
  line(time: number, line: string, logger: Internals | null, level: number | undefined): boolean {
    const record = new RecordView(this.name)
    record.setLine(line, level ?? numberOf(parsed(line).level, logger), logger)
    const { values, texts } = this.#reached(record)
    for (const target of texts) this.#give(target, time, record)
    for (const target of values) target.put(time, line)
    return true
  }

  /** For who has made a record for several; a route's sink offers nobody to do so. */
  append(made: PayloadWriter, format: LineFormat, from: number): boolean {
    for (const port of this.ports) writerOf(port)?.append(made, format, from)
    return true
  }

  close(): void {}

  #reached(record: RecordView): Reached {
    if (this.#byLevel === null) return this.#joined(this.#ports(record))
    let reached = this.#byLevel.get(record.level)
    if (reached === undefined) {
      reached = this.#joined(this.#ports(record))
      this.#byLevel.set(record.level, reached)
    }
    return reached
  }

  /** The appenders that a record reaches, each once. */
  #ports(record: RecordView): Port[] {
    const reached: Port[] = []
    let asked: Port[] | null = null
    for (const { filters, targets } of this.steps) {
      if (filters.length > 0 && !this.#passes(filters, record, '')) break
      for (const { port, level, filters } of targets) {
        if (record.level < level || record.level < port.level || reached.includes(port)) continue
        if (filters.length > 0 && !this.#passes(filters, record, port.name)) continue
        if (port.filters.length > 0) {
          // Each of an appender's filters counts a record once.
          if (asked?.includes(port)) continue
          asked ??= []
          asked.push(port)
          if (!this.#passes(port.filters, record, port.name)) continue
        }
        reached.push(port)
      }
    }
    return reached
  }

  #passes(filters: readonly Filter[], record: RecordView, port: string): boolean {
    try {
      return passes(filters, record)
    } catch (error) {
      // Rather a record too many than one too few.
      this.#tell(port, record, error)
      return true
    }
  }

  #give(target: TextTarget, time: number, record: RecordView): void {
    try {
      target.putRecord(time, record)
    } catch (error) {
      target.put(time, this.#tell(target.port.name, record, error))
    }
  }

  /**
   * Tells of a filter or a layout that fails. Where a getter of what was logged does, it does so
   * here again, and the logger writes a line that says so.
   */
  #tell(port: string, record: RecordView, error: unknown): string {
    const { line } = record
    this.report(port, error)
    return line
  }

  #joined(ports: readonly Port[]): Reached {
    for (const known of this.#known) if (areSame(known.ports, ports)) return known
    const reached = reachedBy(ports)
    this.#known.push(reached)
    return reached
  }
}

/**
 * As `recordSink`, where text is passed on with its logger and level. It has no `writer`, by which
 * a multistream would pass by the filters: it is given text.
 */
function sinkOf(writer: RouteWriter): RecordSink {
  const inner = recordSink(writer)
  const sink: RecordSink = {
    write(logger, fields, message, level) {
      writer.note(logger, level)
      try {
        inner.write(logger, fields, message, level)
      } finally {
        writer.note(null, undefined)
      }
      addFastPath(sink, writer, logger)
    },
    event(logger, event, values) {
      sink.write(logger, event.fields(values), event.message, event.level)
    }
  }
  return sink
}

interface Counting {
  [readingsSym]?: () => Reading[]
}

/** The destination of loggers of one name. */
export class Route extends EventEmitter {
  [recordSinkSym]: RecordSink | undefined
  readonly [needsMetadataGsym] = true
  lastLevel: number | undefined = undefined
  lastLogger: Internals | undefined = undefined
  #writer: RouteWriter

  /** @param name of the loggers; '' for the root */
  constructor(
    readonly name: string,
    private readonly report: Report
  ) {
    super()
    this.#writer = new RouteWriter(name, [], report)
  }

  /** From now on records go these ways. */
  set(steps: readonly RouteStep[]): void {
    this.#writer = new RouteWriter(this.name, steps, this.report)
    const { ports } = this.#writer
    const isDirect = ports.length > 0 && ports.every(port => writerOf(port) !== undefined) && takesAll(steps)
    this[recordSinkSym] = isDirect ? recordSink(joint(ports)) : sinkOf(this.#writer)
    // Loggers remember where their records went.
    stateVersion.count++
  }

  /** A line that is made already. */
  write(line: string): boolean {
    const { lastLevel, lastLogger } = this
    this.lastLevel = undefined
    return this.#writer.line(recordTime(), line, lastLogger ?? null, lastLevel)
  }

  /**
   * Flushes its appenders; `callback` is called when all of them are done, with the first failure.
   */
  flush(callback: (error?: Error) => void = () => undefined): void {
    const flushes = this.#writer.ports.map(({ buffer, appender }) => (buffer ?? appender).flush())
    Promise.all(flushes).then(() => callback(), callback)
  }

  flushSync(): void {
    for (const { appender } of this.#writer.ports) appender.flushSync?.()
  }

  /** A logger is closed: its appenders are those of others, too, and only flushed. */
  end(): void {
    this.flush(error => {
      if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error)
      this.emit('close')
    })
  }

  /** The counters of appenders that have a log of the engine's; undefined if none has. */
  get getStatsSnapshot(): (() => StatsSnapshot) | undefined {
    const snapshot = sum(this.#streams.flatMap(countersOf))
    return snapshot === null ? undefined : () => snapshot
  }

  get #streams(): Counting[] {
    return this.#writer.ports.map(({ appender }) => (appender as { stream?: Counting }).stream ?? {})
  }

  /** @internal */
  [readingsSym](): Reading[] {
    return this.#streams.flatMap(stream => stream[readingsSym]?.() ?? [])
  }
}

/** The number of a level as a line has it. */
function numberOf(level: unknown, logger: Internals | null): number {
  if (typeof level === 'number') return level
  return (typeof level === 'string' ? logger?.levels.values[level] : undefined) ?? Number.POSITIVE_INFINITY
}

/** A route, as loggers take it for their stream. */
export const streamOf = (route: Route): Stream => route as unknown as Stream
