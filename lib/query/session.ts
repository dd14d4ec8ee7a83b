/**
 * Runs queries over files. How files are read depends on what is in them, and what of it a query
 * asks for; nobody looks through a large file for that. It is taken for what most logs are, lines
 * of JSON with the keys and types that stand at some places of it. Where that is wrong DuckDB
 * raises an error, never another result; then the table is made as it has to be, and the query runs
 * again.
 */

import fs from 'node:fs'
import path from 'node:path'
import { clearInterval, setInterval } from 'node:timers'
import { ShardlogError } from '../errors'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { readLog } from '../reader'
import type { BlockItem, ScanItem } from '../reader/items'
import { type Connection, identifier, loadDuckDb } from './duckdb'
import { cleanRecord, eventLineOf, noteEvent, noteLine, type QueryEvent, type QueryInput } from './input'
import { Keys, widened } from './keys'
import {
  columnNames,
  type Key,
  keysSql,
  NEEDS_CLEAN,
  NEEDS_OBJECTS,
  NEEDS_TYPE,
  OWN_KEYS,
  type Table,
  tableSql
} from './schema'
import { FileWriter, Workspace } from './workspace'

/** How an input is read: each way takes more than the one before, and more time. */
enum Way {
  /** The file as it lies there. */
  Plain,
  /** Its lines, copied as they are: what stands in blocks, waits in arenas, is cut off. */
  Copied,
  /** These one by one: what DuckDB does not read as `JSON.parse` does becomes an event. */
  Sifted,
  /** All of them become events. */
  Events
}

interface State {
  input: QueryInput
  way: Way
  /** The file of lines that is read; null: none. */
  lines: string | null
  /** Files of events: what is in them is in `lines` no more. */
  events: string[]
}

/** What DuckDB takes for the longest line at first, and what a log's line can have at most. */
const LINE_BYTES = 16 * 1024 * 1024
const MOST_LINE_BYTES = 128 * 1024 * 1024
/** Of a file so many bytes are looked at, at so many places. */
const SAMPLE_BYTES = 64 * 1024
const SAMPLES = 4
/** A query that still raises errors of ours has met something that nobody thought of. */
const MOST_RUNS = 1000

/** A query that is to stop is told so often. */
const STOP_MS = 50

const SELECT = 1
const NEWLINE = 0x0a

const SETTINGS = {
  // Nothing is downloaded, and nothing is written but where it is asked for.
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  preserve_insertion_order: 'true'
}

/** Where in the SQL an error is: the line, and a mark below it. */
const PLACE = /\n+LINE \d+: (.*)\n[^\n]*$/
const ELLIPSES = /^\.\.\. ?|\.\.\.$/g

/** A failed query, told with the names that files have; the place is told if it is in the SQL. */
function queryError(error: unknown, states: readonly State[], sql: string): ShardlogError {
  if (error instanceof ShardlogError) return error
  let message = (error as Error).message.trimEnd()
  const line = PLACE.exec(message)?.[1]
  if (line !== undefined && !sql.includes(line.replace(ELLIPSES, '').trim())) message = message.replace(PLACE, '')
  for (const { lines, events, input } of states) {
    for (const file of [lines, ...events]) if (file !== null) message = message.replaceAll(file, input.name)
  }
  return new ShardlogError('ERR_SHARDLOG_QUERY', message, { cause: error })
}

/** Lines that stand whole in a piece of a file; with a piece from its start the first one too. */
function linesIn(bytes: Buffer, isStart: boolean): Buffer[] {
  const lines: Buffer[] = []
  let at = isStart ? 0 : bytes.indexOf(NEWLINE) + 1
  for (let end = bytes.indexOf(NEWLINE, at); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
    lines.push(bytes.subarray(at, end))
    at = end + 1
  }
  if (isStart && at === 0) lines.push(bytes)
  return lines
}

/** Notes keys that stand at the start of a file of lines, at its end and in between. */
function sample(file: string, keys: Keys): void {
  const fd = fs.openSync(file, 'r')
  try {
    const { size } = fs.fstatSync(fd)
    const bytes = Buffer.alloc(SAMPLE_BYTES)
    const step = Math.max(SAMPLE_BYTES, (size - SAMPLE_BYTES) / (SAMPLES - 1))
    for (let i = 0; i < SAMPLES && i * step < size; i++) {
      const start = Math.floor(i * step)
      const count = fs.readSync(fd, bytes, 0, SAMPLE_BYTES, start)
      for (const line of linesIn(bytes.subarray(0, count), start === 0)) noteLine(keys, line)
    }
  } finally {
    fs.closeSync(fd)
  }
}

export class QuerySession {
  readonly #workspace = new Workspace()
  readonly #levels: ReadonlyMap<string, number>
  readonly #states: State[]
  readonly #keys = new Keys(OWN_KEYS)
  readonly #close: (() => void)[] = []
  #connection: Connection | null = null
  #asObjects = false
  #lineBytes = LINE_BYTES
  #isSurveyed = false
  #isStopped = false

  /** @param levels names of levels and their numbers */
  constructor(inputs: readonly QueryInput[], levels: Readonly<Record<string, number>>) {
    this.#levels = new Map(Object.entries(levels))
    this.#states = inputs.map(input => ({ input, way: firstWay(input), lines: null, events: [] }))
    this.#keys.add('pid', 'BIGINT')
    this.#keys.add('hostname', 'VARCHAR')
  }

  /** The directory for files that are made on the way. */
  get directory(): string {
    return this.#workspace.directory
  }

  /** @throws ShardlogError `ERR_SHARDLOG_PACKAGE` */
  async open(): Promise<void> {
    const { DuckDBInstance } = loadDuckDb()
    const temp_directory = path.join(this.directory, 'spilled')
    const instance = await DuckDBInstance.create(':memory:', { ...SETTINGS, temp_directory })
    this.#close.push(() => instance.closeSync())
    this.#connection = await instance.connect()
    this.#close.unshift(() => this.#connection?.closeSync())
  }

  /**
   * Prepares `logs` for a query, which becomes the view `result`, and calls `use` until it needs no
   * other `logs`: what an earlier call has made is of no worth then.
   *
   * @throws ShardlogError `ERR_SHARDLOG_QUERY`; what reading a file throws
   */
  async run(sql: string, use: (connection: Connection) => Promise<void>): Promise<void> {
    await this.#checkCount(sql)
    for (const [index] of this.#states.entries()) await this.#makeFiles(index)
    for (let left = MOST_RUNS; ; left--) {
      try {
        if (this.#isStopped) throw new Error('stopped')
        await this.#prepare(sql)
        await use(this.#open)
        return
      } catch (error) {
        const message = error instanceof ShardlogError ? '' : String((error as Error).message)
        if (left === 0 || this.#isStopped || !(await this.#refine(message, sql))) {
          throw queryError(error, this.#states, sql)
        }
      }
    }
  }

  /** Makes what runs fail soon, and what would run then. */
  stop(): void {
    this.#isStopped = true
    // A query that is just beginning takes no notice.
    const timer = setInterval(() => this.#connection?.interrupt(), STOP_MS)
    this.#close.unshift(() => clearInterval(timer))
  }

  close(): void {
    for (const close of this.#close.splice(0)) close()
    this.#workspace.remove()
  }

  get #open(): Connection {
    if (this.#connection === null) throw new ShardlogError('ERR_SHARDLOG_QUERY', 'the session is not open')
    return this.#connection
  }

  async #checkCount(sql: string): Promise<void> {
    let count: number
    try {
      count = (await this.#open.extractStatements(sql)).count
    } catch (error) {
      throw queryError(error, [], sql)
    }
    if (count !== 1) throw new ShardlogError('ERR_SHARDLOG_QUERY', `a query is one statement, not ${count}`)
  }

  async #prepare(sql: string): Promise<void> {
    const connection = this.#open
    await connection.run(`CREATE OR REPLACE TEMP VIEW logs AS ${tableSql(this.#table())}`)
    const statements = await connection.extractStatements(sql)
    const statement = await statements.prepare(0)
    const { statementType, parameterCount } = statement
    statement.destroySync()
    if (statementType !== SELECT)
      throw new ShardlogError('ERR_SHARDLOG_QUERY', 'a query is a statement that gives rows, as SELECT does')
    if (parameterCount > 0) throw new ShardlogError('ERR_SHARDLOG_QUERY', 'a query cannot have parameters')
    try {
      await connection.run(`CREATE OR REPLACE TEMP VIEW result AS ${sql}`)
    } catch {
      // DESCRIBE and SUMMARIZE are no SELECT, but stand where a table does.
      await connection.run(`CREATE OR REPLACE TEMP VIEW result AS FROM (${sql.replace(/[\s;]+$/, '')}\n)`)
    }
  }

  #table(): Table {
    return {
      lines: { paths: this.#states.map(({ lines }) => lines).filter(lines => lines !== null) },
      events: { paths: this.#states.flatMap(({ events }) => events) },
      names: this.#states.map(({ input }) => input.name),
      keys: this.#keyList(),
      levels: this.#levels,
      asObjects: this.#asObjects,
      lineBytes: this.#lineBytes
    }
  }

  #keyList(): Key[] {
    return Array.from(this.#keys.types, ([key, type]) => ({ key, type }))
  }

  /** Makes the table as an error says that it has to be; false if it says nothing of that. */
  async #refine(message: string, sql: string): Promise<boolean> {
    const type = new RegExp(`${NEEDS_TYPE}:(\\d+):(\\w+):`).exec(message)
    if (type !== null) return this.#widen(Number(type[1]), type[2] as string)
    if (message.includes(NEEDS_OBJECTS) && !this.#asObjects) {
      this.#asObjects = true
      return true
    }
    if (message.includes('maximum_object_size') && this.#lineBytes < MOST_LINE_BYTES) {
      this.#lineBytes = MOST_LINE_BYTES
      return true
    }
    const damaged = this.#states.findIndex(({ lines }) => lines !== null && message.includes(`"${lines}"`))
    if (damaged >= 0) return this.#lookCloser([damaged])
    if (message.includes(NEEDS_CLEAN)) return this.#lookCloser(this.#leastRead())
    // A text was compared with a column that would be text, had it been known whole.
    if (message.startsWith('Conversion Error')) return this.#checkTypes(sql)
    if (!message.startsWith('Binder Error') || this.#isSurveyed) return false
    this.#isSurveyed = true
    return this.#survey(sql)
  }

  /** Widens the types of columns that a query names to what rows need; false if they are so. */
  async #checkTypes(sql: string): Promise<boolean> {
    const text = sql.toLowerCase()
    const named = columnNames(this.#keyList()).filter(name => text.includes(name.toLowerCase()))
    if (named.length === 0) return false
    const counts = named.map(name => `count(${identifier(name)})`)
    try {
      await this.#open.run(`SELECT ${counts.join(', ')} FROM logs`)
      return false
    } catch (error) {
      return this.#refine(String((error as Error).message), sql)
    }
  }

  #widen(index: number, jsonType: string): boolean {
    const key = this.#keyList()[index]
    if (key === undefined) return false
    this.#keys.types.set(key.key, widened(key.type, jsonType))
    return true
  }

  /** Files of lines that were looked at less than others. */
  #leastRead(): number[] {
    const indices = [...this.#states.keys()].filter(index => this.#states[index]!.lines !== null)
    const least = Math.min(...indices.map(index => this.#states[index]!.way))
    return indices.filter(index => this.#states[index]!.way === least)
  }

  /** Reads files of lines in a way that takes more. */
  async #lookCloser(indices: readonly number[]): Promise<boolean> {
    for (const index of indices) {
      this.#states[index]!.way++
      await this.#makeFiles(index)
    }
    return indices.length > 0
  }

  /** Looks for keys that a query names in all lines; false if there are none. */
  async #survey(sql: string): Promise<boolean> {
    const { lines } = this.#table()
    if (lines.paths.length === 0) return false
    const text = sql.toLowerCase()
    const before = this.#keys.types.size
    const rows = await (await this.#open.run(keysSql(lines, this.#lineBytes))).getRowsJson()
    for (const [key] of rows) {
      if (typeof key === 'string' && text.includes(key.toLowerCase()) && !this.#keys.types.has(key))
        this.#keys.add(key, 'BIGINT')
    }
    return this.#keys.types.size > before
  }

  async #makeFiles(index: number): Promise<void> {
    const state = this.#states[index]!
    const { input, lines } = state
    state.lines = null
    if (state.way === Way.Plain && input.plain !== null) {
      state.lines = this.#workspace.link(input.plain, index)
      if (state.lines === null) state.way = Way.Copied
    }
    if (state.way === Way.Copied && input.scan !== null) await this.#copy(state, input.scan(), index)
    else if (input.events !== null) await this.#store(state, input.events, index)
    else if (state.way !== Way.Plain && lines !== null) await this.#sift(state, lines, index)
    if (lines !== null) fs.rmSync(lines)
    if (state.lines !== null) sample(state.lines, this.#keys)
  }

  /** Brings all entries into a file of lines. */
  async #copy(state: State, batches: AsyncIterable<ScanItem[]>, index: number): Promise<void> {
    const lines = new FileWriter(this.#workspace.path(index, 'lines'))
    const odd = new FileWriter(this.#workspace.path(index, 'odd'))
    try {
      for await (const items of batches) {
        if (this.#isStopped) return
        for (const item of items) {
          if (item.kind === 'lines') lines.addLine(item.data, item.start, item.end)
          if (item.kind !== 'block') continue
          addEntries(item, lines, text => this.#addEvent(odd, state.input.eventOf(text), text))
        }
      }
    } finally {
      lines.close()
      odd.close()
    }
    state.lines = lines.path
    state.events.push(odd.path)
  }

  #addEvent(writer: FileWriter, event: QueryEvent, text = ''): void {
    writer.addText(eventLineOf(event, text))
    noteEvent(this.#keys, event)
  }

  async #store(state: State, events: Iterable<QueryEvent>, index: number): Promise<void> {
    const writer = new FileWriter(this.#workspace.path(index, 'events'))
    try {
      for (const event of events) this.#addEvent(writer, event)
    } finally {
      writer.close()
    }
    state.events.push(writer.path)
  }

  /** Lines of a file one by one. */
  async #sift(state: State, file: string, index: number): Promise<void> {
    const lines = new FileWriter(this.#workspace.path(index, 'lines'))
    const events = new FileWriter(this.#workspace.path(index, 'events'))
    try {
      for await (const { bytes } of readLog(file, { format: 'ndjson' })) {
        if (this.#isStopped) return
        const end = bytes.at(-1) === NEWLINE ? bytes.length - 1 : bytes.length
        const line = bytes.subarray(0, end)
        const record = state.way === Way.Events ? null : cleanRecord(line)
        if (record === null) {
          const text = line.toString().trimEnd()
          // A blank line is no record, for DuckDB neither.
          if (text !== '') this.#addEvent(events, state.input.eventOf(text), text)
          continue
        }
        lines.addLine(line, 0, line.length)
        this.#keys.addRecord(record)
      }
    } finally {
      lines.close()
      events.close()
    }
    state.lines = lines.isEmpty ? null : lines.path
    state.events.push(events.path)
  }
}

/** Adds the entries of a block as lines; calls `onOdd` with what is more than one. */
function addEntries({ data, start, end }: BlockItem, lines: FileWriter, onOdd: (text: string) => void): void {
  for (let at = start; at < end; ) {
    const from = at + ENTRY_PREFIX_BYTES
    at = from + data.readUInt32LE(at)
    const newline = data.indexOf(NEWLINE, from)
    if (newline < 0 || newline >= at - 1) lines.addLine(data, from, at)
    else onOdd(data.toString('utf8', from, at).trimEnd())
  }
}

function firstWay(input: QueryInput): Way {
  if (input.plain !== null) return Way.Plain
  return input.scan === null ? Way.Events : Way.Copied
}
