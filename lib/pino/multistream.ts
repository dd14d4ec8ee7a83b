/**
 * Several destinations behind one: each is given the records of its level and above. Each record is
 * made once, whatever its level reaches: as what a single destination's sink makes of it, as one
 * record for several that record, or as text if one of them takes nothing else.
 */

import { JointEncoder } from '../record/record-encoder'
import {
  type CompiledEvent,
  type Internals,
  type RecordSink,
  recordSinkSym,
  type Stream,
  type StreamWithSink
} from './context'
import { writeAsText } from './json-line'
import { STANDARD_LEVELS } from './levels'
import { recordSink } from './record-destination'
import { needsMetadataGsym } from './symbols'
import type { MultiStreamOptions } from './types'

// The sink.

type Streams = readonly { readonly stream: StreamWithSink }[]

/** Several destinations, as their sink sees them. */
interface Receivers {
  /** Where a line of text goes, to be passed on to those that its level reaches. */
  readonly asOne: Stream
  /** Those that a record reaches are neighbours here: from `begin` to before `end`. */
  streams(): Streams
  end(level: number): number
  begin(end: number): number
}

/**
 * Streams that records have gone to together, and the sink for them; null if one of them takes text
 * only.
 */
interface Group {
  readonly streams: readonly StreamWithSink[]
  readonly sink: RecordSink | null
}

function sinkFor(streams: readonly StreamWithSink[]): RecordSink | null {
  const writers = streams.flatMap(stream => stream[recordSinkSym]?.writer ?? [])
  return writers.length < streams.length ? null : recordSink(new JointEncoder(writers))
}

class FanOutSink implements RecordSink {
  /** One for each way in which levels divide the streams. */
  readonly #groups: Group[] = []

  constructor(private readonly receivers: Receivers) {}

  write(logger: Internals, fields: object | null | undefined, message: unknown, level: number): void {
    const { asOne } = this.receivers
    const end = this.receivers.end(level)
    if (end === 0) return
    asOne.lastLevel = level
    const sink = this.#sink(end)
    if (sink) sink.write(logger, fields, message, level)
    else writeAsText(asOne, logger, fields, message, level)
  }

  event(logger: Internals, event: CompiledEvent, values: readonly unknown[]): void {
    const { asOne } = this.receivers
    const end = this.receivers.end(event.level)
    if (end === 0) return
    const sink = this.#sink(end)
    if (sink?.event) {
      asOne.lastLevel = event.level
      sink.event(logger, event, values)
    } else this.write(logger, event.fields(values), event.message, event.level)
  }

  /** That of the streams before `end`; none if it takes their text. */
  #sink(end: number): RecordSink | null | undefined {
    const streams = this.receivers.streams()
    const begin = this.receivers.begin(end)
    if (end - begin === 1) return streams[begin]!.stream[recordSinkSym]
    const known = this.#groups.find(group => isGroup(group, streams, begin, end))
    return (known ?? this.#join(streams.slice(begin, end).map(({ stream }) => stream))).sink
  }

  #join(streams: readonly StreamWithSink[]): Group {
    const group = { streams, sink: sinkFor(streams) }
    this.#groups.push(group)
    return group
  }
}

function isGroup(group: Group, streams: Streams, begin: number, end: number): boolean {
  if (group.streams.length !== end - begin) return false
  for (let at = begin; at < end; at++) if (group.streams[at - begin] !== streams[at]!.stream) return false
  return true
}

// The destination.

interface Target extends StreamWithSink {
  write(data: unknown): unknown
  emit?: (...args: unknown[]) => unknown
  flush?: (callback: (error?: Error) => void) => void
  flushSync?: () => void
  end?: () => void
  [needsMetadataGsym]?: boolean
  lastLevel?: unknown
  lastTime?: unknown
  lastMsg?: unknown
  lastObj?: unknown
  lastLogger?: unknown
}

interface Entry {
  stream: Target
  level: number
  levelVal: undefined
  id: number
}

interface EntryOption {
  stream?: Target
  level?: string | number
  levelVal?: number
}

type LevelTable = Record<string, number>

/** Streams by ascending level; of equal ones the latest first. */
class MultiStream {
  /** Where one of the streams records; without it loggers write text. */
  [recordSinkSym]: RecordSink | undefined
  streams: Entry[] = []
  minLevel = 0
  lastId = 0
  readonly [needsMetadataGsym] = true
  lastLevel: number | string = 0
  lastTime?: unknown
  lastMsg?: unknown
  lastObj?: unknown
  lastLogger?: unknown
  readonly streamLevels: LevelTable
  readonly #dedupe: boolean

  constructor(levels: LevelTable, dedupe: boolean) {
    this.streamLevels = levels
    this.#dedupe = dedupe
  }

  /**
   * Writes `data` to the streams whose level the last record reaches; with `dedupe`, to the highest
   * of them alone.
   */
  write(data: unknown): void {
    const last = this.lastLevel
    const level = (typeof last === 'string' ? this.#numberOf(last) : last) ?? 0
    if (this.#dedupe) this.#writeToHighest(data, level)
    else this.#writeToAll(data, level)
  }

  #writeToAll(data: unknown, level: number): void {
    for (const entry of this.streams) {
      if (entry.level > level) return
      this.#pass(entry.stream, data, level)
    }
  }

  #writeToHighest(data: unknown, level: number): void {
    const end = this.#end(level)
    for (let at = end - 1; at >= this.#begin(end); at--) this.#pass((this.streams[at] as Entry).stream, data, level)
  }

  /** Index behind the last stream that `level` reaches. */
  #end(level: number): number {
    let end = 0
    while (end < this.streams.length && !((this.streams[end] as Entry).level > level)) end++
    return end
  }

  /** Index of the first stream that a record for those before `end` goes to. */
  #begin(end: number): number {
    if (!this.#dedupe || end === 0) return 0
    const highest = (this.streams[end - 1] as Entry).level
    let begin = end - 1
    while (begin > 0 && (this.streams[begin - 1] as Entry).level === highest) begin--
    return begin
  }

  /** Finds out anew whether a stream records. */
  #encode(): void {
    const records = this.streams.some(({ stream }) => stream[recordSinkSym])
    this[recordSinkSym] = records ? this.#sink() : undefined
  }

  #sink(): RecordSink {
    return new FanOutSink({
      asOne: this as Stream,
      streams: () => this.streams,
      end: level => this.#end(level),
      begin: end => this.#begin(end)
    })
  }

  #pass(stream: Target, data: unknown, level: number): void {
    if (stream[needsMetadataGsym]) {
      stream.lastLevel = level
      stream.lastTime = this.lastTime
      stream.lastMsg = this.lastMsg
      stream.lastObj = this.lastObj
      stream.lastLogger = this.lastLogger
    }
    stream.write(data)
  }

  emit(...args: unknown[]): void {
    for (const { stream } of this.streams) if (typeof stream.emit === 'function') stream.emit(...args)
  }

  /**
   * Flushes all; `callback` is called when the last of them is done, with what kept the first that
   * failed.
   */
  flush(callback: (error?: Error) => void): void {
    const able = this.streams.filter(({ stream }) => typeof stream.flush === 'function')
    let left = able.length
    let failure: Error | undefined
    const done = (error?: Error | null): void => {
      failure ??= error ?? undefined
      if (--left === 0) callback(failure)
    }
    for (const { stream } of able) stream.flush?.(done)
    if (able.length === 0) callback()
  }

  flushSync(): void {
    for (const { stream } of this.streams) if (typeof stream.flushSync === 'function') stream.flushSync()
  }

  /**
   * Adds a stream, or an entry `{ stream, level }`.
   *
   * @throws if it is neither
   */
  add(dest: Target | EntryOption | undefined): this {
    if (!dest) return this
    const stream = 'write' in dest ? dest : (dest as EntryOption).stream
    if (typeof stream?.write !== 'function') {
      throw Error('stream object needs to implement either StreamEntry or DestinationStream interface')
    }
    this.lastId++
    this.streams.unshift({ stream, level: this.#levelOf(dest as EntryOption), levelVal: undefined, id: this.lastId })
    this.streams.sort((a, b) => a.level - b.level)
    this.minLevel = (this.streams[0] as Entry).level
    this.#encode()
    return this
  }

  #levelOf({ level, levelVal }: EntryOption): number {
    if (typeof levelVal === 'number') return levelVal
    if (typeof level === 'string') return this.#numberOf(level) as number
    return typeof level === 'number' ? level : (STANDARD_LEVELS.info as number)
  }

  /** The number of a level's name; those of standard levels may be in upper case. */
  #numberOf(name: string): number | undefined {
    return this.streamLevels[name] ?? this.streamLevels[name.toLowerCase()]
  }

  /** Removes the stream that was added as number `id`; nothing if there is none. */
  remove(id: number): this {
    const at = this.streams.findIndex(entry => entry.id === id)
    if (at < 0) return this
    this.streams.splice(at, 1)
    this.minLevel = this.streams[0]?.level ?? -1
    this.#encode()
    return this
  }

  end(): void {
    for (const { stream } of this.streams) {
      if (typeof stream.flushSync === 'function') stream.flushSync()
      if (typeof stream.end === 'function') stream.end()
    }
  }

  /** The same streams, all of them at `level`. */
  clone(level: number | string): MultiStream {
    const copy = new MultiStream(this.streamLevels, this.#dedupe)
    const number = (typeof level === 'string' ? this.#numberOf(level) : level) as number
    copy.streams = this.streams.map(entry => ({ ...entry, level: number }))
    copy.minLevel = number
    copy.lastId = this.lastId
    copy.#encode()
    return copy
  }
}

/**
 * A destination that writes to several.
 *
 * @param streams streams or entries `{ stream, level }`; one of them, or an array
 */
export function multistream(streams?: unknown, options?: MultiStreamOptions | null): MultiStream {
  const levels: LevelTable = { silent: Number.POSITIVE_INFINITY, ...STANDARD_LEVELS, ...options?.levels }
  const multi = new MultiStream(levels, Boolean(options?.dedupe))
  const list = (Array.isArray(streams) ? streams : [streams]) as (Target | EntryOption | undefined)[]
  for (const stream of list) multi.add(stream)
  return multi
}
