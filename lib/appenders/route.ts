/**
 * The destination of the loggers of one name: passes each record to the appenders that should have
 * it. Where they all take all of it as values, a record is one for all of them, and a call takes the
 * way of a logger with a single destination.
 */

import { EventEmitter } from 'node:events'
import type { Reading } from '../metrics'
import { type Internals, type RecordSink, recordSinkSym, type Stream } from '../pino/context'
import { recordSink } from '../pino/record-destination'
import { needsMetadataGsym, readingsSym, stateVersion } from '../pino/symbols'
import { JointEncoder, type RecordWriter } from '../record/record-encoder'
import type { BatchBuffer } from './buffer'
import { type Filter, passes } from './filters'
import type { Appender } from './kinds'
import type { Layout } from './layouts'
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

function putText({ appender, buffer }: Port, line: string): void {
  if (appender.destination !== undefined) appender.destination.write(line)
  else buffer!.write(line)
}

/** Ports that records have gone to together as values, and the sink for them. */
interface Group {
  readonly ports: readonly Port[]
  readonly sink: RecordSink
}

function sinkFor(ports: readonly Port[]): RecordSink {
  const [only] = ports
  if (ports.length === 1) return only!.appender.destination![recordSinkSym]!
  return recordSink(new JointEncoder(ports.map(port => writerOf(port)!)))
}

const areSame = (one: readonly Port[], other: readonly Port[]): boolean =>
  one.length === other.length && one.every((port, at) => port === other[at])

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

/** The destination of loggers of one name. */
export class Route extends EventEmitter {
  [recordSinkSym]: RecordSink | undefined
  readonly [needsMetadataGsym] = true
  lastLevel: number | undefined = undefined
  lastLogger: Internals | undefined = undefined
  #steps: readonly RouteStep[] = []
  #ports: readonly Port[] = []
  #groups: Group[] = []

  /**
   * @param name of the loggers; '' for the root
   * @param report told of what fails in a filter or a layout
   */
  constructor(
    readonly name: string,
    private readonly report: (port: string, error: unknown) => void
  ) {
    super()
  }

  /** From now on records go these ways. */
  set(steps: readonly RouteStep[]): void {
    this.#steps = steps
    this.#groups = []
    const ports = [...new Set(steps.flatMap(({ targets }) => targets.map(({ port }) => port)))]
    this.#ports = ports
    const isDirect = ports.length > 0 && ports.every(port => writerOf(port) !== undefined) && takesAll(steps)
    this[recordSinkSym] = isDirect ? this.#direct(ports) : { write: (...record) => this.#write(...record) }
    // Loggers remember where their records went.
    stateVersion.count++
  }

  #direct(ports: readonly Port[]): RecordSink {
    // A sink of the route's own: that of a single destination may be somebody else's, too.
    const writers = ports.map(port => writerOf(port)!)
    return recordSink(writers.length === 1 ? writers[0]! : new JointEncoder(writers))
  }

  #write(logger: Internals, fields: object | null | undefined, message: unknown, level: number): void {
    const record = new RecordView(logger, { fields, message }, this.name, level)
    const ports = this.#reached(record)
    if (ports.length === 0) return
    const values = this.#putTexts(record, ports)
    if (values.length === 0) return
    // What getters and serializers say is asked for once.
    if (record.hasLine) for (const port of values) putText(port, record.line)
    else this.#group(values).sink.write(logger, fields, message, level)
  }

  /** A line that is made already. */
  write(line: string): boolean {
    const level = this.lastLevel ?? numberOf(parsed(line).level, this.lastLogger)
    const record = new RecordView(this.lastLogger ?? null, { line }, this.name, level)
    this.lastLevel = undefined
    for (const port of this.#putTexts(record, this.#reached(record))) putText(port, line)
    return true
  }

  /** The appenders that a record reaches, each once. */
  #reached(record: RecordView): Port[] {
    const reached: Port[] = []
    let asked: Port[] | null = null
    for (const { filters, targets } of this.#steps) {
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
      // A getter of what was logged: rather a record too many than one too few.
      this.report(port, error)
      return true
    }
  }

  /** Gives those their line that take text; returns the others. */
  #putTexts(record: RecordView, ports: readonly Port[]): Port[] {
    const values: Port[] = []
    for (const port of ports) {
      if (port.layout === null && writerOf(port) !== undefined) values.push(port)
      else putText(port, this.#textFor(port, record))
    }
    return values
  }

  #textFor(port: Port, record: RecordView): string {
    if (port.layout === null) return record.line
    try {
      return port.layout(record)
    } catch (error) {
      this.report(port.name, error)
      return record.line
    }
  }

  #group(ports: readonly Port[]): Group {
    const known = this.#groups.find(group => areSame(group.ports, ports))
    if (known !== undefined) return known
    const group = { ports, sink: sinkFor(ports) }
    this.#groups.push(group)
    return group
  }

  /** Flushes its appenders; `callback` is called when all of them are done, with the first failure. */
  flush(callback: (error?: Error) => void = () => undefined): void {
    const flushes = this.#ports.map(port => (port.buffer ?? port.appender).flush())
    Promise.all(flushes).then(() => callback(), callback)
  }

  flushSync(): void {
    for (const { appender } of this.#ports) appender.flushSync?.()
  }

  /** A logger is closed: its appenders are those of others, too, and only flushed. */
  end(): void {
    this.flush(error => {
      if (error !== undefined && this.listenerCount('error') > 0) this.emit('error', error)
      this.emit('close')
    })
  }

  /** @internal */
  [readingsSym](): Reading[] {
    return this.#ports.flatMap(({ appender }) => {
      const { records } = appender as { records?: { [readingsSym]?: () => Reading[] } }
      return records?.[readingsSym]?.() ?? []
    })
  }
}

/** The number of a level as a line has it. */
function numberOf(level: unknown, logger: Internals | undefined): number {
  if (typeof level === 'number') return level
  return (typeof level === 'string' ? logger?.levels.values[level] : undefined) ?? Number.POSITIVE_INFINITY
}

/** A route, as loggers take it for their stream. */
export const streamOf = (route: Route): Stream => route as unknown as Stream
