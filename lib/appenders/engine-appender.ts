/** Appenders whose lines the engine writes: what Console, File and RollingFile share. */

import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../errors'
import { recordSinkSym } from '../pino/context'
import { type Ending, endOpen, whenClosed } from '../pino/destination'
import { RecordDestination, type RecordDestinationOptions, recordSink } from '../pino/record-destination'
import type { EventShape, LineFormat, PayloadWriter } from '../record/payload-writer'
import type { Piece, RecordWriter } from '../record/record-encoder'
import type { Appender, AppenderContext, AppenderStats, Destination, JsonSchema } from './kinds'

/** Called after every `every` records. */
export interface Watch {
  readonly every: number
  readonly call: () => void
}

/** Passes records on, and counts them for a watch. */
class WatchedWriter implements RecordWriter {
  #left: number

  constructor(
    private readonly inner: RecordWriter,
    private readonly watch: Watch
  ) {
    this.#left = watch.every
  }

  record(format: LineFormat, time: number, timeText: string, fields: object | null, message: unknown): boolean {
    const accepted = this.inner.record(format, time, timeText, fields, message)
    if (--this.#left <= 0) this.#tell()
    return accepted
  }

  event(format: LineFormat, time: number, timeText: string, event: EventShape, values: readonly unknown[]): boolean {
    const accepted = this.inner.event(format, time, timeText, event, values)
    if (--this.#left <= 0) this.#tell()
    return accepted
  }

  text(time: number, line: string): boolean {
    const accepted = this.inner.text(time, line)
    if (--this.#left <= 0) this.#tell()
    return accepted
  }

  framed(time: number, before: Piece, text: string, after: Piece): boolean {
    const { inner } = this
    const accepted = inner.framed?.(time, before, text, after) ?? inner.text(time, before.text + text + after.text)
    if (--this.#left <= 0) this.#tell()
    return accepted
  }

  append(made: PayloadWriter, format: LineFormat, from: number): boolean {
    const accepted = this.inner.append(made, format, from)
    if (--this.#left <= 0) this.#tell()
    return accepted
  }

  close(): void {
    this.inner.close()
  }

  #tell(): void {
    this.#left = this.watch.every
    this.watch.call()
  }
}

/** A destination whose records are counted for a watch. */
function watched(inner: Destination, watch: Watch): Destination {
  let left = watch.every
  const writer = inner[recordSinkSym]?.writer
  return {
    [recordSinkSym]: writer === undefined ? undefined : recordSink(new WatchedWriter(writer, watch)),
    write(line) {
      const accepted = inner.write(line)
      if (--left <= 0) {
        left = watch.every
        watch.call()
      }
      return accepted
    }
  }
}

/** A stream as an appender. What it takes is flushed by the stream itself, in its own time. */
export class StreamAppender implements Appender {
  readonly destination: Destination
  /** What the engine, or another stream, has behind the destination. */
  readonly stream: Destination & Ending
  readonly #isShared: boolean
  #closing: Promise<void> | null = null

  /** @param isShared others write there, too: it is not ended */
  constructor(
    stream: Destination,
    { isShared = false, watch }: { isShared?: boolean; watch?: Watch | undefined } = {}
  ) {
    this.stream = stream as Destination & Ending
    this.destination = watch === undefined ? stream : watched(stream, watch)
    this.#isShared = isShared
  }

  writeRaw(lines: readonly string[]): void {
    for (const line of lines) this.destination.write(line)
  }

  flush(): Promise<void> {
    const { stream } = this
    return new Promise((resolve, reject) => {
      if (typeof stream.flush !== 'function') resolve()
      else stream.flush(error => (error ? reject(error) : resolve()))
    })
  }

  flushSync(): void {
    this.stream.flushSync?.()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#isShared) {
      await this.flush()
      return
    }
    const closed = whenClosed(this.stream)
    endOpen(this.stream)
    await closed
  }
}

/** An appender of the engine's. */
export class EngineAppender extends StreamAppender {
  readonly records: RecordDestination

  constructor(records: RecordDestination, watch?: Watch) {
    super(records as unknown as Destination, { watch })
    this.records = records
  }

  /** Gives the file up before it returns: another appender opens it next. */
  closeSync(): void {
    this.records.closeSync()
  }

  stats(): AppenderStats {
    const { totalLogs, droppedLogs, writtenLogs, bytesWritten, flushErrors, reopens, lastError } =
      this.records.getStatsSnapshot()
    return {
      accepted: totalLogs - droppedLogs,
      dropped: droppedLogs,
      written: writtenLogs,
      bytesWritten,
      flushErrors,
      reopens,
      lastError: lastError === null ? null : String(lastError)
    }
  }
}

/**
 * After a batch: flushes. One flush at a time: what comes meanwhile is covered by the next batch's,
 * or by the interval.
 */
export function batchWatch(options: Readonly<Record<string, unknown>>, flush: () => Promise<void>): Watch | undefined {
  if (options.bufferedIo !== true) return undefined
  let isFlushing = false
  const done = (): void => {
    isFlushing = false
  }
  return {
    every: options.batchSize as number,
    call: () => {
      if (isFlushing) return
      isFlushing = true
      // A failure is told by the destination.
      flush().then(done, done)
    }
  }
}

/** Options of the engine's: it has their defaults, some of which depend on others. */
export const bufferProperties: Readonly<Record<string, JsonSchema>> = {
  bufferSize: { type: 'integer', minimum: 131_072, description: 'Bytes of memory in which lines wait. Default 8 MiB.' },
  onFull: {
    enum: ['block', 'drop'],
    description: 'Where there is no room in it: whether the call waits, or the line is dropped and counted.'
  },
  blockTimeout: {
    type: 'number',
    minimum: 0,
    description: 'Milliseconds that a call waits at the most. Default 1,000.'
  },
  engine: { enum: ['auto', 'native', 'js'], 'x-default': 'auto', description: 'Which engine writes.' }
}

/** Options of files. */
export const fileProperties: Readonly<Record<string, JsonSchema>> = {
  fileName: {
    type: 'string',
    minLength: 1,
    description: 'The file, relative to the working directory; its folders are made. `%p` is the process id.'
  },
  fsync: {
    type: 'boolean',
    default: true,
    description: 'Whether what is flushed is on the device, where a power failure takes nothing; else with the system.'
  },
  ...bufferProperties,
  arenaDir: {
    type: 'string',
    minLength: 1,
    description: 'Folder for the memory-mapped buffers. Default: beside the file.'
  },
  crashSafe: {
    enum: ['file', 'shm', false],
    'x-default': 'file',
    description: 'Where lines wait so that a killed process loses none; `false`: in plain memory.'
  },
  directIO: { enum: ['auto', 'required', 'off'], 'x-default': 'auto', description: 'Writing past the page cache.' },
  lockTimeout: {
    type: 'number',
    minimum: 0,
    'x-default': 0,
    description: 'Milliseconds to wait for another process that has the file open and is ending.'
  }
}

const PASSED = ['bufferSize', 'onFull', 'blockTimeout', 'engine', 'arenaDir', 'crashSafe', 'directIO', 'lockTimeout']

/** Makes the folder of a file. */
export function makeFolder(file: string): void {
  const folder = path.dirname(file)
  try {
    fs.mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_PATH', `cannot make the folder ${folder}`, error, folder)
  }
}

/** Opens the log of a file's appender. */
export function openFile({ name, options, report }: AppenderContext, format: 'ndjson' | 'shard'): RecordDestination {
  const file = options.fileName as string
  makeFolder(file)
  const given = Object.fromEntries(PASSED.filter(key => options[key] !== undefined).map(key => [key, options[key]]))
  try {
    const records = new RecordDestination({
      ...given,
      dest: file,
      format,
      dsync: options.fsync !== false,
      flushInterval: (options.flushInterval as number) * 1000,
      onError: report
    } as RecordDestinationOptions)
    records.on('error', report)
    return records
  } catch (error) {
    if (!(error instanceof ShardlogError)) throw error
    // Which speaks of the option by its name in `shardlog.destination`.
    const message = error.message.replace(/%p in dest\b/, '%p in file_name')
    throw new ShardlogError(error.code, `appender ${name}: ${message}`, { ...error, cause: error })
  }
}
